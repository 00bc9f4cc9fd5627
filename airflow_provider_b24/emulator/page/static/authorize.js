// A person allows the application; the browser then goes to the application's address with a code.

import { ask, byId, complain, make } from './dom.js'

const query = new URLSearchParams(location.search)
const clientId = query.get('client_id') ?? ''

async function allow() {
  byId('allow').disabled = true
  try {
    const asked = { user: byId('user').value, client_id: clientId, state: query.get('state') }
    const answer = await ask('/page/allow', asked)
    complain('')
    if (answer.location) {
      location.assign(answer.location)
      return
    }
    byId('given').textContent = answer.code
    byId('code').hidden = false
  } catch (error) {
    complain(error.message)
  }
  byId('allow').disabled = false
}

async function show() {
  try {
    const application = await ask(`/page/application?${new URLSearchParams({ client_id: clientId })}`)
    byId('name').textContent = application.name
    byId('scopes').textContent = application.scopes.join(', ')
    byId('user').append(...application.users.map((user) => make('option', { value: user.id }, user.name)))
    byId('question').hidden = false
  } catch (error) {
    complain(error.message)
  }
}

byId('allow').addEventListener('click', allow)
show()
