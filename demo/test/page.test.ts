/** The page in a real Chromium: first load, answers, instruments, keyboard, names, contrast, offline, and every failure with its way out. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { findChromium, launch } from '../../test/helpers/browser.ts';
import { Site, phase, until } from './browser.ts';
import { contrasts, controlNames, focusable, focusedId, keptBytes, mapColours } from './inspect.ts';

const test = suite('page');
const executable = findChromium();
if (!executable) {
  test.skip('the page in Chromium: none found (install chromium, or set CHROMIUM to one)', () => undefined);
  test.run();
} else {
  let browser: Browser, site: Site, shared: BrowserContext, page: Page;
  const errors: string[] = [], foreign: string[] = [];

  /** A page of its own, its errors noted. `expected`: what the console may say. */
  const visit = async (context: BrowserContext, expected?: RegExp): Promise<Page> => {
    await context.addInitScript('globalThis.__name = (made) => made'); // esbuild's keepNames, in functions that travel
    const made = await context.newPage();
    made.on('console', (message) => { if (message.type() === 'error' && !expected?.test(message.text())) errors.push(message.text()); });
    made.on('pageerror', ({ message }) => { errors.push(message); });
    made.on('request', (request) => { if (!request.url().replace('blob:', '').startsWith(site.url)) foreign.push(request.url()); });
    await made.goto(site.url);
    return made;
  };
  const alone = async (use: (own: Page) => Promise<void>, options: BrowserContextOptions = {}, expected?: RegExp): Promise<void> => {
    const context = await browser.newContext(options);
    try { await use(await visit(context, expected)); } finally { await context.close(); }
  };
  const choose = async (method: string, own = page): Promise<void> => {
    if (!/^(exact|balanced|rough)$/.test(method) && !await own.isVisible('#methods')) await own.click('#research > summary');
    await own.check(`input[name=method][value=${method}]`, { force: true });
  };
  const tokens = (): Promise<number> => page.locator('.answer:last-of-type .token').count();
  /** Asks, waits for `count` tokens (or the end: rounding is the processor's, and with it how long a sparse answer gets), stops; the text of the answer. */
  const askFor = async (text: string, count: number): Promise<string> => {
    const answer = `:nth-match(.answer, ${await page.locator('.answer').count() + 1})`;
    await page.fill('#question', text);
    await page.press('#question', 'Enter');
    await page.waitForSelector(`${answer} .token:nth-of-type(${count}), ${answer} .end:not(:empty)`, { state: 'attached' });
    await page.keyboard.press('Escape');
    await phase(page, 'ready');
    return page.locator('.answer:last-of-type .text').innerText();
  };
  const used = async (): Promise<number> => Number(await page.textContent('#used'));

  test.before(async () => {
    site = await Site.build();
    browser = await launch(executable);
    shared = await browser.newContext({ viewport: { width: 1360, height: 900 } });
    page = await visit(shared, /net::ERR_CONNECTION_REFUSED/); // offline it asks whether there is a newer model, and the console says that nobody answered
    await phase(page, 'ready');
  });
  test.after(async () => {
    await browser.close();
    await site.close();
  });

  test('first load: the model is there, its facts are shown, nothing of the rest of the library was fetched', async () => {
    assert.match((await page.textContent('#facts'))!, /^smollm2-135m-instruct-q4_1 · \d+ MB$/);
    assert.match((await page.textContent('#machine'))!, /30 layers × 1,536 neurons · (base|relaxed) build/);
    assert.match((await page.textContent('#verdict'))!, /^Exact runs at \d+ tokens a second on this machine/);
    assert.ok(await page.isChecked('input[value=balanced]') && await page.isHidden('#methods') && await page.isHidden('#series'), 'research and numbers are folded away');
    assert.ok(await page.isVisible('#suggestions') && await page.isHidden('#loading') && await page.isEnabled('#send') && await page.isDisabled('#again'));
    assert.not.ok(site.asked.some((url) => /calibrate-|file-|directory-/.test(url)), site.asked.join());
    await page.click('#figures > summary');
    await choose('clada');
    await until(page, () => document.getElementById('promise')!.textContent !== '');
    assert.match((await page.textContent('#promise'))!, /^Calibration: KL 0\.079 nats, same top token 85 %/);
  });

  test('an answer streams; figures, map and curves are of its tokens', async () => {
    await page.click('#suggestions button');
    await page.waitForSelector('.token');
    const early = await tokens();
    assert.is(await page.getAttribute('#log', 'aria-busy'), 'true');
    await until(page, (n) => document.querySelectorAll('.token').length >= n + 5, early);
    assert.ok(await page.isVisible('#stop') && await page.isHidden('#send'));
    await phase(page, 'comparing', 'ready');
    const count = await tokens(), text = await page.locator('.answer .text').innerText();
    assert.ok(count > 20 && text.length > 2 * count && /language/.test(text), text);
    assert.is(await page.getAttribute('#log', 'aria-busy'), null);
    await until(page, (n) => document.getElementById('series')!.dataset['drawn'] === Array(7).fill(n).join(' '), count);
    assert.ok(Math.abs((await used()) - 70) <= 4);
    const line = (await page.textContent('#map-line'))!;
    assert.match(line, new RegExp(`^Token ${count}: \\d\\d % of 46,080 neurons ran; most in layer \\d+`), line);
    const colours = await page.evaluate(mapColours);
    assert.ok(colours > 2, `${colours} colours on the map`);
    await phase(page, 'ready');
    assert.match((await page.textContent('#speed-beside'))!, /^in turns, 32 tokens: \d+\.\d, dense \d+\.\d \(×\s\d\.\d\d\)$/);
    assert.match((await page.textContent('#kl-beside'))!, /^± 0\.0\d+ here, 32 tokens; calibration 0\.079/);
    const kl = Number(await page.textContent('#kl')), top1 = Number(await page.textContent('#top1'));
    assert.ok(kl > 0.01 && kl < 0.4 && top1 >= 60 && top1 <= 100, `KL ${kl}, top-1 ${top1}`);
    assert.match((await page.textContent('.answer .end'))!, /^\d+ tokens at \d+\.\d tok\/s\. .*(exact on this machine|Quality broke)/);
  });

  test('a token under the pointer, and one under the arrow keys: numbers, curves and map follow', async () => {
    await page.hover('.token >> nth=12');
    assert.match(await page.locator('#tip').innerText(), /^token 13 of \d+\nsurprisal \d\.\d{3} nats, entropy \d\.\d{3} nats\nload −?\d\.\d\d, thresholds × 1\.000\ndensity \d\d\.\d %, \d\d\.\d MB read$/);
    assert.match((await page.textContent('#map-line'))!, /^Token 13: /);
    assert.not.match((await page.locator('.chart b').allInnerTexts()).join(' '), /–/);
    await page.mouse.move(2, 2);
    await page.focus('.answer .text');
    for (const [key, number] of [['Home', 1], ['ArrowRight', 2], ['End', await tokens()], ['ArrowLeft', (await tokens()) - 1]] as const) {
      await page.keyboard.press(key);
      assert.match((await page.textContent('#announcer'))!, new RegExp(`: token ${number} of `));
    }
    await page.keyboard.press('Home');
    assert.match((await page.textContent('#map-line'))!, /comes out of the question/);
    await page.focus('#question');
    assert.ok(await page.isHidden('#tip'));
  });

  test('the whole answer, sorted by use: another picture of the same neurons', async () => {
    const single = await page.textContent('#map-line');
    await page.check('input[value=answer]', { force: true });
    assert.match((await page.textContent('#map-line'))!, /^Over \d+ tokens, 4\d % of 46,080 neurons ran/);
    assert.is.not(await page.textContent('#map-line'), single);
    await page.check('#sorted');
    await page.hover('#map', { position: { x: 30, y: 100 } });
    const often = Number(/ran for (\d+) %/.exec((await page.textContent('#map-line'))!)![1]);
    await page.hover('#map', { position: { x: (await page.locator('#map').boundingBox())!.width - 60, y: 100 } });
    const seldom = Number(/ran for (\d+) %/.exec((await page.textContent('#map-line'))!)![1]);
    assert.ok(often > 70 && seldom < 30, `${often} %, ${seldom} %`);
    await page.uncheck('#sorted');
    await page.check('input[value=token]', { force: true });
  });

  test('the method and the slider decide what runs', async () => {
    await page.uncheck('#compare');
    const found: Record<string, number> = {};
    for (const [method, density] of [['exact', ''], ['griffin', '0.5'], ['clada', '0.9'], ['clada-paper', '0.6'], ['cats', '0.6'], ['tt', '0.8'], ['mask', '0.5']] as const) {
      await page.click('#new-chat'); // sparse answers differ with the processor's rounding: none may decide what the next one says
      await choose(method);
      if (density) await page.fill('#density', density);
      await askFor('Name three colours.', 12);
      found[`${method} ${density}`] = await used();
    }
    assert.is(found['exact '], 100);
    assert.is(found['griffin 0.5'], 50);
    assert.is(found['mask 0.5'], 50);
    assert.ok(Math.abs(found['clada 0.9']! - 90) < 5 && Math.abs(found['cats 0.6']! - 60) < 8 && Math.abs(found['tt 0.8']! - 80) < 5 && found['clada-paper 0.6']! < 75, JSON.stringify(found));
  });

  test('ask again: the same question, the history as it was, the method of now', async () => {
    await page.click('#new-chat');
    await choose('exact');
    await askFor('Name three colours.', 12);
    const first = await askFor('Describe a forest at night in many words.', 20);
    await page.click('#again');
    await page.waitForSelector('.answer:last-of-type .token:nth-of-type(20)', { state: 'attached' });
    await page.locator('#stop').evaluate((stop: HTMLButtonElement) => { stop.click(); }); // at once: a busy machine's pointer may come after the end
    await phase(page, 'ready');
    const second = await page.locator('.answer:last-of-type .text').innerText();
    assert.is(second.slice(0, 20), first.slice(0, 20), 'greedy and dense twice is the same twice');
    assert.is(await page.locator('.question').count(), 2, 'no second question');
  });

  test('a bound: chosen on this device, checked on the way', async () => {
    await page.click('#new-chat');
    assert.is(await page.locator('.answer').count(), 0);
    await choose('rough');
    await page.uncheck('#compare');
    await askFor('Why is the sky blue?', 60);
    const verdict = (await page.textContent('#verdict'))!, beside = (await page.textContent('#verdict-beside'))!;
    if (/best here/.test(verdict)) assert.match(beside, /dense is /);
    else assert.match(beside, /allowed 0\.1/, verdict);
    assert.match((await page.textContent('.answer .end'))!, /^\d+ tokens at/);
  });

  test('what breaks is said, in words and colour', async () => {
    await page.click('#new-chat');
    await choose('griffin');
    await page.fill('#density', '0.3');
    await page.check('#compare');
    await page.fill('#question', 'What is a language model?');
    await page.press('#question', 'Enter');
    await phase(page, 'answering');
    await phase(page, 'ready');
    assert.match((await page.textContent('#verdict'))!, /^Quality broke: it picks another next word \d+ times in 100/);
    assert.is(await page.getAttribute('#result', 'data-tone'), 'broken');
    assert.is(await page.getAttribute('.answer:last-of-type', 'data-tone'), 'broken');
    await page.uncheck('#compare');
  });

  test('the map is drawn at most once a frame, and not for every token', async () => {
    await page.click('#new-chat');
    await choose('griffin');
    await page.evaluate(() => {
      const counts = { map: 0, most: 0, frame: 0, curves: 0 }, put = CanvasRenderingContext2D.prototype.putImageData, here = document.getElementById('map');
      Object.assign(globalThis, { counts });
      const tick = (): void => { counts.most = Math.max(counts.most, counts.frame); counts.frame = 0; requestAnimationFrame(tick); };
      requestAnimationFrame(tick);
      CanvasRenderingContext2D.prototype.putImageData = function draw(this: CanvasRenderingContext2D, ...rest: unknown[]): void {
        if (this.canvas === here) { counts.map++; counts.frame++; }
        (put as (...rest: unknown[]) => void).apply(this, rest);
      };
    });
    await askFor('Count to fifty.', 60);
    const { map, most } = await page.evaluate(() => (globalThis as unknown as { counts: { map: number; most: number } }).counts);
    assert.ok(most === 1 && map > 0 && map < (await tokens()), `${map} drawings of ${await tokens()} tokens, at most ${most} a frame`);
  });

  test('keyboard: Tab reaches every control, Enter sends, Escape stops', async () => {
    await page.click('#new-chat');
    await choose('clada');
    assert.is(await page.evaluate(focusedId), 'clada');
    await page.evaluate(() => { (document.activeElement as HTMLElement).blur(); window.getSelection()?.removeAllRanges(); });
    const wanted = await page.evaluate(focusable), met = new Set<string>();
    for (let i = 0; i < wanted.length + 4; i++) {
      await page.keyboard.press('Tab');
      met.add(await page.evaluate(focusedId));
    }
    assert.equal(wanted.filter((name) => !met.has(name)), [], `met ${[...met].join()}`);
    assert.ok(wanted.length >= 12, wanted.join());
    await page.focus('#question');
    await page.keyboard.type('Count to ten.');
    await page.keyboard.press('Shift+Enter');
    assert.is(await page.inputValue('#question'), 'Count to ten.\n');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.token:nth-of-type(4)', { state: 'attached' });
    await page.keyboard.press('Escape');
    await phase(page, 'ready');
    assert.match((await page.textContent('.answer .end'))!, /^\d+ tokens/);
    assert.ok(await tokens() < 320, `${await tokens()}`);
  });

  test('every control has a name; nothing has two', async () => {
    const session = await shared.newCDPSession(page), names = await controlNames(session);
    await session.detach();
    assert.ok(names.length >= 18, JSON.stringify(names));
    assert.equal(names.filter(({ role, name }) => name === '' && role !== 'group'), []); // <details> is a group named by its summary
    const named = names.filter(({ name }) => name !== '');
    assert.is(new Set(named.map(({ role, name }) => `${role} ${name}`)).size, named.length, JSON.stringify(names));
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    test(`contrast in the ${colorScheme} scheme: 4.5 and more for all text, the tints of words too`, async () => {
      await page.emulateMedia({ colorScheme });
      const all = await page.evaluate(contrasts, 1);
      assert.ok(all.length > 60, `${all.length} texts`);
      assert.equal(all.filter(({ ratio }) => ratio < 4.5), []);
      assert.ok(all.some(({ background }) => background[0]! > 200) === (colorScheme === 'light'), 'the scheme is the one asked for');
    });
  }

  test('the theme switch: by hand, remembered', async () => {
    await page.emulateMedia({ colorScheme: 'light' });
    const paper = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await paper();
    await page.click('#theme');
    assert.is(await paper(), light);
    await page.click('#theme');
    assert.is.not(await paper(), light);
    const reloaded = await visit(shared);
    assert.is(await reloaded.textContent('#theme'), 'Theme: dark');
    await reloaded.close();
    await page.click('#theme');
    assert.is(await page.textContent('#theme'), 'Theme: system');
  });

  test('offline: the server is gone, the page comes back with its model and answers', async () => {
    await page.waitForSelector('#kept:not([hidden])');
    await site.close();
    try {
      await page.reload();
      await phase(page, 'ready', 'failed');
      assert.is(await page.locator('.failure').count(), 0);
      await choose('griffin');
      await page.uncheck('#compare');
      assert.ok((await askFor('Say hello.', 6)).length > 5);
    } finally {
      await site.open();
    }
  });

  test('another model in the same place: noticed, and kept instead', async () => {
    const { sent } = site;
    await page.reload();
    await phase(page, 'ready');
    assert.ok(site.sent - sent <= 1, 'what is the newest is not fetched again');
    site.change('Smollm2 135M', 'Smollm9 135M');
    await page.reload();
    await phase(page, 'ready');
    assert.ok(site.sent - sent > 90e6, `${site.sent - sent} bytes`);
    assert.match((await page.textContent('#machine'))!, /^Smollm9 135M/);
    await page.waitForSelector('#kept:not([hidden])');
    assert.equal(await page.evaluate(keptBytes), [98, 1], 'of the old one nothing is left');
  });

  test('the model is missing: said, with what to do; it comes back', async () => {
    site.fault = 'missing';
    await alone(async (own) => {
      await phase(own, 'failed');
      const card = own.locator('[role=alert]');
      assert.is(await card.getAttribute('data-code'), 'E_NOT_FOUND');
      assert.match(await card.innerText(), /not on this server[\s\S]*npm run demo[\s\S]*smollm2-135m-instruct-q4_1\.gguf: found status 404/);
      assert.ok(await own.isDisabled('#send'));
      site.fault = 'none';
      await card.getByRole('button', { name: 'Try again' }).press('Enter');
      await phase(own, 'ready');
      assert.is(await own.locator('.failure').count(), 0);
    }, {}, /404/);
  });

  test('the download is cut: said, and tried again it goes on where it was', async () => {
    Object.assign(site, { fault: 'cut', sent: 0, cutAfter: 40e6 });
    await alone(async (own) => {
      const card = own.locator('[role=alert]'), arrived = async (): Promise<number> => Number(/([\d.]+) of 98\.4 MB have arrived/.exec(await card.innerText())?.[1]);
      await phase(own, 'failed');
      assert.match(await card.innerText(), /download was cut[\s\S]*goes on/);
      const first = await arrived();
      assert.ok(first > 25 && first <= 40.5, `${first} MB`);
      site.cutAfter = 70e6;
      await own.getByRole('button', { name: 'Try again' }).click();
      await phase(own, 'loading');
      await phase(own, 'failed');
      const second = await arrived();
      assert.ok(second > first + 15, `${first} MB, then ${second} MB`);
      site.fault = 'none';
      await own.getByRole('button', { name: 'Try again' }).click();
      await phase(own, 'ready');
      assert.ok(site.sent < 98.4e6 + 2 * 16e6, `${site.sent} bytes were sent`);
      await own.click('#suggestions button');
      await own.waitForSelector('.token:nth-of-type(8)', { state: 'attached' });
      assert.match(await own.locator('.answer .text').innerText(), /language/);
    }, {}, /net::ERR|Failed to load/);
  });

  test('offline before the first load is over: said so', async () => {
    site.fault = 'missing';
    await alone(async (own) => {
      await phase(own, 'failed');
      await own.evaluate(async () => { await navigator.serviceWorker.ready; }); // the page's own files are here
      await own.context().setOffline(true);
      await own.getByRole('button', { name: 'Try again' }).click();
      await phase(own, 'loading');
      await phase(own, 'failed');
      assert.match(await own.locator('[role=alert]').innerText(), /Offline, and the model is not on this device yet[\s\S]*Connect once/);
      await own.context().setOffline(false);
      site.fault = 'none';
      await own.getByRole('button', { name: 'Try again' }).click();
      await phase(own, 'ready');
    }, {}, /404|net::ERR/);
  });

  test('no WebAssembly SIMD: said, with the browsers that have it', async () => {
    site.fault = 'no-simd';
    await alone(async (own) => {
      await phase(own, 'failed');
      assert.match(await own.locator('[role=alert]').innerText(), /no WebAssembly SIMD[\s\S]*Firefox 89/);
    });
    site.fault = 'none';
  });

  test('no calibration: dense and griffin still run, the others say why they cannot be chosen', async () => {
    site.fault = 'no-calibration';
    await alone(async (own) => {
      await phase(own, 'ready');
      assert.ok(await own.isDisabled('input[value=cats]') && await own.isEnabled('input[value=griffin]'));
      await choose('griffin', own);
      await until(own, () => /not measured/.test(document.getElementById('promise')!.textContent!));
    }, {}, /404/);
    site.fault = 'none';
  });

  test('390 pixels wide: nothing is wider than the page', async () => {
    await alone(async (own) => {
      await phase(own, 'ready');
      await own.click('#suggestions button');
      await own.waitForSelector('.token:nth-of-type(30)', { state: 'attached' });
      assert.is(await own.evaluate(() => document.documentElement.scrollWidth), 390);
      for (const [tab, other] of [['instruments', 'chat'], ['chat', 'instruments']]) {
        await own.click(`#${tab}-tab`);
        assert.ok(await own.isVisible(`#${tab}`) && await own.isHidden(`#${other}`) && await own.isVisible('#question'), tab);
        const { y, height } = (await own.locator('#composer').boundingBox())!;
        assert.is(Math.round(y + height), 844, 'the composer stays at the bottom');
        assert.is(await own.evaluate(() => document.documentElement.scrollWidth), 390);
      }
      await own.press('#chat-tab', 'ArrowRight');
      assert.ok(await own.isVisible('#presets'));
      await own.keyboard.press('Escape');
    }, { viewport: { width: 390, height: 844 } });
  });

  test('all the while: no error on the console, no request to anybody else', () => {
    assert.equal(errors, []);
    assert.equal(foreign, []);
  });

  test.run();
}
