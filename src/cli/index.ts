/** The command line: parses, runs one command, turns errors into messages and exit codes. A thin user of the public API. */
import { parseCommandLine, type Parsed } from './args.ts';
import { batch } from './batch.ts';
import { bench } from './bench.ts';
import { calibrate } from './calibrate.ts';
import { chat } from './chat.ts';
import { embed } from './embed.ts';
import { cut, toTheEnd, watchEnds } from './ending.ts';
import { evaluate } from './eval.ts';
import { helpText } from './help.ts';
import { useProxy } from './proxy.ts';
import { pull } from './pull.ts';
import { run } from './run.ts';
import { split } from './split.ts';
import { styleFor } from './style.ts';
import { doctor, inspect, models, tokenize } from './tools.ts';
import { version } from './version.ts';

async function main(parsed: Parsed): Promise<void> {
  if ('values' in parsed) await useProxy(parsed.values, process.env);
  switch (parsed.command) {
    case 'help': process.stdout.write(`${helpText(parsed.topic, styleFor(process.stdout, process.env))}\n`); return;
    case 'version': process.stdout.write(`${version}\n`); return;
    case 'run': return run(parsed.values, cut);
    case 'chat': return chat(parsed.values, cut);
    case 'serve': return (await import('./serve.ts')).serve(parsed.values, cut); // what only a server needs stays unread
    case 'inspect': return inspect(parsed.values, cut);
    case 'split': return split(parsed.values, cut);
    case 'tokenize': return tokenize(parsed.values, cut);
    case 'embed': return embed(parsed.values, cut);
    case 'eval': return evaluate(parsed.values, cut);
    case 'bench': return bench(parsed.values, cut);
    case 'calibrate': return calibrate(parsed.values, cut);
    case 'batch': return batch(parsed.values, cut);
    case 'pull': return pull(parsed.values, cut);
    case 'models': models(parsed.values); return;
    case 'doctor': return doctor(parsed.values);
  }
}

watchEnds();
await toTheEnd(() => main(parseCommandLine(process.argv.slice(2))));
