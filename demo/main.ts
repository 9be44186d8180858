/** The page: brings model, conversation, controls and instruments together. */
import type { ChatMessage } from 'clada';
import { Assistant } from './assistant.ts';
import { Controls } from './controls.ts';
import type { Answer } from './conversation.ts';
import { Conversation } from './conversation.ts';
import { byId, digits, percent } from './dom.ts';
import { NeuronMap, describe } from './neuron-map.ts';
import type { Ran } from './neurons.ts';
import { NeuronUse, reorder } from './neurons.ts';
import { paced } from './paced.ts';
import type { Failure, Ready, Report, Request, Token } from './protocol.ts';
import { showReadouts, showVerdict } from './readouts.ts';
import { Series } from './series.ts';
import { startTabs } from './tabs.ts';
import { startTheme } from './theme.ts';
import { verdictOf } from './verdict.ts';

type Phase = 'loading' | 'failed' | 'ready' | 'answering' | 'comparing';

const question = byId<HTMLTextAreaElement>('question'), send = byId<HTMLButtonElement>('send'), stop = byId<HTMLButtonElement>('stop'), again = byId<HTMLButtonElement>('again');
let ready: Ready | undefined, phase: Phase = 'loading', requests = 0, previews = 0;
const assistant = new Assistant((report) => { receive(report); });
let history: ChatMessage[] = [];
/** The answer that the instruments show, its use of neurons, and the token that the reader is at. */
let shown: Answer | undefined, use: NeuronUse | undefined, at: number | undefined, running: Answer | undefined;
/** Neurons of each layer as the map shows them; undefined: as the model has them. */
let order: Uint16Array | undefined;

const conversation = new Conversation((answer, index) => { show(answer, index); });
const series = new Series(byId('series'), (index) => { if (shown) { show(shown, index); conversation.mark(shown, index); } });
const map = new NeuronMap(byId<HTMLCanvasElement>('map'), (point) => {
  if (!point || !use) { drawMap(); return; }
  const { layer, from, to, share } = point, [first, last] = order ? [from, to].map((i) => order![layer * use!.neurons + i]!) : [from, to];
  const which = from === to ? `neuron ${first}` : order ? `neurons ${first} and ${last}` : `neurons ${first} to ${last}`;
  byId('map-line').textContent = `Layer ${layer}, ${which}: ran for ${percent(share)} % of ${wholeAnswer() ? `${use.steps} tokens` : to > from ? 'them' : 'this token'}`;
});
const controls = new Controls(() => { preview(); });

/** While tokens come: their text, and the newest one's map and figures. */
const live = paced(() => {
  if (running) conversation.catchUp(running);
  drawFigures();
  if (at !== undefined) return;
  drawMap();
  if (figures.open) series.mark(undefined);
}, 80);
/** What nobody sees is not drawn: it comes up to date when it is opened. */
const instruments = byId('instruments'), figures = byId<HTMLDetailsElement>('figures');
const wholeAnswer = (): boolean => document.querySelector<HTMLInputElement>('input[name=map-view]:checked')!.value === 'answer';
const ranOf = (token: Token | undefined): Ran => (token === undefined || !Number.isFinite(token.density) ? undefined : (token.neurons ?? 'all'));

const post = (request: Request): void => { assistant.ask(request); };

function enter(next: Phase): void {
  phase = next;
  document.body.dataset['phase'] = next;
  const answering = next === 'answering';
  stop.hidden = !answering;
  send.hidden = answering;
  send.disabled = next !== 'ready' && next !== 'comparing';
  again.disabled = send.disabled || history.length === 0;
  byId('loading').hidden = next !== 'loading';
  byId('suggestions').hidden = next === 'loading' || next === 'failed';
}

function loadModel(): void {
  byId('welcome').hidden = false;
  enter('loading');
  showVerdict({ tone: 'plain', sentence: 'Loading the model…', beside: '' });
  post({ kind: 'load' });
}

function fail(failure: Failure): void {
  enter('failed');
  showVerdict({ tone: 'plain', sentence: 'The model is not loaded.', beside: '' });
  conversation.fail(failure, { label: 'Try again', run: loadModel });
}

function preview(): void {
  previews++; // what was asked before is of another setting
  if (ready && controls.isResearch) post({ kind: 'preview', id: previews, sparsity: controls.asked.options }); // presets measure: not before it is wanted
}

