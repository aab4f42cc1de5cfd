// The consent ledger's client for Node and other servers. It has no dependencies.
//
//	import { Ledger } from '@consentledger/client'
//	const ledger = new Ledger({ url: 'https://consent.example.com', app: 'smartkey', key: process.env.CONSENTLEDGER_KEY })
//	await ledger.record({ type: 'consent.withdrawn', subject: 'account:17', data: { all: true } })
//	if ((await ledger.allowed({ subject: 'account:17', purpose: 'personalisation' })).allowed) { ... }
//
// When the ledger is down: record tries again with the same id until its signal is
// aborted, and then throws Unknown, which has the id; check throws; allowed answers
// "unknown", which is not allowed. An opt-out counts in this process from the moment that
// record is called with it until the ledger has it.

/** The ledger's answer to what it will never take. */
export class Refusal extends Error {
  constructor(problem) {
    super(`the ledger refused it (${problem.code}${problem.path ? ', ' + problem.path : ''}): ${problem.detail}`)
    this.name = 'Refusal'
    this.status = problem.status
    this.code = problem.code
    this.detail = problem.detail
    this.path = problem.path ?? ''
  }
}

/** An event may be recorded or not: record it again with the same id. */
export class Unknown extends Error {
  constructor(id, cause) {
    super(`it is not known whether event ${id} is recorded: ${cause?.message ?? cause}`, { cause })
    this.name = 'Unknown'
    this.id = id
  }
}

const optOuts = new Set(['consent.refused', 'consent.withdrawn', 'permission.denied', 'permission.revoked'])
const firstPause = 100
const longestPause = 10_000

// personOf returns the whole name of a person: '17' is 'account:17' for the ledger.
const personOf = (subject) => (String(subject).includes(':') ? subject : `account:${subject}`)

export class Ledger {
  #url; #app; #source; #key; #fetch; #patience
  #optingOut = new Map() // by person: opt-outs that the ledger may not have yet

  constructor({ url, app, source = '/' + app, key = '', fetch = globalThis.fetch, patience = 5000 }) {
    if (!/^[a-z0-9]{1,32}$/.test(app ?? '')) throw new TypeError("app must be the app's name in the ledger: 1 to 32 lower-case letters and digits")
    if (!/^https?:\/\/[^/?#@]+[^?#]*$/.test(url ?? '')) throw new TypeError('url must be the ledger\'s, as in https://consent.example.com')
    this.#url = `${url.replace(/\/+$/, '')}/v1/apps/${app}`
    this.#app = app
    this.#source = source
    this.#key = key
    this.#fetch = fetch
    this.#patience = patience
  }

  /** Records an event and returns the ledger's receipt. */
  async record(event, { signal } = {}) {
    const e = complete(event, this.#source)
    const optOut = optOuts.has(e.type), who = personOf(e.subject)
    if (optOut) this.#optingOut.set(who, (this.#optingOut.get(who) ?? 0) + 1)
    try {
      return await this.#persist(e, signal)
    } finally {
      const left = (this.#optingOut.get(who) ?? 1) - 1
      if (optOut) left ? this.#optingOut.set(who, left) : this.#optingOut.delete(who)
    }
  }

  async #persist(e, signal) {
    for (let pause = firstPause; ; pause = Math.min(2 * pause, longestPause)) {
      let after = 0, cause
      try {
        return await this.#once('/events', 'application/cloudevents+json', e, signal)
      } catch (err) {
        if (err instanceof Refusal) throw err
        cause = err
        after = err.after ?? 0
      }
      if (!(await wait(after + Math.random() * pause, signal))) throw new Unknown(e.id, cause)
    }
  }

  /** Asks: may this be done, now? Throws if there is no answer. */
  check(question, { signal } = {}) {
    return this.#once('/check', 'application/json', question, signal)
  }

  /** Is check for code that only wants to know whether to go on: it never throws. */
  async allowed(question, options) {
    if (this.#optingOut.has(personOf(question.subject))) return optedOut(question)
    let answer
    try {
      answer = await this.check(question, options)
    } catch {
      answer = { ...question, allowed: false, status: 'unknown', why: 'unknown', reason: 'The ledger did not answer, and what is not known is not allowed.', events: [] }
    }
    return this.#optingOut.has(personOf(question.subject)) ? optedOut(question) : answer
  }

  /** Asks what must be asked of a person, or shown to them, now. */
  prompt(subject, locale, { signal } = {}) {
    return this.#once('/subjects/prompt', 'application/json', locale ? { subject, locale } : { subject }, signal)
  }

  async #once(path, type, body, signal) {
    const headers = { 'Content-Type': type }
    if (this.#key) headers.Authorization = `Bearer ${this.#key}`
    const late = AbortSignal.timeout(this.#patience)
    const response = await this.#fetch(this.#url + path, {
      method: 'POST', headers, body: JSON.stringify(body), redirect: 'error',
      signal: signal ? AbortSignal.any([signal, late]) : late,
    })
    const text = await response.text()
    if (response.ok) return JSON.parse(text)
    let problem
    try { problem = JSON.parse(text) } catch { /* a proxy's page */ }
    if (response.status >= 500 || response.status === 429 || response.status === 408 || !problem?.code) {
      const err = new Error(`the ledger cannot answer now (status ${response.status})`)
      err.after = 1000 * Math.min(Number(response.headers.get('Retry-After')) || 0, 3600)
      throw err
    }
    throw new Refusal(problem)
  }
}

// complete returns an event with everything that sending it again must not change.
function complete(event, source) {
  if (!event?.type) throw new TypeError('an event has no type: name one, as in "consent.given"')
  return { specversion: '1.0', id: crypto.randomUUID(), source, time: new Date().toISOString(), ...event }
}

function optedOut(question) {
  return { ...question, allowed: false, status: 'withdrawn', why: 'said-here', reason: 'The person opted out here, and the ledger may not have it yet.', events: [] }
}

// wait resolves to false if the signal is aborted first.
function wait(ms, signal) {
  return new Promise(resolve => {
    if (signal?.aborted) return resolve(false)
    const stop = () => { clearTimeout(timer); resolve(false) }
    const timer = setTimeout(() => { signal?.removeEventListener('abort', stop); resolve(true) }, ms)
    signal?.addEventListener('abort', stop, { once: true })
  })
}
