// Runs the official JavaScript SDK against a portal that is described on standard
// input, and prints as JSON what the SDK made of each reply.

import { readFileSync } from 'node:fs'
import { B24Hook, B24OAuth, ParamsFactory } from '@bitrix24/b24jssdk'

const portal = JSON.parse(readFileSync(0, 'utf8'))
const seen = {}

const options = { restrictionParams: { ...ParamsFactory.getRealtime(), rateLimit: { burstLimit: 250, drainRate: 5, adaptiveEnabled: false } } }
const hook = B24Hook.fromWebhookUrl(portal.webhook, options)

function application(pair) {
  const expires = Math.floor(Date.now() / 1000) + 3600
  const b24 = new B24OAuth(
    {
      applicationToken: 'unused',
      userId: 1,
      memberId: 'member',
      accessToken: pair.access_token,
      refreshToken: pair.refresh_token,
      expires,
      expiresIn: 3600,
      scope: 'vote,im,imopenlines',
      domain: new URL(portal.url).host,
      clientEndpoint: `${portal.url}/rest/`,
      serverEndpoint: `${portal.url}/rest/`,
      status: 'L'
    },
    { clientId: portal.client_id, clientSecret: portal.client_secret },
    options
  )
  b24.offClientSideWarning()
  return b24
}

function shown(reply) {
  if (!reply.isSuccess) {
    const [error] = [...reply.getErrors()]
    return { ok: false, code: error.code, status: error.status, message: error.message }
  }
  return { ok: true, result: reply.getData().result, total: reply.getTotal(), more: reply.isMore() }
}

function failed(error) {
  return { ok: false, code: error.code, status: error.status, message: error.message }
}

async function call(name, b24, method, params) {
  seen[name] = await b24.actions.v2.call.make({ method, params }).then(shown, failed)
  return seen[name].result
}

async function batch(name, b24, calls) {
  const reply = await b24.actions.v2.batch.make({ calls, options: { isHaltOnError: false, returnAjaxResult: true } })
  const items = Object.entries(reply.getData()).map(([key, item]) => [key, shown(item)])
  seen[name] = Object.fromEntries(items)
}

async function polls() {
  const ask = (options) => ({
    chatId: portal.chat,
    IM_MESSAGE_VOTE_DATA: {
      ANONYMITY: 1,
      OPTIONS: options,
      QUESTIONS: [{ QUESTION: 'Deploy?', FIELD_TYPE: 0, ANSWERS: [{ MESSAGE: 'Yes' }, { MESSAGE: 'No' }] }]
    }
  })
  const sent = await call('send', hook, 'vote.Integration.Im.send', ask(1))
  const kind = { moduleId: 'im', entityType: 'Bitrix\\Vote\\Attachment\\ImMessageConnector' }
  const where = { ...kind, entityId: sent.messageId }
  const read = await call('get', hook, 'vote.AttachedVote.get', where)
  const [question] = Object.keys(read.attach.QUESTIONS)
  const [yes] = Object.keys(read.attach.QUESTIONS[question].ANSWERS)
  await call('vote', hook, 'vote.AttachedVote.vote', { ...where, ballot: { [question]: [yes] } })
  await call('getMany', hook, 'vote.AttachedVote.getMany', { ...kind, entityIds: [sent.messageId] })
  await call('getManyUnknown', hook, 'vote.AttachedVote.getMany', { ...kind, entityIds: [sent.messageId, 1] })
  await call('getWithVoted', hook, 'vote.AttachedVote.getWithVoted', where)
  await call('getAnswerVoted', hook, 'vote.AttachedVote.getAnswerVoted', { ...where, answerId: yes })
  await call('badBallot', hook, 'vote.AttachedVote.vote', { ...where, ballot: { [question]: ['1'] } })
  await call('recall', hook, 'vote.AttachedVote.recall', where)
  await call('stop', hook, 'vote.AttachedVote.stop', where)
  await call('stopped', hook, 'vote.AttachedVote.get', where)
  await call('resume', hook, 'vote.AttachedVote.resume', where)
  await call('download', hook, 'vote.AttachedVote.download', where)
  await call('unknown', hook, 'vote.AttachedVote.get', { attachId: 1 })
  await call('noMethod', hook, 'vote.AttachedVote.paint', where)
  await batch('batch', hook, {
    good: { method: 'vote.AttachedVote.get', params: where },
    bad: { method: 'vote.AttachedVote.get', params: { attachId: 1 } }
  })
  await batch('batchList', hook, [
    ['im.dialog.get', { DIALOG_ID: `chat${portal.chat}` }],
    ['im.message.add', { DIALOG_ID: `chat${portal.chat}`, MESSAGE: 'a & b = c' }]
  ])
}