/** Asks; `repeat`: the last question once more, with the method as it is set now. */
function ask(text: string, repeat = false): void {
  if (text.trim() === '' || !ready || (phase !== 'ready' && phase !== 'comparing')) return;
  if (repeat) history = history.slice(0, -2);
  else conversation.question(text);
  running = {
    id: ++requests, question: text, asked: controls.asked, tokens: [], text: '', perSecond: NaN, density: NaN, method: undefined, expected: undefined, checked: undefined, comparison: undefined, warnings: [],
  };
  conversation.begin(running);
  if (running.asked.options.method === 'auto') conversation.status(running, 'finding out what is fastest on this machine…');
  post({ kind: 'ask', id: running.id, history, text, sparsity: running.asked.options, compare: controls.compares });
  enter('answering');
  show(running, undefined);
}

function newChat(): void {
  post({ kind: 'stop' });
  history = [];
  running = shown = use = at = undefined;
  conversation.clear();
  series.show([]);
  series.mark(undefined);
  map.show(undefined, 1);
  byId('map-line').textContent = 'Each row is a layer, each point a neuron, lit where it ran.';
  if (phase !== 'loading' && phase !== 'failed') enter('ready');
  drawFigures();
  question.focus();
}

/** Turns the instruments to a token of an answer, or to its newest one. */
function show(answer: Answer, index: number | undefined): void {
  if (answer !== shown && ready) {
    use = new NeuronUse(ready.info.layers, ready.info.neurons);
    answer.tokens.forEach((token) => { use!.add(ranOf(token)); });
  }
  shown = answer;
  at = index;
  drawAll();
}

/** Everything that is in sight. */
function drawAll(): void {
  drawMap();
  drawFigures();
  if (figures.open) series.mark(at);
}

/** Verdict, figures and curves. */
function drawFigures(): void {
  if (!ready) return;
  if (running) conversation.tone(running, verdictOf(running, ready, phase === 'answering').tone);
  showVerdict(shown ? verdictOf(shown, ready, shown === running && phase === 'answering')
    : { tone: 'plain', sentence: `Exact runs at ${digits(ready.densePerSecond, 0)} tokens a second on this machine. Ask, and see what skipping gains.`, beside: '' });
  if (!figures.open || instruments.hidden) return;
  showReadouts(shown, ready);
  series.show(shown?.tokens ?? []);
}

function drawMap(): void {
  if (!shown || !use || instruments.hidden) return;
  const whole = wholeAnswer(), index = at ?? shown.tokens.length - 1, ran = ranOf(shown.tokens[index]);
  const shares = whole ? use.shares() : use.sharesOf(ran), line = byId('map-line');
  order = byId<HTMLInputElement>('sorted').checked ? use.order() : undefined;
  map.show(order ? reorder(shares, order, use.layers) : shares, use.layers);
  if (whole) line.textContent = use.steps > 0 ? `Over ${use.steps} tokens, ${describe(shares, use.layers)}.` : '';
  else if (ran === undefined) line.textContent = shown.tokens.length > 0 ? 'The first token comes out of the question, which is read with every neuron.' : '';
  else line.textContent = `Token ${index + 1}: ${describe(shares, use.layers)}.`;
}

function progress({ phase: step, loaded, total }: Extract<Report, { kind: 'progress' }>): void {
  const bar = byId<HTMLProgressElement>('progress'), share = total > 0 ? loaded / total : undefined;
  if (share === undefined) bar.removeAttribute('value');
  else bar.value = share;
  const size = `${digits(loaded / 1e6, 0)} of ${digits(total / 1e6, 0)} MB`;
  byId('progress-label').textContent = step === 'warm-up' ? 'Warming up, and measuring this device…' : step === 'download' ? `Fetching the model, ${size}` : `Loading the model from this device, ${size}`;
}

function showFacts({ info, file, bandwidth, kept }: Ready): void {
  byId('facts').textContent = `${file.replace(/\.gguf$/, '')} · ${digits(info.memoryBytes / 1e6, 0)} MB`;
  byId('machine').textContent = [
    info.name, `${info.layers} layers × ${info.neurons.toLocaleString('en')} neurons`, `${info.tier} build: ${info.tierReason}`, `memory read at ${digits(bandwidth, 1)} GB/s`,
    `loaded in ${digits(info.loadMs / 1000, 1)} s`,
  ].join(' · ');
  byId('kept').hidden = !kept || !navigator.serviceWorker?.controller;
}

