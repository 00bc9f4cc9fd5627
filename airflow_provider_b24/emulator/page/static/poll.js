// A poll as a card: bars, and buttons as far as this person may press them.

import { byId, make } from './dom.js'

const drafts = new Map() // message id -> the boxes ticked and not yet sent

export function dropDrafts() {
  drafts.clear()
}

export function plural(count, word) {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}

function kind(one) {
  const parts = [one.multiple ? 'Several answers' : 'One answer', one.anonymous ? 'anonymous' : 'public']
  if (one.mayRecall || (one.voted && one.mayVote)) parts.push('you may change your vote')
  return parts.join(' · ')
}

export function poll(item, act) {
  const one = item.poll
  const name = `poll-${item.id}`
  const fields = make(
    'fieldset',
    {},
    make('legend', {}, one.question),
    make('p', { class: 'kind' }, kind(one)),
    ...one.answers.flatMap((answer) => [row(item, answer, act), voters(answer)])
  )
  const form = make('form', { class: one.finished ? 'poll finished' : 'poll', id: name }, fields, acts(item, act))
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    const ticked = [...form.querySelectorAll('input:checked')].map((box) => Number(box.value))
    drafts.delete(item.id)
    act('vote', { message: item.id, answers: ticked }, 'Your vote is counted.')
  })
  return form
}

function row(item, answer, act) {
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

// Who chose an answer; an anonymous poll names no one.
export function voters(answer) {
  const text = answer.voters.join(', ')
  return text && make('p', { class: 'voters' }, make('span', { class: 'unseen' }, `${answer.text}: `), text)
}

function keep(id) {
  const ticked = byId(`poll-${id}`).querySelectorAll('input:checked')
  drafts.set(id, new Set([...ticked].map((box) => Number(box.value))))
}

export function state(one) {
  const voted = `${plural(one.voters, 'person').replace('persons', 'people')} voted`
  return one.finished ? `Stopped · ${voted}` : voted
}

function acts(item, act) {
  const one = item.poll
  const results = make('a', { href: one.page, target: '_blank', 'data-focus': `results-${item.id}` }, state(one))
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
    make('span', { class: 'state' }, results),
    one.mayVote && one.multiple
      ? make('button', { type: 'submit', 'data-focus': `send-${item.id}` }, one.voted ? 'Change my vote' : 'Vote')
      : null,
    one.mayRecall ? button('Take my vote back', 'recall', 'Your vote is taken back.') : null,
    one.mayEdit && !one.finished ? button('Stop the poll', 'stop', 'The poll is stopped.') : null,
    one.mayEdit && one.finished ? button('Resume the poll', 'resume', 'The poll goes on.') : null
  )
}
