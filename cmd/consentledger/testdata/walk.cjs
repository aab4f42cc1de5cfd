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

// loadAfterClicks makes a click end once the page that it leads to is there, its style too: else
// it ends when the first of it has come.
function loadAfterClicks(page) {
  for (const one of [page, Object.getPrototypeOf(page.locator('body'))]) {
    if (one.clicked) continue
    const click = one.clicked = one.click
    one.click = async function (...args) {
      await click.apply(this, args)
      await (this.page ? this.page() : this).waitForLoadState('load')
    }
  }
}

async function look(page, name, { locale, colorScheme, width }, paper = false) {
  const where = `${name} ${locale} ${colorScheme} ${width}`
  const lang = await page.getAttribute('html', 'lang')
  if (lang !== (locale === 'zh-CN' ? (paper ? 'zh' : 'zh-CN') : 'en')) fault(where, `is in ${lang}`)
  const wide = await page.evaluate(() => document.documentElement.scrollWidth)
  if (wide > width) {
    const beyond = await page.evaluate(width => [...document.querySelectorAll('body *')].filter(e =>
      !e.closest('.wide') && e.getBoundingClientRect().right + scrollX > width).map(e => e.outerHTML.slice(0, 200)), width)
    fault(where, `is ${wide} wide: ${beyond.slice(-3)}`)
  }
  const sideways = await page.evaluate(() => innerWidth > 640 ? [] : [...document.querySelectorAll('.stack')].filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.ariaLabel))
  if (sideways.length > 0) fault(where, `scrolls sideways in ${sideways}`)
  const text = await page.innerText('body')
  // Members of the API and what it answered are no texts of ours.
  const said = !name.startsWith('operation') ? text : await page.evaluate(() => {
    const all = document.body.cloneNode(true)
    all.querySelectorAll('code, pre, textarea, main [lang=en]').forEach(e => e.remove())
    return all.textContent
  })
  const key = said.match(/\b(page|col|state|kind|type|lane|today|status|reason|problem|case|step|field|choice|form|hint|refused|actor|filter|system|person|intake|audit|register|minors|retention|live|point|access|hook|file|band|then|policy|progress|consents|timeline|calendars|epoch|integrity|api|api-in|api-tag)\.[a-z][a-z-]*/)
  if (key && !paper) fault(where, `shows the name of a text, ${key[0]}`)
  if (/%!|<no value>|\bnull\b/.test(text)) fault(where, 'shows what a template could not write')
  await page.evaluate(axe.source)
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }))
  for (const v of found.violations) fault(where, `axe: ${v.id}: ${v.help}: ${v.nodes.length} times, as ${v.nodes[0].html.slice(0, 160)}`)
  if (dir) await page.screenshot({ path: path.join(dir, where.replaceAll(' ', '-') + '.png'), fullPage: true })
}

// forms answers one request, as an officer does who makes a mistake first. Each look answers
// another one, of those that are open.
async function forms(page, one) {
  const type = ['question', 'delete', 'complaint', 'question'][looks.indexOf(one)]
  await page.goto(base + '/ui/deadlines?group=requests&state=overdue,at-risk,open,paused&type=' + type)
  await page.locator('tbody a').last().click()
  const before = await page.locator('.next summary').allInnerTexts()
  if (before.length < 3) fault(page.url(), `offers ${before}`)
  await page.evaluate(() => document.querySelectorAll('.next details').forEach(d => { d.open = true }))
  await look(page, 'request-forms', one)

  // A rejection that the same page shows again, since it says too little.
  const reject = page.locator('form[id="request.rejected"]')
  await reject.locator('input[type=checkbox]').first().check()
  await reject.locator('[name="f.remedies_told"]').selectOption('yes')
  await reject.locator('[name="f.approved_by"]').fill('operator:ann')
  await reject.locator('button').click()
  const wrong = page.locator('details[open] .wrong')
  if (await wrong.count() !== 1) fault(page.url(), `says ${await wrong.count()} things of a rejection without reasons`)
  if (await page.locator('details[open] [aria-invalid="true"]').count() !== 1) fault(page.url(), 'does not say at which field')
  if (!await page.locator('details[open] input[type=checkbox]').first().isChecked()) fault(page.url(), 'forgets what was chosen')
  await look(page, 'request-wrong', one)

  const answer = page.locator('form[id="request.answered"]')
  await page.click('details:has(form[id="request.answered"]) summary')
  await answer.locator('[name="f.outcome"]').selectOption('full')
  await answer.locator('[name="f.channel"]').selectOption({ index: 1 })
  await answer.locator('button').click()
  if (!page.url().includes('done=request.answered')) fault(page.url(), 'was not led on after an answer')
  if (await page.locator('[role=status]').count() !== 1) fault(page.url(), 'does not say what was recorded')
  if (await page.locator('.state.answered').count() === 0) fault(page.url(), 'does not show that it is answered')
  if (await page.locator('form[id="request.answered"]').count() !== 0) fault(page.url(), 'offers an answer once more')
  await look(page, 'request-answered', one)
}

