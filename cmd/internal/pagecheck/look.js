// look.js FILE PRINT CHROMIUM: what axe-core finds in a file on a small screen, and
// what does not fit there. Prints the file to PRINT.
const {chromium} = require('playwright-core');
const axe = require('axe-core');
const {pathToFileURL} = require('url');
const [file, print, executablePath] = process.argv.slice(1);

(async () => {
	const browser = await chromium.launch({executablePath, args: [
		'--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
		'--disable-background-networking', '--disable-component-update', '--disable-sync',
	]});
	try {
		const context = await browser.newContext({viewport: {width: 390, height: 844}, bypassCSP: true});
		const page = await context.newPage();
		await page.goto(pathToFileURL(file).href);

		const width = await page.evaluate(() => document.documentElement.scrollWidth);
		if (width > 390) console.log(`at 390 pixels it is ${width} wide`);
		const narrow = await page.evaluate(() => [...document.querySelectorAll('td, dd, p, li')]
			.filter(e => e.textContent.trim().length > 12 && e.getBoundingClientRect().width > 0 && e.getBoundingClientRect().width < 60)
			.map(e => e.textContent.trim().slice(0, 40)));
		if (narrow.length > 0) console.log(`at 390 pixels ${narrow.length} texts have columns of a few characters, as ${JSON.stringify(narrow[0])}`);

		await page.evaluate(axe.source);
		const found = await page.evaluate(() => window.axe.run(document, {resultTypes: ['violations']}));
		for (const v of found.violations) console.log(`axe: ${v.id}: ${v.help}: ${v.nodes.length} times, as ${v.nodes[0].html.slice(0, 120)}`);

		await page.pdf({path: print, preferCSSPageSize: true});
	} finally {
		await browser.close();
	}
})().catch(e => { console.error(e); process.exit(2); });
