// The page shows what GET /page/state says and asks for the rest with POST.
// Texts of people go into the document as text only, never as markup.

const EVERY = 1000
const byId = (id) => document.getElementById(id)

const seen = { user: localStorage.getItem('user') ?? '', chat: '', state: null }
const drafts = new Map() // message id -> the boxes ticked and not yet sent

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value)
    else if (value === true) element.setAttribute(name, '')
    else if (value !== false && value !== null) element.setAttribute(name, value)
  }
  element.append(...children.filter((child) => child !== null))
  return element
}

// Keeps the nodes whose content is unchanged, so that focus and scrolling survive a refresh.
function fill(parent, items, key, build) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]))
  const focused = document.activeElement?.closest?.('[data-focus]')?.dataset.focus
  const wanted = items.map((item) => {
    const text = JSON.stringify(item)
    const old = known.get(String(key(item)))
    if (old && old.dataset.text === text) return old
    const fresh = build(item)
    fresh.dataset.key = key(item)
    fresh.dataset.text = text
    return fresh
  })
  const same = wanted.length === parent.children.length && wanted.every((node, at) => node === parent.children[at])
  if (same) return false
  const lost = focused && !wanted.some((node) => node.contains(document.activeElement))
  parent.replaceChildren(...wanted)
  if (focused && (lost || document.activeElement === document.body)) {
    parent.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus()
  }
  return true
}

function say(text) {
  byId('news').textContent = text
}

function complain(text) {
  const problem = byId('problem')
  problem.textContent = text
  problem.hidden = !text
}

async function ask(path, body) {
  const options = body && {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body)
  }
  const reply = await fetch(path, options)
  const answer = await reply.json().catch(() => ({}))
  if (!reply.ok) throw new Error(answer.problem ?? answer.error ?? `The portal answered ${reply.status}.`)
  return answer
}

async function act(name, body, done) {
  try {
    await ask(`/page/${name}`, { user: Number(seen.user), ...body })
    complain('')
    await refresh()
    say(done)
  } catch (error) {
    await refresh()
    complain(error.message)
  }
}

// ---- lists ----

function entry(chat) {
  const open = () => {
    seen.chat = String(chat.id)
    refresh()
  }
  const button = make(
    'button',
    { type: 'button', onclick: open, 'data-focus': `chat-${chat.id}`, 'aria-current': String(chat.open) },
    make('span', { class: 'name' }, chat.title),
    make('span', { class: 'last' }, chat.last || 'No messages yet')
  )
  return make('li', {}, button)
}

function showLists(state) {
  const marked = (chat) => ({ ...chat, open: chat.id === state.open?.id })
  const none = (text) => [{ id: 'none', text }]
  const build = (item) => (item.text === undefined ? entry(item) : make('li', { class: 'none' }, item.text))
  fill(byId('chats'), state.chats.length ? state.chats.map(marked) : none('No chats'), (item) => item.id, build)
  const talks = state.lines.flatMap((line) => line.conversations.map(marked))
  const names = state.lines.map((line) => (line.active ? line.name : `${line.name} (off)`)).join(', ')
  fill(byId('lines'), talks.length ? talks : none(names ? `${names}: quiet` : 'None'), (item) => item.id, build)
}

function showPeople(state) {
  const select = byId('who')
  const text = JSON.stringify(state.users)
  if (select.dataset.text !== text) {
    select.dataset.text = text
    select.replaceChildren(
      ...state.users.map((user) =>
        make('option', { value: user.id }, user.position ? `${user.name} · ${user.position}` : user.name)
      )
    )
  }
  select.value = String(state.me)
}

// ---- messages ----

function clock(seconds) {
  const moment = new Date(seconds * 1000)
  const text = moment.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
  return make('time', { datetime: moment.toISOString() }, text)
}

function message(item) {
  if (item.from === 'system') {
    return make('li', { class: 'message system' }, make('div', { class: 'bubble' }, item.text))
  }
  const by = make('div', { class: 'by' }, make('b', {}, item.author), clock(item.at), item.edited ? 'edited' : null)
  const body = item.poll ? poll(item) : bubble(item)
  return make('li', { class: `message ${item.from}` }, by, body)
}

function bubble(item) {
  const files = item.files.map((name) => make('div', { class: 'file' }, `File: ${name}`))
  return make('div', { class: 'bubble' }, item.text, ...files)
}

function plural(count, word) {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}

function kind(one) {
  const parts = [one.multiple ? 'Several answers' : 'One answer', one.anonymous ? 'anonymous' : 'public']
  if (one.mayRecall || (one.voted && one.mayVote)) parts.push('you may change your vote')
  return parts.join(' · ')
}

function poll(item) {
  const one = item.poll
  const name = `poll-${item.id}`
  const fields = make(
    'fieldset',
    {},
    make('legend', {}, one.question),
    make('p', { class: 'kind' }, kind(one)),
    ...one.answers.map((answer) => row(item, answer))
  )
  const form = make('form', { class: one.finished ? 'poll finished' : 'poll', id: name }, fields, acts(item))
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const ticked = [...form.querySelectorAll('input:checked')].map((box) => Number(box.value))
    drafts.delete(item.id)
    act('vote', { message: item.id, answers: ticked }, 'Your vote is counted.')
  })
  return form
}

