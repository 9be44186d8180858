/** The conversation on the page: questions, answers token by token, failures; and stepping through the tokens of an answer. */
import { byId, digits, element, percent } from './dom.ts';
import type { Asked } from './controls.ts';
import type { Checked, Comparison, Failure, Token } from './protocol.ts';

/** How an answer is shown; 'broken': more was lost than was allowed. */
export type Tone = 'plain' | 'good' | 'broken';

/** An answer and what was seen of it. */
export interface Answer {
  readonly id: number;
  readonly question: string;
  /** The setting as it was when it was asked. */
  readonly asked: Asked;
  readonly tokens: Token[];
  text: string;
  perSecond: number;
  density: number;
  method: string | undefined;
  expected: { kl: number; top1: number } | undefined;
  checked: Checked | undefined;
  comparison: Comparison | undefined;
  warnings: readonly string[];
}

/** Surprisal at which the tint is full, nats. */
const fullAt = 6;
const tip = byId('tip'), announcer = byId('announcer');

/** The exact numbers of a token, line by line. */
export function numbersOf(token: Token, index: number, total: number): string[] {
  const lines = [`token ${index + 1} of ${total}`, `surprisal ${digits(token.surprisal, 3)} nats, entropy ${digits(token.entropy, 3)} nats`];
  if (!Number.isFinite(token.density)) return [...lines, 'out of the prompt, which runs dense'];
  return [
    ...lines, `load ${digits(token.load, 2)}, thresholds × ${digits(token.factor, 3)}`,
    `density ${percent(token.density, 1)} %, ${digits(token.weightBytes / 1e6, 1)} MB read`,
  ];
}

export class Conversation {
  readonly #log = byId('log');
  readonly #nodes = new Map<Answer, { article: HTMLElement; text: HTMLElement; end: HTMLElement }>();
  #marked: HTMLElement | undefined;

  /** `point` hears which token of which answer the reader is at. */
  constructor(private readonly point: (answer: Answer, index: number | undefined) => void) {}

  question(text: string): void {
    byId('welcome').hidden = true;
    this.#log.append(element('p', { class: 'question' }, element('span', { class: 'hidden' }, 'You: '), text));
    this.#toEnd(true);
  }

  begin(answer: Answer): void {
    const text = element('div', { class: 'text', tabindex: 0, role: 'group', 'aria-label': 'Answer. The arrow keys step through its tokens.' });
    const end = element('p', { class: 'end' }), article = element('article', { class: 'answer running', 'aria-label': `Answer, ${answer.asked.title}` }, element('p', { class: 'by' }, answer.asked.title), text, end);
    this.#nodes.set(answer, { article, text, end });
    this.#log.setAttribute('aria-busy', 'true'); // a screen reader hears the answer once, whole
    this.#log.append(article);
    text.addEventListener('pointermove', ({ target }) => { // not pointerover: words that appear under a pointer at rest are not pointed at
      if (target instanceof HTMLElement && target.classList.contains('token') && target !== this.#marked) this.#select(answer, Number(target.dataset['i']), false);
    });
    text.addEventListener('pointerdown', ({ target }) => { if (target instanceof HTMLElement && target.classList.contains('token')) this.#select(answer, Number(target.dataset['i']), false); });
    text.addEventListener('pointerleave', () => { this.#select(answer, undefined, false); });
    text.addEventListener('blur', () => { this.#select(answer, undefined, false); });
    text.addEventListener('keydown', (event) => {
      const at = this.#marked && text.contains(this.#marked) ? Number(this.#marked.dataset['i']) : -1, last = answer.tokens.length - 1;
      const next = { ArrowRight: at + 1, ArrowLeft: at < 0 ? last : at - 1, Home: 0, End: last }[event.key];
      if (next === undefined || last < 0) return;
      event.preventDefault();
      this.#select(answer, Math.min(Math.max(next, 0), last), true);
    });
    this.#toEnd(true);
  }

  /** Shows the tokens that have come since the last time. */
  catchUp(answer: Answer): void {
    const text = this.#nodes.get(answer)?.text;
    if (!text || text.children.length === answer.tokens.length) return;
    const near = this.#nearEnd();
    for (const [i, token] of answer.tokens.entries()) {
      if (i < text.children.length) continue;
      const word = token.text.trimStart() || token.text; // the space before a word is no part of its tint
      const span = element('span', { class: 'token', 'data-i': i }, word);
      span.style.setProperty('--tint', (Math.min(token.surprisal, fullAt) / fullAt).toFixed(3));
      text.append(token.text.slice(0, token.text.length - word.length), span);
    }
    this.#toEnd(near);
  }

  status(answer: Answer, line: string): void {
    const near = this.#nearEnd();
    this.#nodes.get(answer)!.end.textContent = line;
    this.#toEnd(near);
  }

  /** The colour of what an answer came to. */
  tone(answer: Answer, tone: Tone): void {
    const article = this.#nodes.get(answer)?.article;
    if (article && article.dataset['tone'] !== tone) article.dataset['tone'] = tone;
  }

  end(answer: Answer): void {
    this.#nodes.get(answer)?.article.classList.remove('running');
    this.#log.removeAttribute('aria-busy');
  }

  /** Takes an answer away that never began. */
  drop(answer: Answer): void {
    this.end(answer);
    this.#nodes.get(answer)?.article.remove();
    this.#nodes.delete(answer);
  }

  fail({ title, message, remedy, code }: Failure, again: { label: string; run: () => void }): void {
    byId('welcome').hidden = true;
    const button = element('button', { type: 'button' }, again.label), card = element(
      'div', { class: 'failure', role: 'alert', 'data-code': code }, element('h3', {}, title), element('p', {}, remedy), element('p', { class: 'what' }, message), button,
    );
    button.addEventListener('click', () => { card.remove(); again.run(); });
    this.#log.append(card);
    this.#toEnd(true);
  }

  /** Marks a token that another instrument points at. */
  mark(answer: Answer, index: number | undefined): void {
    this.#marked?.classList.remove('at');
    this.#marked = index === undefined ? undefined : (this.#nodes.get(answer)?.text.children[index] as HTMLElement | undefined);
    this.#marked?.classList.add('at');
  }

  clear(): void {
    this.#log.querySelectorAll('.question, .answer, .failure').forEach((node) => { node.remove(); });
    this.#nodes.clear();
    this.#marked = undefined;
    tip.hidden = true;
    byId('welcome').hidden = false;
  }

  #select(answer: Answer, index: number | undefined, spoken: boolean): void {
    this.mark(answer, index);
    this.point(answer, index);
    const token = index === undefined ? undefined : answer.tokens[index];
    tip.hidden = !token;
    if (!token || !this.#marked) return;
    const lines = numbersOf(token, index!, answer.tokens.length);
    tip.textContent = lines.join('\n');
    if (spoken) {
      this.#marked.scrollIntoView({ block: 'nearest' });
      announcer.textContent = `${token.text.trim() || 'blank'}: ${lines.join('; ')}`;
    }
    const { left, top, bottom } = this.#marked.getBoundingClientRect(), { offsetWidth, offsetHeight } = tip;
    tip.style.left = `${Math.max(8, Math.min(left, innerWidth - offsetWidth - 8))}px`;
    tip.style.top = `${top - offsetHeight - 6 > 4 ? top - offsetHeight - 6 : bottom + 6}px`;
  }

  #nearEnd(): boolean {
    return this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < 60;
  }

  #toEnd(follow: boolean): void {
    if (follow) this.#log.scrollTop = this.#log.scrollHeight;
  }
}
