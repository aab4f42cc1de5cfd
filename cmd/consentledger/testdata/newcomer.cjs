// newcomer.cjs CHROMIUM URL: answers the one request there is, as an officer does who comes
// to the pages for the first time. Prints what is wrong, a line each.
const { chromium } = require('playwright-core')
const [executablePath, base] = process.argv.slice(2)
const fault = (where, what) => console.log(`${where}: ${what}`)

async function main() {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-dev-shm-usage'] })
  const page = await (await browser.newContext({ locale: 'en-GB' })).newPage()
  page.setDefaultTimeout(60_000)

  // What is due is on the first page, a moment after it was recorded.
  for (let tries = 0; ; tries++) {
    await page.goto(base + '/ui/deadlines?group=requests')
    if (await page.locator('tbody a').count() > 0) break
    if (tries === 100) return fault(page.url(), 'shows no request')
    await page.waitForTimeout(200)
  }
  await page.locator('tbody a').last().click()

  await page.evaluate(() => document.querySelectorAll('.next details').forEach(d => { d.open = true }))
  const answer = page.locator('form[id="request.answered"]')
  await answer.locator('[name="f.outcome"]').selectOption('full')
  await answer.locator('[name="f.channel"]').selectOption({ index: 1 })
  await answer.locator('button').click()
  if (!page.url().includes('done=request.answered')) fault(page.url(), 'was not led on after an answer')
  if (await page.locator('.state.answered').count() === 0) fault(page.url(), 'does not show that it is answered')
  await browser.close()
}

main().catch(e => { console.error(e); process.exit(1) })
