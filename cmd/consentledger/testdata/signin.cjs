// signin.cjs CHROMIUM URL LINK [DIR]: signs in and out in a real browser: by the link of
// the first administrator, by a key and at the identity provider, in both languages and
// themes, and without JavaScript. The ledger is reached under another site than the
// provider. Prints what is wrong, a line each.
const { chromium } = require('playwright-core')
const axe = require('axe-core')
const path = require('path')
const [executablePath, base, link, dir] = process.argv.slice(2)
const fault = (where, what) => console.log(`${where}: ${what}`)

async function look(page, name, { locale, colorScheme, width }) {
  const where = `${name} ${locale} ${colorScheme} ${width}`
  await page.waitForLoadState('load') // a click ends before the style is there
  const lang = await page.getAttribute('html', 'lang')
  if (lang !== (locale === 'zh-CN' ? 'zh-CN' : 'en')) fault(where, `is in ${lang}`)
  const wide = await page.evaluate(() => document.documentElement.scrollWidth)
  if (wide > width) fault(where, `is ${wide} wide`)
  const text = await page.innerText('body')
  const key = text.match(/\b(page|sign-in|signed-in|setup|first-key|me|sessions|operation|way|oauth|problem|open)\.[a-z][a-z-]*/)
  if (key) fault(where, `shows the name of a text, ${key[0]}`)
  if (/%!|<no value>|ZgotmplZ/.test(text)) fault(where, 'shows what a template could not write')
  await page.evaluate(axe.source)
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }))
  for (const v of found.violations) fault(where, `axe: ${v.id}: ${v.help}: ${v.nodes.length} times, as ${v.nodes[0].html.slice(0, 160)}`)
  if (dir) await page.screenshot({ path: path.join(dir, where.replaceAll(' ', '-') + '.png'), fullPage: true })
}

const at = page => new URL(page.url()).pathname

async function signInBy(page, key) {
  await page.fill('#key', key)
  await page.click('main form button')
}

async function walk(browser, one, key) {
  const context = await browser.newContext({ locale: one.locale, colorScheme: one.colorScheme, viewport: { width: one.width, height: 900 } })
  context.setDefaultTimeout(120_000) // on a busy machine half a minute is short
  const page = await context.newPage()
  page.on('request', r => { if (!r.url().startsWith(base + '/') && !r.url().includes('/oidc/')) fault(page.url(), `asks ${r.url()}`) })
  page.on('console', m => { if (m.type() === 'error' && !/4(0\d|10|22)/.test(m.text())) fault(page.url(), `says ${m.text()}`) })

  // The link of the first administrator: it works once.
  const first = await page.goto(link)
  await look(page, 'link', one)
  if (key === '') {
    if (first.status() !== 200) fault('link', `answers ${first.status()}`)
    await page.click('main form button')
    if (at(page) !== '/ui/first-key') fault(page.url(), 'is not the page of the first key')
    await look(page, 'first-key', one)
    await page.fill('#name', 'ann')
    await page.click('main form button')
    await look(page, 'first-key-made', one)
    key = await page.innerText('.secret')
    if (!/^clk_[a-z2-7]{12}_[a-z2-7]{52}[0-9a-f]{8}$/.test(key)) fault('first-key', 'shows no key')
    await page.click('.who button')
  } else if (first.status() !== 410) fault('link', `answers ${first.status()} when it is used up`)

  // A key, after one that is none.
  await page.goto(base + '/ui/me')
  if (at(page) !== '/ui/sign-in') fault(page.url(), 'is not where somebody signs in')
  await look(page, 'sign-in', one)
  await signInBy(page, 'clk_nothing')
  if (await page.locator('[role=alert]').count() !== 1) fault('sign-in', 'does not say what is wrong with a key')
  await look(page, 'sign-in-wrong', one)
  await signInBy(page, key)
  if (at(page) !== '/ui/me') fault(page.url(), 'is not the page that was asked for')
  await look(page, 'me', one)
  const cookies = (await context.cookies()).filter(c => c.name.includes('session'))
  if (cookies.length !== 1 || !cookies[0].httpOnly || cookies[0].sameSite !== 'Strict' || cookies[0].expires !== -1) fault('cookie', JSON.stringify(cookies))
  if (await page.evaluate(() => document.cookie.includes('session'))) fault('cookie', 'a script sees it')
  await page.goto(base + '/ui/sessions')
  await look(page, 'sessions', one)
  if (await page.locator('tbody tr').count() < 1) fault('sessions', 'does not show this one')

  // A page of another site cannot sign its visitor out.
  const foreign = await context.newPage()
  await foreign.setContent(`<form method="post" action="${base}/ui/sign-out"><input name="all" value="1"><button>x</button></form>`)
  const [answer] = await Promise.all([foreign.waitForResponse(r => r.url().endsWith('/ui/sign-out')), foreign.click('button')])
  if (answer.status() !== 403) fault('foreign', `is answered ${answer.status()}`)
  await foreign.goto('about:blank')
  await page.goto(base + '/ui/me')
  if (at(page) !== '/ui/me') fault('foreign', 'has signed somebody out')
  await page.click('main form button')
  if (at(page) !== '/ui/sign-in') fault(page.url(), 'is where one is after signing out everywhere')
  await look(page, 'signed-out', one)

  // The identity provider, with what was asked for in mind.
  await page.goto(base + '/ui/policies?app=shop')
  await page.click('main a.button')
  await page.waitForURL(base + '/ui/policies?app=shop')
  await look(page, 'policies', one)
  if (await page.locator('.who').count() !== 1) fault('provider', 'has signed nobody in')
  await context.close()
  return key
}

// plain signs in at the provider and out again without JavaScript.
async function plain(browser) {
  const context = await browser.newContext({ javaScriptEnabled: false })
  context.setDefaultTimeout(120_000) // on a busy machine half a minute is short
  const page = await context.newPage()
  await page.goto(base + '/ui/me')
  await page.click('main a.button')
  await page.waitForURL(base + '/ui/me')
  await page.click('.who button')
  if (at(page) !== '/ui/sign-in') fault('without JavaScript', `signing out leads to ${page.url()}`)
  await page.goto(base + '/ui/me')
  if (at(page) !== '/ui/sign-in') fault('without JavaScript', 'somebody is still signed in')
  await context.close()
}

;(async () => {
  const browser = await chromium.launch({ executablePath, timeout: 120_000, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-dev-shm-usage'] })
  const key = await walk(browser, { locale: 'en-GB', colorScheme: 'light', width: 1280 }, '')
  await walk(browser, { locale: 'zh-CN', colorScheme: 'dark', width: 390 }, key)
  await plain(browser)
  await browser.close()
})().catch(e => { console.error(e); process.exit(1) })
