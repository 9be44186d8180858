/**
 * What a fleet of replicas does and costs: speeds of one replica are measured here (or read), the fleet is simulated.
 *
 *   tsx scripts/fleet.ts [-m MODEL] [--prompt 128] [--answer 64] [--price 0.05] [--replicas 1,4,16] [--load 0.5,0.7,0.8,0.9] [--measured FILE]
 *
 * Requests come at random (Poisson) to one line, and go to the replica with the fewest others; each replica answers up to four at a time and shares
 * its speed among them, which is what `clada bench -pl 1,2,4` measures. Lengths of prompts and answers vary around their means (exponentially). Load is the share
 * of the fleet's speed at four requests that arrives. Price: of one replica, an hour, in any currency. FILE: what `clada bench -pl 1,2,4 -o json` said.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Random } from '../src/sampler/random.ts';

/** One replica. */
export interface Speeds {
  /** Tokens generated a second, in all, by requests at a time: 1, 2, 3, … as many as it takes. */
  readonly generated: readonly number[];
  /** Tokens of prompts a second. */
  readonly prompt: number;
}

export interface Fleet extends Speeds {
  readonly replicas: number;
  /** Requests a second. */
  readonly rate: number;
  /** Mean tokens of a request. */
  readonly promptTokens: number;
  readonly answerTokens: number;
  readonly requests: number;
  readonly seed?: number;
}

export interface Outcome {
  /** Seconds from arriving to beginning, and to the end. */
  readonly waits: Float64Array;
  readonly latencies: Float64Array;
  /** Share of time and places that was in use. */
  readonly busy: number;
  /** Tokens a second, of prompts and answers together, and of answers. */
  readonly tokens: number;
  readonly answered: number;
}

interface Request { readonly at: number; readonly answer: number; left: number }

/** Work is counted in generated tokens; a prompt's token is as much as is generated meanwhile where all places are in use. */
export function simulate({ generated, prompt, replicas, rate, promptTokens, answerTokens, requests, seed = 1 }: Fleet): Outcome {
  const random = new Random(seed), exponential = (mean: number): number => -mean * Math.log(1 - random.float64()), places = generated.length;
  const perPrompt = generated.at(-1)! / prompt, running: Request[][] = Array.from({ length: replicas }, () => []), line: Request[] = [];
  const waits: number[] = [], latencies: number[] = [], warmUp = Math.floor(requests / 10);
  let now = 0, arrival = exponential(1 / rate), arrived = 0, begun = 0, used = 0, measuredFrom = 0, promptSum = 0, answerSum = 0;
  const speed = (of: Request[]): number => generated[of.length - 1]! / of.length;
  while (latencies.length < requests - warmUp) {
    let next = arrived < requests ? arrival : Infinity, ends: { of: Request[]; which: Request } | undefined;
    for (const of of running) {
      for (const which of of) {
        const at = now + which.left / speed(of);
        if (at < next) { next = at; ends = { of, which }; }
      }
    }
    const passed = next - now;
    for (const of of running) {
      if (arrived > warmUp) used += passed * of.length;
      if (of.length > 0) { const done = passed * speed(of); for (const one of of) one.left -= done; }
    }
    now = next;
    if (ends) {
      ends.of.splice(ends.of.indexOf(ends.which), 1);
      if (ends.which.at >= measuredFrom && measuredFrom > 0) { latencies.push(now - ends.which.at); answerSum += ends.which.answer; }
    } else {
      if (arrived++ === warmUp) measuredFrom = now;
      const answer = exponential(answerTokens), long = exponential(promptTokens);
      if (arrived > warmUp) promptSum += long;
      line.push({ at: now, answer, left: answer + long * perPrompt });
      arrival = now + exponential(1 / rate);
    }
    for (let free = least(running); line.length > 0 && free.length < places; free = least(running)) {
      const one = line.shift()!;
      free.push(one);
      if (begun++ >= warmUp) waits.push(now - one.at);
    }
  }
  const seconds = now - measuredFrom;
  return {
    waits: Float64Array.from(waits).sort(), latencies: Float64Array.from(latencies).sort(), busy: used / (seconds * replicas * places),
    tokens: (promptSum + answerSum) / seconds, answered: answerSum / seconds,
  };
}

