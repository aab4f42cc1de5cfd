// Opens pages that record, in a real browser; prints what they got, a line of JSON each.
const { chromium } = require('playwright-core')
const [browserPath, site] = process.argv.slice(2)
const say = (what, value) => console.log(JSON.stringify({ what, value }))
const cut = on => fetch(site + '/cut', { method: 'POST', body: on ? '1' : '' })
const deaf = () => fetch(site + '/deaf', { method: 'POST' })

;(async () => {
  const browser = await chromium.launch({ executablePath: browserPath, timeout: 120_000, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-dev-shm-usage'] })
  const context = await browser.newContext()
  context.setDefaultTimeout(120_000) // on a busy machine half a minute is short
  const open = async () => {
    const page = await context.newPage()
    page.on('pageerror', e => say('page error', String(e)))
    await page.goto(site + '/')
    await page.waitForFunction(() => window.ready)
    return page
  }

  let page = await open()
  say('stored before', await page.evaluate(() => localStorage.length))
  say('grant', await page.evaluate(() => record({ type: 'consent.given', subject: anonymous(), data: { act: 'agree-popup' } })))
  say('refused', await page.evaluate(() => record({ type: 'consent.given', subject: anonymous(), data: { act: 'no-such-act' } }).catch(p => p.code)))
  const subject = await page.evaluate(() => anonymous())
  say('subject', subject)

  // The network is away: the page closes, and the next one sends what waits.
  await cut(true)
  await page.evaluate(() => { record({ type: 'consent.withdrawn', subject: anonymous(), data: { purposes: ['personalisation'] } }) })
  await page.close({ runBeforeUnload: false })
  await cut(false)
  page = await open()
  await page.waitForFunction(() => Object.keys(localStorage).length === 1, undefined, { timeout: 120_000 }) // the anonymous id

  // Answers are lost, and the page is left: the beacon brings the event, and so does the
  // next page. It is one event.
  await deaf()
  await page.evaluate(() => { record({ type: 'consent.given', subject: anonymous(), data: { act: 'agree-popup' } }) })
  await page.goto('about:blank')
  page = await open()
  await page.waitForFunction(() => Object.keys(localStorage).length === 1, undefined, { timeout: 120_000 })
  say('same subject', (await page.evaluate(() => anonymous())) === subject)

  // Nothing but the beacon reaches the ledger: it brings the event when the page is left.
  const asked = async () => Number(await (await fetch(site + '/asked')).text())
  await page.evaluate(() => {
    window.fetch = () => Promise.reject(new Error('no network'))
    record({ type: 'consent.withdrawn', subject: anonymous(), data: { purposes: ['personalisation'] } })
  })
  const before = await asked()
  await page.goto('about:blank')
  for (const end = Date.now() + 120_000; (await asked()) === before && Date.now() < end;) await new Promise(r => setTimeout(r, 50))
  say('by beacon', (await asked()) - before)
  await browser.close()
})().catch(e => { console.error(e); process.exit(1) })
