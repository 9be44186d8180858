/** A browser without a window, driven by playwright-core: the few of its types that the suite needs, since it is no dependency of the repository. */
import { chromium, tool } from './install.ts';

export interface Page {
  goto(url: string): Promise<unknown>;
  on(event: 'pageerror', listener: (error: Error) => void): void;
  on(event: 'console', listener: (message: { type(): string; text(): string }) => void): void;
  waitForFunction(expression: string, argument?: unknown, options?: { timeout: number }): Promise<unknown>;
  evaluate(expression: string): Promise<unknown>;
  fill(selector: string, value: string): Promise<void>;
  click(selector: string): Promise<void>;
  textContent(selector: string): Promise<string | null>;
}
export interface Browser { newPage(): Promise<Page>; version(): string; close(): Promise<void> }
interface Driver { chromium: { launch(options: { executablePath: string; args: string[] }): Promise<Browser> } }

/** The caller closes it. @throws Skip where there is no Chromium */
export async function openBrowser(): Promise<Browser> {
  const executablePath = await chromium();
  const driver = (await import(tool('playwright-core/index.mjs'))) as Driver;
  return driver.chromium.launch({ executablePath, args: ['--no-sandbox'] }); // as root there is no sandbox to have
}