// intake sends a rejected message again, which stays rejected, and lets it rest.
async function intake(page, open, one) {
  await open(`/ui/intake?app=smartkey&as_of=${new Date(Date.now() - 864e5).toISOString().slice(0, 10)}`, 'intake-past')
  if (await page.locator('.past').count() !== 1 || await page.locator('.message form').count() !== 0) fault('intake', 'shows now on a day that is past')
  await open('/ui/intake', 'intake')
  const left = await page.locator('.message form').count()
  if (left === 0) { // the demo has two, which are handled in the first two looks
    if (looks.indexOf(one) < 2) fault('intake', 'has no rejected message left to handle')
    return
  }
  await page.locator('.message form button').first().click()
  if (await page.locator('.wrong').count() !== 1) fault('intake', 'does not say why a message is not taken')
  await look(page, 'intake-wrong', one)
  await page.locator('.message input[name=why]').first().fill('a trial of the sender')
  await page.locator('.message form.filters button').first().click()
  if (!page.url().includes('done=seen')) fault(page.url(), 'was not led on')
  if (await page.locator('.message form').count() !== left - 2) fault('intake', 'offers again what may rest')
}

// papers takes a register and the audit report, which are made to be printed.
async function papers(page, open, one) {
  await open('/ui/audit', 'audit')

  // Who looked at whom, and what left: each asks who wants to know, and why.
  for (const book of ['accesses', 'left']) {
    await page.goto(base + '/ui/audit')
    const form = page.locator(`form[action*="audit/${book}"]`)
    await form.locator('[name=reason]').selectOption('audit')
    await form.locator('[name=by]').fill('张 O\u2019Brien')
    await form.locator('button').click()
    if (await page.locator(`#${book} ~ .wide tbody tr`).count() === 0) fault('audit', `shows nothing under ${book}`)
    await look(page, 'audit-' + book, one)
  }

  // A file of somebody else, and a receipt of this ledger.
  const given = await (await page.request.get(base + '/v1/replay?app=smartkey&type=consent.given')).text()
  const receipt = await page.request.post(base + '/v1/apps/smartkey/receipts', { data: { event: JSON.parse(given.split('\n')[0]).event_id, reason: 'audit' } })
  if (receipt.status() !== 200) fault('receipt', `answers ${receipt.status()} ${await receipt.text()}`)
  const exported = await page.request.post(base + '/v1/apps/smartkey/export', { data: { reason: 'audit' } })
  if (exported.status() !== 200) fault('export', `answers ${exported.status()} ${await exported.text()}`)
  const bundle = await exported.body()
  const { surfaces } = await (await page.request.get(base + '/v1/apps/smartkey/surfaces')).json()
  const welcome = await page.request.get(base + '/v1/apps/smartkey/surfaces/' + surfaces.find(s => s.build === '5.3').id)
  const shot = (await welcome.json()).pictures[0].hash.slice('sha256:'.length)
  const changed = Buffer.from(bundle)
  changed[changed.indexOf('blobs/' + shot) + 'blobs/'.length + shot.length + 30] ^= 1
  for (const [name, buffer, sign, shown] of [
    ['receipt.json', await receipt.body(), '.done', false], ['bundle.zip', bundle, '.done', true],
    ['changed.zip', changed, '.wrong', true], ['other.json', Buffer.from('{"other":1}'), '.wrong', false],
  ]) {
    await page.goto(base + '/ui/audit')
    await page.setInputFiles('#file', { name, mimeType: 'application/octet-stream', buffer })
    await page.click('form[action*="audit/verify"] button')
    if (await page.locator(sign).count() !== 1) fault('audit', `does not say of ${name} what it is`)
    if (await page.locator('#file').count() !== 1) fault('audit', `offers no other file than ${name}`)
    const says = await page.locator('#verify ~ div').allInnerTexts()
    if (shown && !says.join().includes('welcome')) fault('audit', `does not say of ${name} which screen its picture is of: ${says}`)
    if (shown) await look(page, 'audit-verified-' + name.replace('.zip', ''), one)
  }

  await page.goto(base + '/ui/audit')
  await page.click('main ul a')
  await look(page, 'register', one, true)
  await page.goto(base + '/ui/audit')
  await page.selectOption('#reason', 'audit')
  await page.fill('#by', '张 O\u2019Brien')
  await page.click('.filters button')
  if (await page.locator('h2').count() < 10) fault('audit', 'shows no report')
  await look(page, 'audit-report', one, true)
}

