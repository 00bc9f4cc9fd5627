// The page shows what GET /page/state says and asks for the rest with POST.

import { ask, byId, complain, fill, make, rich, say } from './dom.js'
import { offerFaults, showFaults } from './faults.js'
import { dropDrafts, poll } from './poll.js'

const EVERY = 1000
// A link to a message names it as Bitrix24's own links do: /online/?IM_DIALOG=chat1489&IM_MESSAGE=5012
const linked = new URLSearchParams(location.search)
const chat = linked.get('IM_DIALOG')?.replace(/^chat/, '') ?? ''
const seen = { user: localStorage.getItem('user') ?? '', chat, replyTo: null, sought: linked.get('IM_MESSAGE') }

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
    return make('li', { class: 'message system' }, make('div', { class: 'bubble' }, ...rich(item.parts)))
  }
  const answer = byId('reply').dataset.action === 'say' ? answerTo(item) : null
  const edited = item.edited ? 'edited' : null
  const delivered = item.delivered ? make('span', { class: 'delivered' }, '✓ delivered') : null
  const by = make('div', { class: 'by' }, make('b', {}, item.author), clock(item.at), edited, delivered, answer)
  const body = item.poll ? poll(item, act) : bubble(item)
  return make('li', { class: `message ${item.from}` }, by, body)
}

function bubble(item) {
  const quote = item.quote ? make('div', { class: 'quote' }, `${item.quote.author}: ${item.quote.text}`) : null
  const files = item.files.map((name) => make('div', { class: 'file' }, `File: ${name}`))
  return make('div', { class: 'bubble' }, quote, ...rich(item.parts), ...files)
}

function answerTo(item) {
  const start = () => {
    quoteInForm(item)
    byId('text').focus()
  }
  const attributes = { type: 'button', class: 'quiet answer-to', 'data-focus': `answer-to-${item.id}`, onclick: start }
  return make('button', { ...attributes, 'aria-label': `Reply to ${item.author}: ${item.text}` }, 'Reply')
}

function quoteInForm(item) {
  seen.replyTo = item?.id ?? null
  byId('quoted').hidden = !item
  byId('quoted').firstElementChild.textContent = item ? `Reply to ${item.author}: ${item.text}` : ''
}

function showTalk(state) {
  const talk = state.open
  byId('title').textContent = talk ? talk.title : 'No chat yet'
  byId('about').textContent = talk ? talk.about : 'Chats appear here as soon as there are any.'
  byId('reply').hidden = !talk?.answerable && !talk?.writable
  byId('reply').dataset.action = talk?.answerable ? 'reply' : talk?.writable ? 'say' : ''
  byId('prompt').textContent = talk?.answerable ? 'Answer as operator' : 'Write a message'
  const list = byId('messages')
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60
  const another = list.dataset.chat !== String(talk?.id)
  if (another) quoteInForm(null)
  const items = talk?.messages.length ? talk.messages : [{ id: 'none' }]
  const build = (item) => (item.from ? message(item) : make('li', { class: 'none' }, 'No messages yet'))
  const changed = fill(list, items, (item) => `${talk?.id}-${state.me}-${item.id}`, build)
  if (another || (changed && atEnd)) list.scrollTop = list.scrollHeight
  if (seen.sought) showSought(list)
  if (!another && changed) announce(talk)
  list.dataset.chat = String(talk?.id)
  list.dataset.last = String(talk?.messages.at(-1)?.id ?? '')
}

function showSought(list) {
  const item = [...list.children].find((node) => node.dataset.key?.endsWith(`-${seen.sought}`))
  if (!item) return
  seen.sought = null
  item.classList.add('sought')
  item.scrollIntoView({ block: 'center' })
}

function announce(talk) {
  const last = talk?.messages.at(-1)
  if (last && String(last.id) !== byId('messages').dataset.last && last.from !== 'mine') {
    say(`${last.author || 'The portal'}: ${last.text}`)
  }
}

// ---- the round ----

let round = 0

async function refresh() {
  const mine = ++round
  const query = new URLSearchParams({ user: seen.user, chat: seen.chat })
  try {
    const state = await ask(`/page/state?${query}`)
    if (mine !== round) return
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
  dropDrafts()
  quoteInForm(null)
  complain('')
  refresh()
})

byId('reply').addEventListener('submit', (event) => {
  event.preventDefault()
  const body = { chat: Number(seen.chat), text: byId('text').value, replyTo: seen.replyTo }
  const action = byId('reply').dataset.action
  byId('text').value = ''
  quoteInForm(null)
  act(action, body, action === 'reply' ? 'Your answer is sent.' : 'Your message is sent.')
})

byId('quoted').lastElementChild.addEventListener('click', () => quoteInForm(null))

async function run() {
  if (!document.hidden) await Promise.allSettled([refresh(), showFaults()])
  setTimeout(run, EVERY)
}

offerFaults()
run()