function receive(report: Report): void {
  switch (report.kind) {
    case 'progress': progress(report); return;
    case 'failed': fail(report.failure); return;
    case 'ready':
      ready = report.ready;
      showFacts(ready);
      controls.ready(ready.levels);
      enter('ready');
      drawFigures();
      return;
    case 'previewed':
      if (report.id === previews) controls.promise(report.expected, report.failure);
      return;
    default:
      if (running && report.id === running.id) receiveAnswer(report, running);
  }
}

function receiveAnswer(report: Exclude<Report, { kind: 'progress' | 'failed' | 'ready' | 'previewed' }>, answer: Answer): void {
  switch (report.kind) {
    case 'prompt': conversation.status(answer, `reading the prompt, ${report.done} of ${report.total} tokens`); return;
    case 'token':
      if (answer.tokens.length === 0) conversation.status(answer, '');
      answer.tokens.push(report.token);
      Object.assign(answer, { perSecond: report.perSecond, method: report.method, checked: report.checked });
      if (shown === answer) use?.add(ranOf(report.token)); // else the reader is at an older one
      live();
      return;
    case 'answered': {
      const { stats, text, stopped } = report;
      Object.assign(answer, { text, method: stats.method, perSecond: stats.generatePerSecond, density: stats.density, expected: stats.expected, checked: stats.measured, warnings: stats.warnings });
      if (text !== '') history = [...history, { role: 'user', content: answer.question }, { role: 'assistant', content: text }];
      const compares = controls.compares && !stopped && stats.method !== 'dense';
      conversation.catchUp(answer);
      conversation.end(answer);
      conversation.status(answer, [
        `${stats.generatedTokens} tokens at ${digits(stats.generatePerSecond, 1)} tok/s`, 
        ...(stopped ? ['stopped'] : stats.stopReason === 'length' ? ['cut at its longest'] : stats.stopReason === 'context' ? ['the context is full'] : []), ...(compares ? ['measuring against dense…'] : []),
      ].join(' · '));
      enter(compares ? 'comparing' : 'ready');
      if (shown === answer) show(answer, at);
      return;
    }
    case 'compared':
      answer.comparison = report.comparison;
      drawFigures();
      return;
    case 'idle':
      if (phase === 'answering' || phase === 'comparing') enter('ready');
      conversation.status(answer, byIdle(answer));
      drawFigures();
      return;
    case 'refused':
      conversation.catchUp(answer);
      if (answer.tokens.length === 0) conversation.drop(answer); else conversation.end(answer);
      enter('ready');
      conversation.fail(report.failure, report.failure.code === 'E_POISONED' || report.failure.code === 'E_WORKER' ? { label: 'Load the model again', run: loadModel } : { label: 'New chat', run: newChat });
  }
}

/** The line below an answer once nothing runs. */
function byIdle(answer: Answer): string {
  const { sentence, tone } = verdictOf(answer, ready!, false);
  return `${answer.tokens.length} tokens at ${digits(answer.perSecond, 1)} tok/s${answer.asked.options.method === 'dense' && tone !== 'broken' ? '' : `. ${sentence}`}`;
}

function submit(): void {
  const text = question.value;
  if (send.disabled || text.trim() === '') return;
  question.value = '';
  ask(text);
}

byId('composer').addEventListener('submit', (event) => { event.preventDefault(); submit(); });
question.addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); submit(); }
});
document.addEventListener('keydown', ({ key }) => { if (key === 'Escape' && (phase === 'answering' || phase === 'comparing')) post({ kind: 'stop' }); });
stop.addEventListener('click', () => { post({ kind: 'stop' }); question.focus(); });
again.addEventListener('click', () => { const last = history.at(-2); if (last) ask(String(last.content), true); });
byId('new-chat').addEventListener('click', newChat);
byId('suggestions').addEventListener('click', ({ target }) => { if (target instanceof HTMLButtonElement) { ask(target.textContent!); question.focus(); } });
for (const id of ['map-view', 'sorted']) byId(id).addEventListener('change', drawMap);
figures.addEventListener('toggle', drawAll);

startTheme();
startTabs(drawAll);
loadModel();
if (navigator.serviceWorker) {
  navigator.serviceWorker.addEventListener('controllerchange', () => { if (ready) showFacts(ready); });
  void navigator.serviceWorker.register('sw.js').catch(() => undefined); // without it the page works, online
}
