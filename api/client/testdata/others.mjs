// One browser, two persons: what the first said while their token was over waits while the
// second is signed in, and is sent with the first one's next token.
const [library, url] = process.argv.slice(2)
const say = (what, value) => console.log(JSON.stringify({ what, value }))

const items = new Map()
globalThis.localStorage = {
  getItem: k => items.get(k) ?? null, setItem: (k, v) => items.set(k, v), removeItem: k => items.delete(k),
  get length() { return items.size }, key: i => [...items.keys()][i],
}
globalThis.addEventListener = () => {}

const { recorder } = await import(library)
const withdrawn = subject => ({ type: 'consent.withdrawn', subject, data: { all: true } })
const page = token => recorder({ url, app: 'shop', token })

items.set('consentledger.event.shop.1.a', JSON.stringify({ id: 'a', ...withdrawn('account:ada') })) // an earlier page of hers
await page('account:bob')(withdrawn('account:bob'))
say('waiting', [...items.keys()])
say('wrong person', await page('account:bob')(withdrawn('account:eve')).catch(p => p.code))
await page('account:ada')(withdrawn('account:ada'))
say('left', [...items.keys()])
