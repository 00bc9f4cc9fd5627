// Elements, what is told to a person, and requests to the portal.
// Texts of people go into the document as text only, never as markup.

export const byId = (id) => document.getElementById(id)

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value)
    else if (value === true) element.setAttribute(name, '')
    else if (value !== false && value !== null) element.setAttribute(name, value)
  }
  element.append(...children.filter((child) => child !== null))
  return element
}

// The parts of a message: texts, and objects with a tag that the portal has checked.
export function rich(parts) {
  return parts.map((part) => (typeof part === 'string' ? part : element(part)))
}

function element(part) {
  const inside = rich(part.in)
  if (part.tag === 'url') {
    return make('a', { href: part.href, target: '_blank', rel: 'noopener noreferrer' }, ...inside)
  }
  if (part.tag === 'quote') {
    const author = part.author ? make('b', { class: 'author' }, part.author) : null
    return make('blockquote', {}, author, ...inside)
  }
  if (part.tag === 'user') return make('span', { class: 'mention' }, ...inside)
  return make(part.tag, {}, ...inside)
}

// Keeps the nodes whose content is unchanged, so that focus and scrolling survive a refresh.
export function fill(parent, items, key, build) {
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

export function say(text) {
  byId('news').textContent = text
}

export function complain(text) {
  const problem = byId('problem')
  problem.textContent = text
  problem.hidden = !text
}

export async function ask(path, body) {
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
