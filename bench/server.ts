/**
 * `clada serve` under load: many clients on few slots, for minutes. Only 200s and 429s may come, every client must get its own answer, the
 * same each time, and memory must not grow. Closes with the figures as JSON, and fails where one of these does not hold.
 *
 *   tsx bench/server.ts [--clients 200] [--slots 4] [--queue 64] [--minutes 10] [--tokens 24] [--vanish 0.05] [-m FILE.gguf]
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '200' }, slots: { type: 'string', default: '4' }, queue: { type: 'string', default: '64' },
    minutes: { type: 'string', default: '10' }, tokens: { type: 'string', default: '24' }, vanish: { type: 'string', default: '0.05' },
    model: { type: 'string', short: 'm' },
  },
});
const clients = Number(values.clients), tokens = Number(values.tokens), vanish = Number(values.vanish), seconds = 60 * Number(values.minutes);
const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const child = spawn(process.execPath, [
  cli, 'serve', '--port', '0', '--parallel', values.slots, '--queue', values.queue, '-c', '1024', '--temp', '0',
  ...(values.model === undefined ? [] : ['-m', values.model]),
], { stdio: ['ignore', 'pipe', 'inherit'] });
const origin = await new Promise<string>((resolve, reject) => {
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => { said += text; if (said.includes('\n')) resolve(said.trim()); });
  child.once('exit', (code) => { reject(new Error(`the server ended with ${code}`)); });
});

const statuses = new Map<string, number>(), first: number[] = [], gaps: number[] = [], memory: { second: number; rss: number }[] = [];
const known = new Map<number, string>();
let different = 0, vanished = 0, whole = 0, produced = 0;
const started = performance.now(), elapsed = (): number => (performance.now() - started) / 1000;
const sleep = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms); });
const count = (status: string): void => { statuses.set(status, (statuses.get(status) ?? 0) + 1); };
/** Fractions that repeat: which clients vanish when is the same in every run. */
let state = 1;
const fraction = (): number => { state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0; return state / 2 ** 32; };

/** One answer, streamed; milliseconds to sleep before the next. */
async function ask(client: number): Promise<number> {
  const controller = new AbortController(), begun = performance.now();
  const leaves = fraction() < vanish ? Math.ceil(fraction() * tokens) : Infinity;
  const response = await fetch(`${origin}/v1/chat/completions`, {
    method: 'POST', signal: controller.signal, headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ stream: true, max_tokens: tokens, messages: [{ role: 'user', content: `I am client ${client}. Tell me something about the number ${client * 37}.` }] }),
  });
  count(String(response.status));
  if (response.status !== 200) {
    await response.text();
    return 1000 * Number(response.headers.get('retry-after') ?? 1) * (0.5 + fraction());
  }
  let text = '', rest = '', at = begun, n = 0, ended = false;
  for await (const bytes of response.body!.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + bytes).split('\n\n');
    rest = lines.pop()!;
    for (const line of lines) {
      if (line === 'data: [DONE]') { ended = true; continue; }
      const chunk = JSON.parse(line.slice('data: '.length)) as { error?: object; choices: { delta: { content?: string } }[] };
      if (chunk.error) { count(`error in the stream: ${JSON.stringify(chunk.error)}`); continue; }
      const piece = chunk.choices[0]?.delta.content ?? '';
      if (piece === '') continue;
      const now = performance.now();
      (n++ === 0 ? first : gaps).push(now - at);
      at = now;
      text += piece;
    }
    if (n >= leaves) { vanished++; controller.abort(); return 0; }
  }
  if (!ended) { count('200 without an end'); return 0; }
  whole++;
  produced += n;
  if (known.has(client) && known.get(client) !== text) different++;
  known.set(client, text);
  return 0;
}

const rssOf = (pid: number): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
const watch = setInterval(() => { memory.push({ second: Math.round(elapsed()), rss: Math.round(rssOf(child.pid!)) }); }, 2000);
await Promise.all(Array.from({ length: clients }, async (_, client) => {
  await sleep(fraction() * 2000);
  while (elapsed() < seconds) {
    const pause = await ask(client).catch((error: unknown) => {
      if ((error as Error).name !== 'AbortError') count(`no answer: ${String((error as { cause?: unknown }).cause ?? error)}`);
      return 100;
    });
    await sleep(Math.min(pause, 1000 * Math.max(0, seconds - elapsed())));
  }
}));
clearInterval(watch);
const metrics = await (await fetch(`${origin}/metrics`)).text(), rssEnd = Math.round(rssOf(child.pid!));
const stopped = performance.now(), exit = await new Promise<number | null>((resolve) => { child.once('exit', resolve); child.kill('SIGTERM'); });

const quantile = (list: readonly number[], q: number): number => Math.round([...list].sort((a, b) => a - b)[Math.floor(q * (list.length - 1))] ?? NaN);
const mean = (list: readonly { rss: number }[]): number => Math.round(list.reduce((sum, { rss }) => sum + rss, 0) / Math.max(1, list.length));
const warm = memory.filter(({ second }) => second >= Math.min(60, seconds / 4)), fifth = Math.max(1, Math.floor(warm.length / 5));
const rss = { first: mean(warm.slice(0, fifth)), last: mean(warm.slice(-fifth)), most: Math.max(...memory.map((one) => one.rss)), end: rssEnd };
const report = {
  clients, slots: Number(values.slots), queue: Number(values.queue), seconds: Math.round(elapsed()), statuses: Object.fromEntries(statuses),
  whole, vanished, different, tokensPerSecond: Math.round(10 * produced / elapsed()) / 10,
  firstTokenMs: { p50: quantile(first, 0.5), p95: quantile(first, 0.95) }, betweenTokensMs: { p50: quantile(gaps, 0.5), p95: quantile(gaps, 0.95) },
  rssMiB: rss, stopMs: Math.round(performance.now() - stopped), exit,
  deferred: /requests_deferred (\d+)/.exec(metrics)?.[1], processing: /requests_processing (\d+)/.exec(metrics)?.[1],
};
console.log(JSON.stringify(report, undefined, 2));
const strange = [...statuses.keys()].filter((status) => status !== '200' && status !== '429');
const problems = [
  ...strange, ...(different > 0 ? [`${different} answers differ from the client's own`] : []), ...(whole === 0 ? ['no whole answer'] : []),
  ...(rss.last > 1.1 * rss.first + 16 ? [`memory grew from ${rss.first} to ${rss.last} MiB`] : []), ...(exit === 0 ? [] : [`exit code ${exit}`]),
];
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
