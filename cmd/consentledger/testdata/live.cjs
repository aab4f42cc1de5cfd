// live.cjs CHROMIUM URL [DIR]: looks at pages that stay new by themselves. It prints what is
// wrong, a line each, and "ready" when something is to be recorded: it then waits for a
// line on standard input for each of the records. With DIR it leaves pictures there.
const { chromium } = require('playwright-core')
const axe = require('axe-core')
const path = require('path')
const readline = require('readline')
const [executablePath, base, dir] = process.argv.slice(2)
const fault = (where, what) => console.log(`fault ${where}: ${what}`)
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]()

async function look(page, name) {
  await page.evaluate(axe.source)
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }))
  for (const v of found.violations) fault(name, `axe: ${v.id}: ${v.help}: ${v.nodes.length} times, as ${v.nodes[0].html.slice(0, 160)}`)
  const wide = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth])
  if (wide[0] > wide[1]) fault(name, `is ${wide[0]} wide, of ${wide[1]}`)
  if (dir) await page.screenshot({ path: path.join(dir, name + '.png'), fullPage: true })
}

// record lets the test record something of a type, and returns when it has.
async function record(what) {
  console.log('ready ' + what)
  await lines.next()
}

;(async () => {
  const browser = await chromium.launch({ executablePath, timeout: 120_000, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-dev-shm-usage'] })
  const looks = [
    { locale: 'en-GB', colorScheme: 'light', width: 1280 }, { locale: 'zh-CN', colorScheme: 'dark', width: 390 },
    { locale: 'en-GB', colorScheme: 'dark', width: 1280 }, { locale: 'zh-CN', colorScheme: 'light', width: 390 },
  ].slice(0, process.env.CONSENTLEDGER_ROUNDS ? 4 : 2)
  for (const { locale, colorScheme, width } of looks) {
    const where = `${locale}-${colorScheme}-${width}`
    const context = await browser.newContext({ locale, colorScheme, viewport: { width, height: 900 } })
    context.setDefaultTimeout(120_000) // on a busy machine half a minute is short
    const page = await context.newPage()
    page.on('console', m => { if (m.type() === 'error') fault(where, `says ${m.text()}`) })
    page.on('pageerror', e => fault(where, `fails with ${e}`))

    // What comes in appears without the page being loaded again. While the page only begins
    // to hear, it does not say that the server is away.
    await page.addInitScript(() => {
      window.said = []
      new MutationObserver(() => window.said.push(document.getElementById('live-state')?.textContent))
        .observe(document, { subtree: true, childList: true })
    })
    await page.goto(base + '/ui/intake?app=shop')
    await page.waitForFunction(() => document.getElementById('live-state').textContent === document.getElementById('live').dataset.fresh)
    if (await page.evaluate(() => window.said.includes(document.getElementById('live').dataset.away))) fault(where, 'says that the server is away')
    await page.evaluate(() => { window.sameAsBefore = true })
    await page.waitForSelector('#live:not([hidden])')
    const rows = () => page.locator('#part-tail tbody tr').count()
    let before = await rows()
    await record('withdrawal')
    await page.waitForFunction(n => document.querySelectorAll('#part-tail tbody tr').length > n, before)
    if (!await page.evaluate(() => window.sameAsBefore)) fault(where, 'was loaded again')
    await look(page, 'intake-live-' + where)

    // Paused it counts, and shows nothing.
    await page.click('#live button')
    before = await rows()
    const text = await page.innerText('#live-state')
    await record('withdrawal')
    await page.waitForFunction(was => document.getElementById('live-state').textContent !== was, text)
    if (await rows() !== before) fault(where, 'goes on while it is paused')
    if (await page.getAttribute('#live button', 'aria-pressed') !== 'true') fault(where, 'does not say that it is paused')
    await look(page, 'intake-paused-' + where)
    await page.click('#live button')
    await page.waitForFunction(n => document.querySelectorAll('#part-tail tbody tr').length > n, before)

    // A request that comes appears on Today and under Deadlines.
    for (const [to, part] of [['/ui/?app=shop', '#part-replies'], ['/ui/deadlines?app=shop&group=requests', '#part-list']]) {
      await page.goto(base + to)
      await page.evaluate(() => { window.sameAsBefore = true })
      const owed = await page.locator(part + ' tbody tr').count()
      await record('request')
      await page.waitForFunction(([part, n]) => document.querySelectorAll(part + ' tbody tr').length > n, [part, owed])
      if (!await page.evaluate(() => window.sameAsBefore)) fault(to, 'was loaded again')
      await look(page, (part === '#part-list' ? 'deadlines' : 'today') + '-live-' + where)
    }
    await context.close()

    // Without JavaScript the pages have all of it, and say nothing of what they cannot do.
    const plain = await browser.newContext({ locale, colorScheme, viewport: { width, height: 900 }, javaScriptEnabled: false })
    plain.setDefaultTimeout(120_000) // on a busy machine half a minute is short
    const still = await plain.newPage()
    for (const [to, part] of [['/ui/', '#part-replies'], ['/ui/deadlines', '#part-list'], ['/ui/intake', '#part-tail']]) {
      await still.goto(base + to + '?app=shop')
      if (await still.locator(part + ' tbody tr').count() === 0) fault(to, 'is empty without JavaScript')
      if (await still.locator('#live').isVisible()) fault(to, 'says without JavaScript that it stays new')
    }
    await plain.close()
  }

  // A script that somebody writes into a page does not run.
  const context = await browser.newContext()
  context.setDefaultTimeout(120_000) // on a busy machine half a minute is short
  const page = await context.newPage()
  await page.goto(base + '/ui/intake?app=shop')
  await page.evaluate(() => { const s = document.createElement('script'); s.textContent = 'window.ran = true'; document.body.append(s) })
  if (await page.evaluate(() => window.ran)) fault('policy', 'a script in the page runs')
  await browser.close()
  process.exit(0)
})().catch(e => { console.error(e); process.exit(1) })
