/** The chat page in Chromium. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { load } from '../../src/index.ts';
import { findChromium, launch } from '../helpers/browser.ts';
import { embeddedModel } from '../helpers/models.ts';
import { serving } from '../helpers/serving.ts';

const test = suite('server, page'), chromium = findChromium();

(chromium ? test : test.skip)('a question, its answer streamed; what looks like markup is text; a key is asked for (needs Chromium)', async () => {
  const model = await load(embeddedModel, { contextSize: 512, threads: 1 });
  const at = await serving(model, { apiKeys: ['key of the page'.replaceAll(' ', '-')] }), browser = await launch(chromium!);
  try {
    const page = await browser.newPage({ viewport: { width: 900, height: 640 } }), problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message)).on('console', (message) => {
      if (message.type() === 'error' && !message.text().includes('401')) problems.push(message.text());
    });
    page.on('dialog', (dialog) => { void dialog.accept('key-of-the-page'); });
    await page.goto(at.origin);
    await page.waitForSelector('#model option', { state: 'attached' });
    await page.fill('#temperature', '0');
    await page.fill('#text', 'Repeat: <img src=x onerror="document.title=1"> <b>bold</b>');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.note', { timeout: 60_000 });
    const [user, answer] = await Promise.all(['.user', '.assistant'].map((selector) => page.textContent(selector)));
    assert.match(user!, /<img src=x onerror/);
    assert.ok(answer!.length > 0);
    assert.is(await page.locator('main img, main b').count(), 0);
    assert.match((await page.textContent('.note'))!, /^\d+ tokens in [\d.]+ s, \d+ of \d+ of the prompt cached$/);
    await page.fill('#text', 'Write a long story.');
    await page.click('#send');
    await page.waitForSelector('.assistant >> nth=1', { timeout: 60_000 });
    if (process.env['SCREENSHOT'] !== undefined) await page.screenshot({ path: process.env['SCREENSHOT'] });
    await page.click('#send');
    await at.idle();
    assert.is(await page.textContent('#send'), 'Send');
    assert.equal(problems, []);
  } finally {
    await browser.close();
    await at.close();
    model.close();
  }
});

test.run();