function row(item, answer) {
  const one = item.poll
  const count = `${plural(answer.votes, 'vote')}, ${answer.percent} %`
  const bar = make('progress', { value: answer.percent, max: 100, 'aria-hidden': 'true' })
  // The bar stands last: a label belongs to the first element in it that can have one, and a bar can.
  const what = make('span', { class: 'what' }, answer.text)
  const votes = make('span', { class: 'count' }, count)
  const chosen = answer.chosen ? 'answer chosen' : 'answer'
  const focus = `answer-${answer.id}`
  if (!one.mayVote) {
    const mark = make('span', { class: 'mark', 'aria-hidden': 'true' }, answer.chosen ? '✓' : '')
    const own = answer.chosen ? make('span', { class: 'unseen' }, 'Your answer: ') : null
    return make('div', { class: chosen, 'data-answer': answer.id }, mark, own, what, votes, bar)
  }
  if (one.multiple) {
    const draft = drafts.get(item.id)
    const checked = draft ? draft.has(answer.id) : answer.chosen
    const box = make('input', { type: 'checkbox', value: answer.id, checked, 'data-focus': focus, onchange: () => keep(item.id) })
    return make('label', { class: chosen, 'data-answer': answer.id }, box, what, votes, bar)
  }
  const vote = () => act('vote', { message: item.id, answers: [answer.id] }, `You voted for ${answer.text}.`)
  const mark = make('span', { class: 'mark', 'aria-hidden': 'true' }, answer.chosen ? '●' : '○')
  const attributes = { type: 'button', class: chosen, 'data-answer': answer.id, 'data-focus': focus, onclick: vote }
  return make('button', { ...attributes, 'aria-pressed': String(answer.chosen) }, mark, what, votes, bar)
}

function keep(id) {
  const ticked = byId(`poll-${id}`).querySelectorAll('input:checked')
  drafts.set(id, new Set([...ticked].map((box) => Number(box.value))))
}

function acts(item) {
  const one = item.poll
  const voters = plural(one.voters, 'person').replace('persons', 'people')
  const button = (text, name, done) =>
    make('button', {
      type: 'button',
      class: 'quiet',
      'data-focus': `${name}-${item.id}`,
      'data-act': name,
      onclick: () => act(name, { message: item.id }, done)
    }, text)
  return make(
    'div',
    { class: 'acts' },
    make('span', { class: 'state' }, one.finished ? `Stopped · ${voters} voted` : `${voters} voted`),
    one.mayVote && one.multiple
      ? make('button', { type: 'submit', 'data-focus': `send-${item.id}` }, one.voted ? 'Change my vote' : 'Vote')
      : null,
    one.mayRecall ? button('Take my vote back', 'recall', 'Your vote is taken back.') : null,
    one.mayEdit && !one.finished ? button('Stop the poll', 'stop', 'The poll is stopped.') : null,
    one.mayEdit && one.finished ? button('Resume the poll', 'resume', 'The poll goes on.') : null
  )
}

function showTalk(state) {
  const talk = state.open
  byId('title').textContent = talk ? talk.title : 'No chat yet'
  byId('about').textContent = talk ? talk.about : 'Chats appear here as soon as there are any.'
  byId('reply').hidden = !talk?.answerable
  const list = byId('messages')
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60
  const another = list.dataset.chat !== String(talk?.id)
  const items = talk?.messages.length ? talk.messages : [{ id: 'none' }]
  const build = (item) => (item.from ? message(item) : make('li', { class: 'none' }, 'No messages yet'))
  const changed = fill(list, items, (item) => `${talk?.id}-${state.me}-${item.id}`, build)
  if (another || (changed && atEnd)) list.scrollTop = list.scrollHeight
  if (!another && changed) announce(talk)
  list.dataset.chat = String(talk?.id)
  list.dataset.last = String(talk?.messages.at(-1)?.id ?? '')
}

function announce(talk) {
  const last = talk?.messages.at(-1)
  if (last && String(last.id) !== byId('messages').dataset.last && last.from !== 'mine') {
    say(`${last.author || 'The portal'}: ${last.text}`)
  }
}

// ---- faults ----

const FAULTS = '/emulator/faults'

async function offerFaults() {
  const { kinds, methods } = await ask('/page/faults')
  byId('kinds').append(...kinds.map((name) => make('option', { value: name }, name.replaceAll('_', ' '))))
  byId('methods').append(...['*', ...methods].map((name) => make('option', { value: name })))
}

async function showFaults() {
  const faults = await ask(FAULTS)
  const waiting = faults.filter((fault) => fault.times === null || fault.fired < fault.times)
  const badge = byId('fault-count')
  badge.hidden = !waiting.length
  badge.textContent = waiting.length
  const text = (fault) => `${fault.kind.replaceAll('_', ' ')} on ${fault.method}: ${fault.fired} of ${fault.times ?? 'all'} struck`
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
  return change(options, 'The fault is waiting.')
}

// ---- the round ----

let round = 0

async function refresh() {
  const mine = ++round
  const query = new URLSearchParams({ user: seen.user, chat: seen.chat })
  try {
    const state = await ask(`/page/state?${query}`)
    if (mine !== round) return
    seen.state = state
    seen.user = String(state.me)
    seen.chat = String(state.open?.id ?? '')
    showPeople(state)
    showLists(state)
    showTalk(state)
    byId('link').textContent = state.portal
    byId('link').classList.remove('lost')
  } catch {
    byId('link').textContent = 'The portal does not answer'
    byId('link').classList.add('lost')
  }
}

byId('who').addEventListener('change', (event) => {
  seen.user = event.target.value
  localStorage.setItem('user', seen.user)
  drafts.clear()
  complain('')
  refresh()
})

byId('reply').addEventListener('submit', (event) => {
  event.preventDefault()
  const text = byId('text').value
  byId('text').value = ''
  act('reply', { chat: Number(seen.chat), text }, 'Your answer is sent.')
})

byId('fault').addEventListener('submit', inject)
byId('clear').addEventListener('click', () => change({ method: 'DELETE' }, 'No fault is waiting.'))

async function run() {
  if (!document.hidden) await Promise.allSettled([refresh(), showFaults()])
  setTimeout(run, EVERY)
}

offerFaults()
run()
