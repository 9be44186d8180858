/** Checks of the runtime suite: each passes, fails, or is skipped with its reason. */

/** Thrown by a check that this machine cannot make; never counts as passed. */
export class Skip extends Error {}

export interface Outcome { name: string; status: 'passed' | 'failed' | 'skipped'; detail: string; seconds: number }

export class Report {
  readonly outcomes: Outcome[] = [];

  /** Runs one check and says how it went. `run` resolves to a few words for people. */
  async check(name: string, run: () => Promise<string> | string): Promise<void> {
    const started = performance.now();
    const end = (status: Outcome['status'], detail: string): void => {
      const seconds = (performance.now() - started) / 1000;
      this.outcomes.push({ name, status, detail, seconds });
      console.log(`${{ passed: 'ok  ', failed: 'FAIL', skipped: 'skip' }[status]} ${name}${detail ? `: ${detail}` : ''}  ${seconds.toFixed(1)} s`);
    };
    try {
      end('passed', await run());
    } catch (error) {
      if (error instanceof Skip) end('skipped', error.message);
      else end('failed', error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
  }

  count(status: Outcome['status']): number { return this.outcomes.filter((outcome) => outcome.status === status).length; }
}

/** @throws Error with both sides where they differ */
export function equal(found: unknown, expected: unknown, what: string): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: found ${a}; expected ${b}`);
}

export function ok(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(what);
}
