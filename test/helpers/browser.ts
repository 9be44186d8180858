/** The system's Chromium, driven by playwright-core (which brings none of its own). */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Browser } from 'playwright-core';
import { chromium } from 'playwright-core';

/** $CHROMIUM, else a Chromium or Chrome on the path; undefined where there is none. */
export function findChromium(): string | undefined {
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  const paths = (process.env['PATH'] ?? '').split(delimiter).flatMap((folder) => names.map((name) => join(folder, name)));
  return [process.env['CHROMIUM'], ...paths].find((path) => path !== undefined && path !== '' && existsSync(path));
}

/** Without a window; the caller closes it. */
export function launch(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] }); // root cannot have Chromium's sandbox
}
