/**
 * Takes the picture of the page that the README shows.
 *
 *   tsx demo/test/picture.ts [docs/demo.png]
 */
import { writeFileSync } from 'node:fs';
import { findChromium, launch } from '../../test/helpers/browser.ts';
import { Site, phase } from './browser.ts';
import { shrink } from './png.ts';

async function main(path: string): Promise<void> {
  const chromium = findChromium();
  if (!chromium) throw new Error('no Chromium found; install one, or set CHROMIUM to it');
  const site = await Site.build(), browser = await launch(chromium);
  try {
    const page = await browser.newPage({ viewport: { width: 1240, height: 1150 } });
    await page.goto(site.url);
    await phase(page, 'ready');
    await page.click('#suggestions button');
    await phase(page, 'answering');
    await phase(page, 'ready');
    await page.check('input[value=answer]', { force: true });
    await page.waitForTimeout(300); // the next frame but one
    const picture = shrink(await page.screenshot({ animations: 'disabled' }));
    writeFileSync(path, picture);
    console.log(`${path}: ${(picture.length / 1000).toFixed(0)} kB`);
  } finally {
    await browser.close();
    await site.close();
  }
}

await main(process.argv[2] ?? 'docs/demo.png');
