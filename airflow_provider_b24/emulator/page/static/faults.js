// The panel that plans faults, over the emulator's control API.

import { ask, byId, complain, fill, make, say } from './dom.js'

const FAULTS = '/emulator/faults'

export async function offerFaults() {
  byId('fault').addEventListener('submit', inject)
  byId('clear').addEventListener('click', () => change({ method: 'DELETE' }, 'No fault is planned.'))
  const { kinds, methods } = await ask('/page/faults')
  byId('kinds').append(...kinds.map((name) => make('option', { value: name }, name.replaceAll('_', ' '))))
  byId('methods').append(...['*', ...methods].map((name) => make('option', { value: name })))
}

export async function showFaults() {
  const faults = await ask(FAULTS)
  const waiting = faults.filter((fault) => fault.times === null || fault.fired < fault.times)
  const badge = byId('fault-count')
  badge.hidden = !waiting.length
  badge.textContent = waiting.length
  const text = (fault) => `${fault.kind.replaceAll('_', ' ')} on ${fault.method}: ${fault.fired} of ${fault.times ?? 'all'} fired`
  fill(byId('active'), waiting, (fault) => fault.id, (fault) => make('li', {}, text(fault)))
}

async function change(options, done) {
  try {
    const reply = await fetch(FAULTS, options)
    const answer = await reply.json().catch(() => ({}))
    if (!reply.ok) throw new Error(answer.error ?? `The portal answered ${reply.status}.`)
    complain('')
    say(done)
  } catch (error) {
    complain(error.message)
  }
  await showFaults()
}

function inject(event) {
  event.preventDefault()
  const form = new FormData(event.target)
  const body = { kind: form.get('kind'), method: form.get('method'), times: Number(form.get('times')) }
  const options = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }
  return change(options, 'The fault is planned.')
}