async function chats() {
  const chat = await call('chatAdd', hook, 'im.chat.add', { TITLE: 'Nightly', USERS: [2, 3] })
  const id = `chat${chat}`
  const message = await call('messageAdd', hook, 'im.message.add', { DIALOG_ID: id, MESSAGE: 'Loaded' })
  await call('messages', hook, 'im.dialog.messages.get', { DIALOG_ID: id })
  await call('search', hook, 'im.search.chat.list', { FIND: 'Nightly' })
  await call('recent', hook, 'im.recent.list', {})
  await call('messageDelete', hook, 'im.message.delete', { MESSAGE_ID: message })
}

async function lines(b24) {
  const CONNECTOR = 'js_conn'
  const LINE = portal.line
  const row = (id, text) => ({
    user: { id: 'u42', name: 'Air', last_name: 'Flow' },
    message: { id, date: 1760000000, text },
    chat: { id: 'dag-x', name: 'dag x', url: 'https://af.example/dags/x' }
  })
  const ICON = { DATA_IMAGE: 'data:image/svg+xml,%3Csvg%2F%3E' }
  const PLACEMENT_HANDLER = 'https://127.0.0.1/settings'
  await call('webhookRefused', hook, 'imconnector.list', {})
  await call('register', b24, 'imconnector.register', { ID: CONNECTOR, NAME: 'JS', ICON, PLACEMENT_HANDLER })
  await call('registerNoIcon', b24, 'imconnector.register', { ID: CONNECTOR, NAME: 'JS', PLACEMENT_HANDLER })
  await call('notActive', b24, 'imconnector.send.messages', { CONNECTOR, LINE, MESSAGES: [row('a', 'hello')] })
  await call('activate', b24, 'imconnector.activate', { CONNECTOR, LINE, ACTIVE: 1 })
  await call('status', b24, 'imconnector.status', { CONNECTOR, LINE })
  await call('dataSet', b24, 'imconnector.connector.data.set', { CONNECTOR, LINE, DATA: { NAME: 'JS' } })
  await call('list', b24, 'imconnector.list', {})
  await call('sendMessages', b24, 'imconnector.send.messages', { CONNECTOR, LINE, MESSAGES: [row('a', 'hello'), row('b', '')] })
  await call('updateMessages', b24, 'imconnector.update.messages', { CONNECTOR, LINE, MESSAGES: [row('a', 'hello again')] })
  await call('chatName', b24, 'imconnector.chat.name.set', { CONNECTOR, LINE, CHAT_ID: 'dag-x', NAME: 'Night', USER_ID: 'u42' })
  await batch('lineBatch', b24, {
    send: { method: 'imconnector.send.messages', params: { CONNECTOR, LINE, MESSAGES: [row('c', 'in a batch')] } },
    bad: { method: 'imconnector.register', params: { ID: 'a.b' } }
  })
  const receipts = [{ im: { chat_id: portal.answer.chat, message_id: portal.answer.message }, message: { id: ['out-1'] }, chat: { id: 'dag-x' } }]
  await call('delivered', b24, 'imconnector.send.status.delivery', { CONNECTOR, LINE, MESSAGES: receipts })
  await call('read', b24, 'imconnector.send.status.reading', { CONNECTOR, LINE, MESSAGES: receipts })
  await call('setError', b24, 'imconnector.set.error', { CONNECTOR, LINE })
  await call('broken', b24, 'imconnector.status', { CONNECTOR, LINE })
  await call('activateN', b24, 'imconnector.activate', { CONNECTOR, LINE, ACTIVE: 'N' })
  await call('activeByN', b24, 'imconnector.status', { CONNECTOR, LINE })
  await call('optionSet', b24, 'user.option.set', { options: { airflow_connector_js: 'digest' } })
  await call('optionGet', b24, 'user.option.get', { option: 'airflow_connector_js' })
  await call('optionNone', b24, 'user.option.get', { option: 'other' })
  await call('optionWebhook', hook, 'user.option.get', {})
  await call('deleteMessages', b24, 'imconnector.delete.messages', { CONNECTOR, LINE, MESSAGES: [row('a', 'x')] })
  await call('configs', b24, 'imopenlines.config.list.get', {})
  await call('configPage', b24, 'imopenlines.config.list.get', { PARAMS: { select: ['ID'], order: { ID: 'ASC' }, limit: 1, offset: 0 } })
  await call('configWrong', b24, 'imopenlines.config.list.get', { PARAMS: { title: 'x' } })
  await call('config', b24, 'imopenlines.config.get', { CONFIG_ID: LINE, WITH_QUEUE: 'N' })
  await call('deactivate', b24, 'imconnector.activate', { CONNECTOR, LINE, ACTIVE: 0 })
  await call('deactivateAgain', b24, 'imconnector.activate', { CONNECTOR, LINE, ACTIVE: 0 })
  await call('unregister', b24, 'imconnector.unregister', { ID: CONNECTOR })
  const CRM = { CRM_ENTITY_TYPE: 'deal', CRM_ENTITY: 288 }
  const [chat] = await call('crmChats', hook, 'imopenlines.crm.chat.get', CRM)
  await call('crmMessage', hook, 'imopenlines.crm.message.add', { ...CRM, USER_ID: 2, CHAT_ID: chat.CHAT_ID, MESSAGE: 'Paid' })
  await call('lastChat', hook, 'imopenlines.crm.chat.getLastId', CRM)
  await call('history', hook, 'imopenlines.session.history.get', { CHAT_ID: chat.CHAT_ID })
  await call('noHistory', hook, 'imopenlines.session.history.get', {})
  await call('dialog', hook, 'imopenlines.dialog.get', { CHAT_ID: chat.CHAT_ID })
  await call('crmMissing', hook, 'imopenlines.crm.message.add', { ...CRM, USER_ID: 2, MESSAGE: 'Paid' })
}

