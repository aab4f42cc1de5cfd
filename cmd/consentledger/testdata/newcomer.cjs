// newcomer.cjs CHROMIUM URL: answers the one request there is, as an officer does who comes
// to the pages for the first time. Prints what is wrong, a line each.
const { chromium } = require('playwright-core')
const [executablePath, base] = process.argv.slice(2)
const fault = (where, what) => console.log(`${where}: ${what}`)

async function main() {
  const browser = await chromium.launch({ executablePath, timeout: 120_000, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-dev-shm-usage'] })
  const page = await (await browser.newContext({ locale: 'en-GB' })).newPage()
  page.setDefaultTimeout(120_000)

  // What is due is on the first page, a moment after it was recorded.
  for (let tries = 0; ; tries++) {
    await page.goto(base + '/ui/deadlines?group=requests')
    if (await page.locator('tbody a').count() > 0) break
    if (tries === 100) return fault(page.url(), 'shows no request')
    await page.waitForTimeout(200)
  }
  await page.locator('tbody a').last().click()

  // Data are handed over once it is known who asks: until then no answer is offered.
  const openForms = () => page.evaluate(() => document.querySelectorAll('.next details').forEach(d => { d.open = true }))
  await openForms()
  if (await page.locator('form[id="request.answered"]').count() !== 0) fault(page.url(), 'offers an answer to somebody who may be anybody')
  const identity = page.locator('form[id="identity.passed"]')
  await identity.locator('input[type=checkbox]').first().check()
  await identity.locator('[name="f.checked_by"]').fill('operator:ann')
  await identity.locator('button').click()
  if (!page.url().includes('done=identity.passed')) fault(page.url(), 'was not led on after a proof of identity')

  await openForms()
  const answer = page.locator('form[id="request.answered"]')
  await answer.locator('[name="f.outcome"]').selectOption('full')
  await answer.locator('[name="f.channel"]').selectOption({ index: 1 })
  await answer.locator('button').click()
  if (!page.url().includes('done=request.answered')) fault(page.url(), 'was not led on after an answer')
  if (await page.locator('.state.answered').count() === 0) fault(page.url(), 'does not show that it is answered')
  await browser.close()
}

main().catch(e => { console.error(e); process.exit(1) })
