// The results of one poll: what the uid at the end of the address names.

import { ask, byId, complain, fill, make } from './dom.js'
import { plural, state, voters } from './poll.js'

const EVERY = 1000
const uid = location.pathname.split('/').at(-1)

function answer(one) {
  const count = `${plural(one.votes, 'vote')}, ${one.percent} %`
  const bar = make('progress', { value: one.percent, max: 100, 'aria-hidden': 'true' })
  const what = make('span', { class: 'what' }, one.text)
  const row = make('div', { class: 'answer', 'data-answer': one.id }, what, make('span', { class: 'count' }, count), bar)
  return [row, voters(one)]
}

function question(one) {
  return make('section', { class: 'poll' }, make('h2', {}, one.question), ...one.answers.flatMap(answer))
}

async function refresh() {
  const query = new URLSearchParams({ user: localStorage.getItem('user') ?? '' })
  try {
    const poll = await ask(`/page/result/${uid}?${query}`)
    document.title = `Results: ${poll.questions[0].question}`
    byId('about').textContent = [poll.author, poll.anonymous ? 'anonymous' : 'public', state(poll)].join(' · ')
    const items = poll.questions.map((one, at) => ({ ...one, at }))
    fill(byId('questions'), items, (one) => one.at, question)
    complain('')
  } catch (error) {
    complain(error.message)
  }
}

async function run() {
  if (!document.hidden) await refresh()
  setTimeout(run, EVERY)
}

run()
