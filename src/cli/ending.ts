/**
 * How a run is cut short: a signal, a reader that has gone, an output that takes no more. One abort signal for all, and the exit code that
 * fits.
 */
import { AbortedError } from 'clada';
import { exitCodeOf, exitCodes } from './args.ts';
import { complain } from './output.ts';

const signals = { SIGINT: exitCodes.interrupted, SIGTERM: 143, SIGHUP: 129 } as const;

const controller = new AbortController();
let code: number | undefined, failure: Error | undefined;

/** Fires once, whatever cuts the run short. */
export const cut = controller.signal;

/** Everything stops between two tokens; what was said is kept. */
export function endWith(exitCode: number): void {
  code ??= exitCode;
  controller.abort();
}

/** What had been asked to stop has done so in good order: that is no failure. */
export function stoppedWell(): void { code = exitCodes.ok; }

/** From now on signals and broken outputs end the run. A second signal finds the system's own handler, which does not wait. */
export function watchEnds(): void {
  for (const [name, exitCode] of Object.entries(signals)) process.once(name, () => { endWith(exitCode); });
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (code !== undefined) return;
    if (error.code === 'EPIPE' || error.code === 'EIO') { endWith(exitCodes.ok); return; } // `clada run | head`: the reader has had enough
    failure = Object.assign(new Error(`standard output: ${error.message}`), { syscall: 'write' });
    endWith(exitCodes.failure);
  });
  process.stderr.on('error', () => undefined); // nobody to tell
}

/** Runs the program to its end, whichever it is, and leaves the exit code. */
export async function toTheEnd(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    if (code === undefined || !(error instanceof AbortedError)) {
      complain(error);
      code ??= exitCodeOf(error);
    }
  }
  // by now it has said whether it took everything
  await new Promise<void>((resolve) => { process.stdout.write('', () => { setImmediate(resolve); }); });
  if (failure) complain(failure);
  process.exitCode = code ?? exitCodes.ok;
  if (cut.aborted) process.stdin.destroy(); // who waits for it waits no longer
  // a library may leave timers behind: BullMQ does, where a queue dies while a worker signs off
  setTimeout(() => { process.exit(); }, 2000).unref();
}