const least = (running: Request[][]): Request[] => running.reduce((a, b) => (b.length < a.length ? b : a));
export const quantile = (sorted: Float64Array, share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;

/** Requests a second that a fleet can take at most. */
export const capacity = ({ generated, prompt, replicas, promptTokens, answerTokens }: Omit<Fleet, 'rate' | 'requests'>): number =>
  replicas * generated.at(-1)! / (answerTokens + promptTokens * generated.at(-1)! / prompt);

/** Speeds from the rows of `clada bench -pl`; what was not measured lies on the line between its neighbours. */
export function speedsOf(rows: readonly { pl: number; speed_pp: number; speed_tg: number }[]): Speeds {
  const known = [...rows].sort((a, b) => a.pl - b.pl), most = known.at(-1)!.pl;
  const generated = Array.from({ length: most }, (_, i) => {
    const above = known.find(({ pl }) => pl >= i + 1)!, below = known.findLast(({ pl }) => pl <= i + 1) ?? above;
    return above === below ? above.speed_tg : below.speed_tg + (above.speed_tg - below.speed_tg) * (i + 1 - below.pl) / (above.pl - below.pl);
  });
  return { generated, prompt: known[0]!.speed_pp };
}

function main(): void {
  const { values } = parseArgs({
    options: {
      model: { type: 'string', short: 'm' }, prompt: { type: 'string', default: '128' }, answer: { type: 'string', default: '64' },
      price: { type: 'string', default: '0.05' }, replicas: { type: 'string', default: '1,4,16' }, load: { type: 'string', default: '0.5,0.7,0.8,0.9' },
      measured: { type: 'string' }, requests: { type: 'string', default: '20000' },
    },
  });
  const root = fileURLToPath(new URL('..', import.meta.url)), numbers = (text: string): number[] => text.split(',').map(Number);
  const [promptTokens, answerTokens, price, requests] = [values.prompt, values.answer, values.price, values.requests].map(Number) as [number, number, number, number];
  const said = values.measured !== undefined ? readFileSync(values.measured, 'utf8') : execFileSync(process.execPath, [
    `${root}dist/cli.js`, 'bench', '-pl', '1,2,4', '-p', values.prompt, '-n', values.answer, '-o', 'json', ...(values.model === undefined ? [] : ['-m', values.model]),
  ], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  const speeds = speedsOf(JSON.parse(said) as Parameters<typeof speedsOf>[0]);
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: root, encoding: 'utf8' }).trim();
  const machine = values.measured === undefined ? ` on ${cpus()[0]?.model.trim()}, ${cpus().length} cores, Node ${process.versions.node}` : ', measured elsewhere';
  console.log(`One replica${machine}, commit ${commit}: ${speeds.prompt.toFixed(0)} tokens of prompts a second; `
    + `${speeds.generated.map((speed, i) => `${speed.toFixed(1)} generated by ${i + 1}`).join(', ')}.`);
  console.log(`Prompts of ${promptTokens} tokens and answers of ${answerTokens}, both ± 100 %; ${price} an hour and replica; ${requests} requests a row.\n`);
  console.log('| replicas | load | requests a second | places in use | wait p50 | p95 | answer complete p50 | p95 | tokens a second | a million tokens | a million answered |');
  console.log('| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
  for (const replicas of numbers(values.replicas)) {
    const most = capacity({ ...speeds, replicas, promptTokens, answerTokens });
    for (const load of numbers(values.load)) {
      const { waits, latencies, busy, tokens, answered } = simulate({ ...speeds, replicas, rate: load * most, promptTokens, answerTokens, requests });
      const seconds = (of: Float64Array, share: number): string => `${quantile(of, share).toFixed(1)} s`, cost = (each: number): string => (price * replicas / 3600 / each * 1e6).toFixed(3);
      console.log(`| ${[replicas, load, (load * most).toFixed(2), `${(100 * busy).toFixed(0)} %`, seconds(waits, 0.5), seconds(waits, 0.95), seconds(latencies, 0.5), seconds(latencies, 0.95),
        tokens.toFixed(0), cost(tokens), cost(answered)].join(' | ')} |`);
    }
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) main();
