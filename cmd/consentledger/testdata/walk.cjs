// walk.cjs CHROMIUM URL [DIR]: walks the dashboard's pages as an officer does, in both
// languages and themes, on a screen and on a telephone; with CONSENTLEDGER_ROUNDS each
// language in each theme. Prints what is wrong, a line each. With DIR it leaves a picture
// of each page there.
const { chromium } = require('playwright-core')
const axe = require('axe-core')
const path = require('path')
const [executablePath, base, dir] = process.argv.slice(2)
const fault = (where, what) => console.log(`${where}: ${what}`)

const looks = [
  { locale: 'en-GB', colorScheme: 'light', width: 1280 }, { locale: 'zh-CN', colorScheme: 'dark', width: 390 },
  { locale: 'en-GB', colorScheme: 'dark', width: 390 }, { locale: 'zh-CN', colorScheme: 'light', width: 1280 },
].slice(0, process.env.CONSENTLEDGER_ROUNDS ? 4 : 2)

async function look(page, name, { locale, colorScheme, width }) {
  const where = `${name} ${locale} ${colorScheme} ${width}`
  const lang = await page.getAttribute('html', 'lang')
  if (lang !== (locale === 'zh-CN' ? 'zh-CN' : 'en')) fault(where, `is in ${lang}`)
  const wide = await page.evaluate(() => document.documentElement.scrollWidth)
  if (wide > width) fault(where, `is ${wide} wide`)
  const text = await page.innerText('body')
  const key = text.match(/\b(page|col|state|kind|type|lane|today|status|reason|problem|case|step|actor|filter|system|person)\.[a-z][a-z-]*/)
  if (key) fault(where, `shows the name of a text, ${key[0]}`)
  if (/%!|<no value>|\bnull\b/.test(text)) fault(where, 'shows what a template could not write')
  await page.evaluate(axe.source)
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }))
  for (const v of found.violations) fault(where, `axe: ${v.id}: ${v.help}: ${v.nodes.length} times, as ${v.nodes[0].html.slice(0, 160)}`)
  if (dir) await page.screenshot({ path: path.join(dir, where.replaceAll(' ', '-') + '.png'), fullPage: true })
}

;(async () => {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-dev-shm-usage'] })
  for (const one of looks) {
    const { locale, colorScheme, width } = one
    const context = await browser.newContext({ locale, colorScheme, viewport: { width, height: 900 } })
    const page = await context.newPage()
    page.on('request', r => { if (!r.url().startsWith(base + '/')) fault(page.url(), `asks ${r.url()}`) })
    page.on('console', m => { if (m.type() === 'error' && !m.text().includes('404')) fault(page.url(), `says ${m.text()}`) })
    const open = async (to, name, status = 200) => {
      const response = await page.goto(base + to)
      if (response.status() !== status) fault(to, `answers ${response.status()}, want ${status}`)
      await look(page, name, one)
    }

    await open('/ui/', 'today')
    await page.click('header nav a[href*="/ui/deadlines"]')
    await look(page, 'deadlines', one)
    await page.selectOption('#state', 'overdue')
    await page.click('.filters button')
    if (!page.url().includes('state=overdue')) fault(page.url(), 'the filter is not in the address')
    const states = await page.locator('tbody .state').evaluateAll(all => all.map(e => e.className))
    if (states.length === 0 || states.some(s => s !== 'state overdue')) fault(page.url(), `shows ${states}`)
    for (const format of ['csv', 'xlsx', 'ics']) {
      const href = await page.getAttribute(`.files a[href*="format=${format}"]`, 'href')
      const answer = await page.request.get(base + href)
      if (answer.status() !== 200 || (await answer.body()).length < 50) fault(href, `answers ${answer.status()}`)
    }
    await page.goto(base + '/ui/deadlines?group=requests&state=overdue')
    await page.click('tbody a')
    await look(page, 'request', one)
    await page.goto(base + '/ui/')
    await page.click('.lights a[href*="incidents/"]')
    await look(page, 'incident', one)

    await open('/ui/consents', 'consents')
    if (await page.locator('.chart rect').count() === 0) fault('consents', 'has no chart')
    await open('/ui/policies', 'policies')
    await open('/ui/system', 'system')
    await open('/ui/person', 'person')
    await page.fill('#subject', 'user-2')
    await page.selectOption('#reason', 'audit')
    await page.fill('#by', '张 O\u2019Brien')
    await page.click('.filters button')
    if (page.url().includes('user-2')) fault(page.url(), 'a person stands in the address')
    await look(page, 'person-found', one)
    if (!(await page.innerText('main')).includes('consent.withdrawn')) fault('person', 'the history is not shown')
    await page.fill('#subject', 'nobody-of-this-name')
    await page.click('.filters button')
    await look(page, 'person-unknown', one)
    await open('/ui/nowhere', 'lost', 404)
    await open('/ui/?app=nosuchapp', 'no-such-app', 404)

    // The other language, and it stays.
    await page.goto(base + '/ui/')
    const other = locale === 'zh-CN' ? 'en' : 'zh-CN'
    await page.click(`.langs a[lang="${other}"]`)
    await page.goto(base + '/ui/consents')
    if (await page.getAttribute('html', 'lang') !== other) fault('languages', `${other} was chosen and is not kept`)
    await context.close()
  }
  await browser.close()
})().catch(e => { console.error(e); process.exit(1) })
