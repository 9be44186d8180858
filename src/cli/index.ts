/** The command line: parses, runs one command, turns errors into messages and exit codes. A thin user of the public API. */
import { CladaError } from 'clada';
import { exitCodeOf, exitCodes, parseCommandLine, type Parsed } from './args.ts';
import { bench } from './bench.ts';
import { calibrate } from './calibrate.ts';
import { chat, run } from './generate.ts';
import { evaluate } from './eval.ts';
import { pull } from './pull.ts';
import { split } from './split.ts';
import { doctor, inspect, tokenize } from './tools.ts';
import { helpText } from './help.ts';
import { styleFor } from './style.ts';
import { version } from './version.ts';

const interrupted = new AbortController();

async function main(parsed: Parsed): Promise<void> {
  const { signal } = interrupted;
  switch (parsed.command) {
    case 'help': process.stdout.write(`${helpText(parsed.topic, styleFor(process.stdout, process.env))}\n`); return;
    case 'version': process.stdout.write(`${version}\n`); return;
    case 'run': return run(parsed.values, signal);
    case 'chat': return chat(parsed.values, signal);
    case 'inspect': return inspect(parsed.values, signal);
    case 'split': return split(parsed.values, signal);
    case 'tokenize': return tokenize(parsed.values, signal);
    case 'eval': return evaluate(parsed.values, signal);
    case 'bench': return bench(parsed.values, signal);
    case 'calibrate': return calibrate(parsed.values, signal);
    case 'pull': return pull(parsed.values, signal);
    case 'doctor': return doctor(parsed.values);
  }
}

process.on('SIGINT', () => {
  if (interrupted.signal.aborted) process.exit(exitCodes.interrupted); // a second Ctrl-C does not wait
  interrupted.abort();
});
process.stdout.on('error', (error: { code?: string }) => { // `clada run | head`: the reader has had enough
  if (error.code === 'EPIPE') process.exit(exitCodes.ok);
  throw error;
});

try {
  await main(parseCommandLine(process.argv.slice(2)));
} catch (error) {
  const style = styleFor(process.stderr, process.env);
  const text = error instanceof CladaError ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`\n${style.red('error')} ${text}\n`);
  process.exitCode = exitCodeOf(error);
}
