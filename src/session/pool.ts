/**
 * The sequences of a model, and who has which. Every request gets one of its own while there are any: requests side by side keep their
 * caches instead of computing each other's away. Where there are none left, requests wait their turn.
 */
import type { Engine } from '../engine/engine.ts';
import { CladaError, type InputError } from '../errors.ts';
import { Line } from './line.ts';
import { Scheduler } from './scheduler.ts';
import type { Parked } from './saved.ts';
import { checkTokens, contextFull } from './request.ts';
import { Sequence } from './sequence.ts';

/**
 * Milliseconds without being asked for a token after which a request that still holds a sequence has to give it up where another waits: its
 * reader may be gone.
 */
export const PATIENCE_MS = 1000;

interface Slot {
  readonly sequence: Sequence;
  holder: WeakRef<Claim> | undefined;
  /** When it was last asked for something: counts up. */
  used: number;
  /** Nobody will ask for what it holds. */
  spent: boolean;
}

/** Of a conversation; of a request, whose prompt may come again; of what is computed once. */
type Keeps = 'always' | 'maybe' | 'never';

/**
 * A right to a sequence: of one request, or of a conversation, which comes back to its cache. It ends with its owner: the pool does not
 * keep it alive.
 */
export class Claim {
  #slot: Slot | undefined;
  /** Of its owner. */
  #state: 'idle' | 'busy' | 'resting' = 'idle';
  #since = 0;
  /** What its sequence held when another took it. */
  parked: Promise<Parked | undefined> | undefined;
  /** Requests under way: also another's than its owner's, who saves meanwhile. */
  #requests = 0;

  /** @internal use {@link SequencePool.claim} */
  constructor(private readonly pool: SequencePool, /** Whether its cache is worth keeping when it is idle. */ readonly keeps: Keeps) {}