// api reads the pages of the API, and sends a request as who looks: one that would be taken, and
// one that is refused.
async function api(page, open, one) {
  await open('/ui/api', 'api')
  if (await page.locator('.routes tbody tr').count() < 100) fault('api', 'does not list every operation')
  if (await page.getAttribute('html', 'lang') === 'zh-CN') {
    for (const id of await page.locator('tr:has(td.says[lang="en"]) th').allInnerTexts()) fault('api', `has no Chinese summary of ${id}`)
  }
  await page.click('.routes a[href*="/ui/api/record-events?"]')
  await page.evaluate(() => document.querySelectorAll('main details').forEach(d => { d.open = true }))
  await look(page, 'operation', one)
  await page.click('form.try button')
  if (!(await page.innerText('#answer pre')).includes('"dry_run": true')) fault('operation', 'does not show what was answered')
  await look(page, 'operation-answer', one)
  await page.fill('#body', '{}')
  await page.click('form.try button')
  if (await page.locator('#answer a[href^="/v1/errors/"]').count() !== 1) fault('operation', 'does not lead to what an error means')
  if (await page.inputValue('#body') !== '{}') fault('operation', 'forgets what was sent')
  await look(page, 'operation-wrong', one)
}

;(async () => {
  const browser = await chromium.launch({ executablePath, timeout: 120_000, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-dev-shm-usage'] })
  for (const one of looks) {
    const { locale, colorScheme, width } = one
    const context = await browser.newContext({ locale, colorScheme, viewport: { width, height: 900 } })
    context.setDefaultTimeout(120_000) // on a busy machine half a minute is short
    const page = await context.newPage()
    loadAfterClicks(page)
    page.on('request', r => { if (!r.url().startsWith(base + '/')) fault(page.url(), `asks ${r.url()}`) })
    page.on('console', m => { if (m.type() === 'error' && !/4(00|04|09|22)/.test(m.text())) fault(page.url(), `says ${m.text()}`) })
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
    if (await page.locator('.timeline .late').count() === 0) fault('request', 'does not draw how late it is')
    if (await page.locator('table.life tbody tr').count() < 4) fault('request', 'has no table of what it draws')
    const day = new Date(Date.now() - 864e5).toISOString().slice(0, 10)
    await open(new URL(page.url()).pathname + `?app=smartkey&as_of=${day}`, 'request-past')
    if (await page.locator('.past').count() !== 1 || await page.locator('table.life tr.now').count() !== 1 || await page.locator('form.step').count() !== 0) fault('request', 'does not show a day that is past')
    await forms(page, one)
    await page.goto(base + '/ui/')
    await page.click('.lights a[href*="incidents/"]')
    await page.evaluate(() => document.querySelectorAll('.next details').forEach(d => { d.open = true }))
    await look(page, 'incident', one)

    await open('/ui/consents', 'consents')
    if (await page.locator('.chart rect').count() === 0) fault('consents', 'has no chart')
    await open(`/ui/?app=smartkey&as_of=${day}`, 'today-past')
    if (await page.locator('.past').count() !== 1 || await page.locator('#integrity').count() !== 0 || await page.locator('#replies ~ .counts .figure').count() === 0) fault('today', 'does not show a day that is past')
    await open(`/ui/policies?app=smartkey&as_of=${day}`, 'policies-past')
    if (await page.locator('.past').count() !== 1 || await page.locator('.state.met').count() === 0) fault('policies', 'does not show a day that is past')
    await open('/ui/policies', 'policies')
    await page.click('tr:has-text("privacy"):has(.state.met) a')
    if (await page.locator('.chart rect').count() === 0) fault('policy', 'does not show who stands where')
    if (await page.locator('#changes ~ .wide tbody tr').count() === 0) fault('policy', 'does not show what changed')
    await look(page, 'policy', one)
    const shot = page.locator('.shot img')
    if (await shot.count() !== 1 || await shot.evaluate(e => e.naturalWidth) !== 300) fault('policy', 'does not show the screen')
    await api(page, open, one)
    await open('/ui/system', 'system')
    await open(`/ui/system?app=smartkey&as_of=${day}`, 'system-past')
    if (await page.locator('.past').count() !== 1 || await page.locator('#checks').count() !== 0) fault('system', 'shows now on a day that is past')
    await open('/ui/incidents', 'incidents')
    if (await page.locator('tbody .state').count() === 0) fault('incidents', 'shows nothing that is owed')
    await open('/ui/retention', 'retention')
    if (await page.locator('tbody').count() !== 2) fault('retention', 'shows no deletions or no counts')
    await open('/ui/minors', 'minors')
    await page.selectOption('#reason', 'audit')
    await page.fill('#by', '张 O\u2019Brien')
    await page.click('.filters button')
    await look(page, 'minors-shown', one)
    await open(`/ui/minors?app=smartkey&as_of=${day}`, 'minors-past')
    if (await page.locator('.past').count() !== 1 || await page.locator(`nav a[href*="${day}"]`).count() < 3) fault('minors', 'does not say or keep the day that is past')
    await intake(page, open, one)
    await papers(page, open, one)
    await open('/ui/person', 'person')
    await page.fill('#subject', 'user-2')
    await page.selectOption('#reason', 'audit')
    await page.fill('#by', '张 O\u2019Brien')
    await page.click('.filters button')
    if (page.url().includes('user-2')) fault(page.url(), 'a person stands in the address')
    await look(page, 'person-found', one)
    if (!(await page.innerText('main')).includes('consent.withdrawn')) fault('person', 'the history is not shown')
    if (await page.locator('.chart rect').count() < 2) fault('person', 'has no chart')
    for (const kind of ['proof', 'receipt']) {
      const href = await page.locator(`a[href*="/${kind}?"]`).last().getAttribute('href')
      const answer = await page.request.get(base + href)
      if (answer.status() !== 200 || !(answer.headers()['content-disposition'] || '').startsWith('attachment')) fault(href, `answers ${answer.status()}`)
    }
    await page.focus('#valid')
    await page.keyboard.press('Home')
    await page.click('.sliders button')
    if (await page.inputValue('#valid') !== '0' || await page.locator('label[for=valid] time').count() !== 1) fault('person', 'forgets where the slider was')
    await page.evaluate(() => document.querySelectorAll('main details').forEach(d => { d.open = true }))
    await look(page, 'person-before', one)
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
