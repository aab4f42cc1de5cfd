// Records what a person says in a browser, and loses nothing when the page closes or the
// network is away: an event lies in localStorage until the ledger has it, and is sent
// again with the same id.
//
//   import { recorder, anonymous } from '@consentledger/client/browser'
//   const record = recorder({ url: '/consent', app: 'smartkey' })
//   record({ type: 'consent.given', subject: anonymous(), data: { act: 'agree-popup' } })

const place = 'consentledger.'

// Where storage is forbidden a closed page loses what waits. Each event has an item of
// its own: several tabs share the storage and overwrite nothing of each other's.
const store = (() => {
  try {
    localStorage.setItem(place, '')
    localStorage.removeItem(place)
    return localStorage
  } catch {
    const items = new Map()
    return {
      getItem: k => items.get(k) ?? null, setItem: (k, v) => items.set(k, v), removeItem: k => items.delete(k),
      get length() { return items.size }, key: i => [...items.keys()][i],
    }
  }
})()

/** A random id for who has no account. It is made when it is first asked for: ask when
 * something is recorded, not when the page loads. */
export function anonymous() {
  let id = store.getItem(place + 'id')
  if (!id) store.setItem(place + 'id', id = 'device:' + crypto.randomUUID())
  return id
}

/** Returns a function that records an event; its promise is of the ledger's receipt. */
export function recorder({ url, app, source = '/' + app, token = '', failed = console.error }) {
  const to = `${url.replace(/\/+$/, '')}/v1/apps/${app}/events`
  const type = 'application/cloudevents+json'
  const prefix = `${place}event.${app}.`
  const asked = new Map() // by item: whoever waits for the receipt
  const others = new Set() // items of another person: they wait for a token of theirs
  let last = 0, pause = 500, sending

  // The items that wait, oldest first.
  const waiting = () => Array.from({ length: store.length }, (_, i) => store.key(i)).filter(k => k?.startsWith(prefix) && !others.has(k)).sort()

  async function send() {
    for (let item; (item = waiting()[0]);) {
      const body = store.getItem(item)
      if (!body) continue // another tab was quicker
      const headers = { 'Content-Type': type }
      if (token) headers.Authorization = 'Bearer ' + token
      const response = await fetch(to, { method: 'POST', headers, body, keepalive: true, redirect: 'error' })
      const answer = await response.json()
      // A token that is over makes no event wrong: it waits for the next one.
      if (!response.ok && (response.status === 401 || answer.outcome !== 'refused')) throw new Error('status ' + response.status)
      if (token && answer.code === 'forbidden' && !asked.has(item)) {
        others.add(item)
        continue
      }
      store.removeItem(item)
      pause = 500
      const [resolve, reject] = asked.get(item) ?? [() => {}, failed]
      asked.delete(item)
      response.ok ? resolve(answer) : reject(answer)
    }
  }

  // One at a time, so that a person's events keep their order.
  function start() {
    sending ??= send().then(() => { sending = undefined }, () => {
      sending = undefined
      setTimeout(start, (pause = Math.min(2 * pause, 60_000)))
    })
  }

  // What waits when the page goes is sent once more, without waiting for an answer: it is
  // the same id, and stays here until an answer came.
  addEventListener('pagehide', () => {
    if (!token) for (const item of waiting()) navigator.sendBeacon(to, new Blob([store.getItem(item)], { type }))
  })
  addEventListener('online', start)
  start()

  return event => new Promise((resolve, reject) => {
    const e = { specversion: '1.0', id: crypto.randomUUID(), source, time: new Date().toISOString(), ...event }
    last = Math.max(last + 1, Date.now())
    const item = `${prefix}${last}.${e.id}`
    asked.set(item, [resolve, reject])
    store.setItem(item, JSON.stringify(e))
    start()
  })
}
