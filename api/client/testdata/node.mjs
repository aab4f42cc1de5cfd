// Records and asks by the JavaScript client; prints what it got, a line of JSON each.
const [library, url] = process.argv.slice(2)
const { Ledger, Refusal, Unknown } = await import(library)
const say = (what, value) => console.log(JSON.stringify({ what, value }))

const ledger = new Ledger({ url, app: 'smartkey' })
const question = { subject: 'account:js', purpose: 'personalisation' }
const grant = { id: 'js-1', type: 'consent.given', subject: 'account:js', data: { act: 'agree-popup' } }
grant.time = new Date().toISOString()

say('first', await ledger.record(grant))
say('again', await ledger.record(grant))
say('allowed', await ledger.allowed(question))
say('prompt', await ledger.prompt('account:new-js', 'en'))
say('refused', await ledger.record({ ...grant, id: 'js-2', data: { act: 'no-such-act' } }).catch(e => ({ is: e instanceof Refusal, code: e.code, status: e.status })))

// The test cuts every connection while a header asks for it.
let down = true
const flaky = new Ledger({
  url, app: 'smartkey',
  fetch: (to, options) => fetch(to, down ? { ...options, headers: { ...options.headers, 'X-Cut': '1' } } : options),
})
say('unknown', await flaky.allowed({ ...question, subject: 'account:nobody' }))
const lost = await flaky.record({ type: 'consent.given', subject: 'account:js', data: { act: 'agree-popup' } }, { signal: AbortSignal.timeout(300) })
  .catch(e => ({ is: e instanceof Unknown, id: !!e.id }))
say('lost', lost)
const opting = flaky.record({ type: 'consent.withdrawn', subject: 'js', data: { all: true } })
say('opting out', await flaky.allowed(question))
down = false
await opting
say('opted out', await flaky.allowed(question))