  /**
   * Runs `request` on the claim's sequence, once it has one; `tokens` are what it will be asked for. Requests of a claim are made one after
   * the other.
   */
  async use<T>(tokens: ArrayLike<number>, signal: AbortSignal | undefined, request: (sequence: Sequence) => Promise<T>): Promise<T> {
    this.#requests++;
    try {
      this.#slot = await this.pool.slotFor(this, this.#slot, tokens, signal);
      return await request(this.#slot.sequence);
    } finally {
      this.#requests--;
      if (this.patience === 0) this.pool.released();
    }
  }

  /** Something is being computed, or about to be: the sequence stays. */
  awake(): void { this.#state = 'busy'; }

  /** Waits for its reader, who may be gone. */
  rest(): void {
    this.#state = 'resting';
    this.#since = performance.now();
  }

  /** The request has ended. */
  release(): void {
    this.#state = 'idle';
    this.pool.released();
  }

  /** Whether it waits for its reader. */
  get waits(): boolean { return this.#state === 'resting' && this.#requests === 0; }

  /** Milliseconds until others may take the sequence, at least: 0 where the request has ended, all of them while something is computed. */
  get patience(): number {
    if (this.#requests > 0 || this.#state === 'busy') return PATIENCE_MS;
    return this.#state === 'idle' ? 0 : Math.max(0, PATIENCE_MS - (performance.now() - this.#since));
  }
}

export class SequencePool {
  readonly #slots: Slot[] = [];
  readonly #line = new Line(() => this.#patience);
  #clock = 0;
  readonly #scheduler: Scheduler;

  /** At most `max` sequences, each opened when it is first needed and finds room. */
  constructor(readonly engine: Engine, private readonly max: number) { this.#scheduler = new Scheduler(engine); }

  /** Where the event loop is due for a turn, it gets one. */
  turn(): Promise<void> { return this.#scheduler.turns.give(); }

  /** @throws InputError where no sequence can be asked for these tokens */
  check(tokens: ArrayLike<number>): void { checkTokens(tokens, this.engine); }

  /** The error for a text that is certainly too long, before it is tokenised. */
  tooLong(text: string): InputError { return contextFull(`${text.length} characters`, this.engine.contextSize); }

  /** What others leave alone while they find another: always that of a conversation, also of 'maybe' who keeps 'never'. */
  claim(keeps: Keeps = 'maybe'): Claim { return new Claim(this, keeps); }

  /** One request of nobody in particular: it takes the sequence that holds most of its tokens. */
  run<T>(tokens: ArrayLike<number>, signal: AbortSignal | undefined, request: (sequence: Sequence) => Promise<T>): Promise<T> {
    return this.claim().use(tokens, signal, request);
  }

  /** @internal its slot where it is still the claim's, else another, waited for in line */
  async slotFor(claim: Claim, own: Slot | undefined, tokens: ArrayLike<number>, signal: AbortSignal | undefined): Promise<Slot> {
    let slot = own?.holder?.deref() === claim ? own : undefined;
    if (!slot) {
      await this.#line.wait(() => {
        slot = this.#pick(tokens, claim.keeps);
        const before = slot?.holder?.deref();
        // a reader that was away too long goes on from what its sequence holds now, which is asked for before anything that comes next
        if (slot && before?.waits) before.parked = slot.sequence.park().catch(() => undefined);
        if (slot) Object.assign(slot, { holder: new WeakRef(claim), spent: claim.keeps === 'never' });
        return slot !== undefined;
      }, signal, 'generation', claim.keeps === 'never');
    }
    slot!.used = ++this.#clock;
    const { parked } = claim;
    claim.parked = undefined;
    const state = await parked;
    if (state) await slot!.sequence.unpark(state).catch(() => undefined); // without it, all is computed again
    return slot!;
  }

  /** @internal a claim has ended */
  released(): void { this.#line.wake(); }

  /** After the engine's close: those that wait are told so. */
  close(): void {
    this.#slots.length = 0;
    this.#line.wake();
  }

  get #patience(): number { return Math.min(...this.#slots.map(({ holder }) => holder?.deref()?.patience ?? 0), PATIENCE_MS); }

  /**
   * A sequence for `tokens`, in this order: one whose whole cache they continue; one that nobody will come back to, the most similar first;
   * a new one; the one whose conversation, or reader, was heard of longest ago. Who keeps nothing takes what is spent, or a new one, and of
   * the others' a quarter at most. Undefined where all are in use.
   */
  #pick(tokens: ArrayLike<number>, keeps: Keeps): Slot | undefined {
    const isFree = (claim: Claim | undefined): boolean => !claim || claim.patience === 0;
    const free = this.#slots.filter(({ holder }) => isFree(holder?.deref()))
      .sort((a, b) => Number(b.spent) - Number(a.spent) || a.used - b.used);
    const common = new Map(free.map((slot) => [slot, slot.sequence.common(tokens)]));
    const longest = (slots: Slot[]): Slot | undefined =>
      slots.reduce<Slot | undefined>((best, slot) => (best && common.get(best)! >= common.get(slot)! ? best : slot), undefined);
    const idle = free.filter(({ holder }) => !holder?.deref()?.waits);
    const kept = ({ holder }: Slot): boolean => holder?.deref()?.keeps === 'always';
    const continued = idle.filter((slot) => slot.sequence.length > 0 && common.get(slot) === slot.sequence.length);
    const others = longest(idle.filter((slot) => !kept(slot)));
    if (keeps !== 'never') return longest(continued) ?? others ?? this.#open() ?? idle[0] ?? free[0];
    const own = longest(idle.filter((slot) => slot.spent)) ?? this.#open();
    const busy = this.#slots.filter((slot) => slot.spent && !free.includes(slot));
    return own ?? (busy.length < this.#slots.length / 4 ? others ?? idle[0] ?? free[0] : undefined);
  }

  #open(): Slot | undefined {
    if (this.#slots.length >= this.max || (this.#slots.length > 0 && !this.engine.hasRoom)) return undefined;
    try {
      const slot: Slot = { sequence: new Sequence(this.engine, this.#scheduler), holder: undefined, used: 0, spent: false };
      this.#slots.push(slot);
      return slot;
    } catch (error) {
      // the runtime grants no more
      if (this.#slots.length > 0 && error instanceof CladaError && error.code === 'E_WONT_FIT') return undefined;
      throw error;
    }
  }
}