async function events(b24) {
  const event = 'ONCRMDEALUPDATE'
  await call('eventsRefused', hook, 'event.offline.get', {})
  await call('events', b24, 'events', { SCOPE: 'imopenlines' })
  await call('bind', b24, 'event.bind', { event, event_type: 'offline' })
  await call('bound', b24, 'event.get', {})
  await fetch(`${portal.url}/emulator/events`, { method: 'POST', body: JSON.stringify({ event, data: { FIELDS: { ID: '288' } } }) })
  const batch = await call('reserve', b24, 'event.offline.get', { clear: 0, filter: { '=EVENT_NAME': event } })
  await call('queue', b24, 'event.offline.list', { filter: { ERROR: 0 }, order: { ID: 'DESC' } })
  await call('clear', b24, 'event.offline.clear', { process_id: batch.process_id, id: [batch.events[0].ID] })
  await call('emptied', b24, 'event.offline.list', {})
  await call('eventError', b24, 'event.offline.error', { process_id: batch.process_id, message_id: [batch.events[0].MESSAGE_ID] })
  await call('unbind', b24, 'event.unbind', { event, event_type: 'offline' })
}

async function refresh() {
  const stale = application(portal.expired)
  stale.setCallbackRefreshAuth(async ({ b24OAuthParams }) => {
    seen.renewed = { client: b24OAuthParams.clientEndpoint, status: b24OAuthParams.status, expires: b24OAuthParams.expires }
  })
  await call('refreshed', stale, 'user.current', {})
  const twin = application(portal.expired)
  await call('usedTwice', twin, 'user.current', {})
}

await polls()
await chats()
await lines(application(portal))
await events(application(portal))
await refresh()
process.stdout.write(JSON.stringify(seen))
