/**
 * Chooses a build and instantiates it over a memory of its own.
 *
 * `relaxed` runs where relaxed SIMD validates and its numeric self-test passes; else `base`, which is bit-identical everywhere.
 */
import { InputError, ModelError, StateError } from '../errors.ts';
import type { Program, Tier } from './binaries.ts';
import { carried, readBinary } from './binaries.ts';
import { hasRelaxedSimd, hasSimd } from './features.ts';
import { chooseThreads } from './threads.ts';

/** What every program exports: enough to load a model. Pointers come back signed: `>>> 0` makes addresses of them. */
export interface LoaderExports {
  abiVersion(): number;
  heapBase(): number;
  selfTest(): number;
  repack(dtype: number, layout: number, src: number, dst: number, rows: number, cols: number): number;
  expand(layout: number, w: number, rows: number, cols: number, scratch: number, dst: number): void;
  /** Only of engines: calibration reads heads in one piece. */
  listWide?(layout: number, src: number, rows: number, cols: number, scratch: number, list: number): void;
  sketch?(
    layout: number, src: number, first: number, groups: number, cols: number, list: number, scratch: number, coarse: number, fine: number,
  ): number;
  fingerprint(ptr: number, bytes: number, state: number): void;
  prepare(model: number): void;
}

/** What `assembly/index.ts` exports. */
export interface EngineExports extends LoaderExports {
  rowBytes(layout: number, cols: number): number;
  packRows(layout: number, w: number, rows: number, cols: number, dst: number): void;
  columnBytes(layout: number, rows: number, cols: number): number;
  packColumns(layout: number, w: number, rows: number, cols: number, dst: number): void;
  columnNorms(layout: number, w: number, rows: number, cols: number, row: number, out: number): void;
  readMemory(ptr: number, bytes: number): number;
  prefill(work: number, nTokens: number): number;
  step(work: number, sequence: number, token: number): number;
  refine(work: number, sequence: number, floor: number, ids: number, count: number): void;
  forget(work: number, sequence: number): void;
  reselect(work: number, sequence: number): void;
  unorder(work: number): void;
  trial(work: number, sequence: number, layer: number, part: number, count: number): void;
  dequantMatvec(layout: number, w: number, rows: number, cols: number, row: number, x: number, out: number): void;
}

export interface Instance<E extends LoaderExports = EngineExports> {
  readonly exports: E;
  readonly memory: WebAssembly.Memory;
  /** What workers make instances of. */
  readonly module: WebAssembly.Module;
  readonly tier: Tier;
  /** Why this tier, in a few words. */
  readonly tierReason: string;
  /** Size of the binary in bytes. */
  readonly wasmBytes: number;
}

/** The record layout and exports that this host was written for (`assembly/index.ts`). */
export const ABI_VERSION = 12;

/** Pages of 64 KiB that a memory may grow to: 4 GiB less one page, so that every end address fits 32 bits. */
export const MAX_PAGES = 65535;

/** A memory that several threads share; where there is none to be had, why, in a few words. */
export function sharedMemory(): WebAssembly.Memory | string {
  try {
    return new WebAssembly.Memory({ initial: 1, maximum: MAX_PAGES, shared: true });
  } catch (error) {
    return `no memory to share: ${String(error)}`;
  }
}

async function build<E extends LoaderExports>(
  program: Program, tier: Tier, tierReason: string, shared?: WebAssembly.Memory,
): Promise<Instance<E>> {
  const memory = shared ?? new WebAssembly.Memory({ initial: 1, maximum: MAX_PAGES });
  const { source: module, bytes } = await readBinary(tier, program).catch((cause: unknown) => { throw forbidden(cause) ?? cause; });
  const engine = (await WebAssembly.instantiate(module, { env: { memory } })).exports as unknown as E;
  if (engine.abiVersion() !== ABI_VERSION) {
    throw new StateError('E_ABI', {
      subject: `WebAssembly build "${tier}"`, found: `ABI version ${engine.abiVersion()}`, expected: `${ABI_VERSION}`,
      remedy: 'The JavaScript and the binary are of different releases; install or build clada again.',
    });
  }
  return { exports: engine, memory, module, tier, tierReason, wasmBytes: bytes };
}

/** What a host answers that may not compile, in the words of V8, Firefox, Safari and V8's embedders. Undefined for any other error. */
function forbidden(cause: unknown): ModelError | undefined {
  const policy = /unsafe-eval|content security policy|\bCSP\b/i.test(String(cause));
  if (!policy && !/disallowed by embedder/i.test(String(cause))) return undefined;
  return new ModelError('E_WASM_BLOCKED', policy ? {
    subject: 'WebAssembly', found: "a content security policy that forbids it", expected: "'wasm-unsafe-eval' in its script-src",
    remedy: "Send Content-Security-Policy: script-src 'self' 'wasm-unsafe-eval' with the page, "
      + "and with the worker's script where it has a policy of its own.",
    cause,
  } : {
    subject: 'WebAssembly', found: 'a runtime that compiles no bytes', expected: 'a module that it compiled itself',
    remedy: "Let the bundler resolve clada with the condition 'workerd' or 'edge-light': the binaries are imported there.", cause,
  });
}

/**
 * @throws ModelError `E_NO_SIMD` where WebAssembly SIMD is missing, or relaxed SIMD was demanded and is missing; `E_WASM_BLOCKED` where a
 * policy forbids to compile it. `shared`: the memory of the program for threads.
 */
export async function instantiate<E extends LoaderExports = EngineExports>(
  tier: Tier | 'auto' = 'auto', program: Program = 'engine', shared?: WebAssembly.Memory,
): Promise<Instance<E>> {
  if (tier !== 'auto' && tier !== 'base' && tier !== 'relaxed') {
    throw new InputError('E_OPTION', {
      subject: 'tier', found: String(tier), expected: 'auto, base or relaxed',
      remedy: 'Leave it out for the fastest build that is sound here.',
    });
  }
  if (typeof WebAssembly === 'undefined' || !hasSimd()) {
    throw new ModelError('E_NO_SIMD', {
      subject: 'this runtime', found: 'no WebAssembly SIMD', expected: 'simd128 (every browser since 2023, Node 16.4 and later)',
      remedy: 'Use a newer runtime.',
    });
  }
  if (tier === 'base') return build(program, 'base', 'asked for', shared);
  if (!carried.includes('relaxed')) {
    if (tier === 'auto') return build(program, 'base', 'an edge function carries no other');
    throw new ModelError('E_NO_SIMD', {
      subject: 'tier "relaxed"', found: 'the build for edge functions', expected: 'one that carries it',
      remedy: 'Use tier "auto" or "base": hosts that compile all a function imports might not know relaxed SIMD.',
    });
  }
  if (!hasRelaxedSimd()) {
    if (tier === 'auto') return build(program, 'base', 'no relaxed SIMD in this runtime', shared);
    throw new ModelError('E_NO_SIMD', {
      subject: 'tier "relaxed"', found: 'no relaxed SIMD in this runtime', expected: 'Node 20 or later, Deno, Bun, Chromium 114 or later',
      remedy: 'Use tier "auto" or "base".',
    });
  }
  const relaxed = await build<E>(program, 'relaxed', tier === 'auto' ? 'relaxed SIMD validates, self-test passed' : 'asked for', shared);
  const failed = relaxed.exports.selfTest();
  if (failed === 0) return relaxed;
  if (tier === 'auto') return build(program, 'base', `relaxed SIMD failed self-test ${failed}`, shared);
  throw new ModelError('E_NO_SIMD', {
    subject: 'tier "relaxed"', found: `self-test ${failed} failed on this processor`, expected: 'exact relaxed dot products',
    remedy: 'Use tier "auto" or "base", and please report the processor.',
  });
}

/** What a runtime can do, see {@link describeRuntime}. */
export interface RuntimeInfo {
  /** WebAssembly SIMD (simd128). */
  readonly simd: boolean;
  /** Relaxed SIMD validates. */
  readonly relaxedSimd: boolean;
  /** The build that `tier: 'auto'` takes here, and why. */
  readonly tier: Tier;
  /** Why, in a few words. */
  readonly tierReason: string;
  /** Threads that `threads: 'auto'` takes here for a model of some size, and why so many. */
  readonly threads: number;
  /** Why so many, in a few words. */
  readonly threadsReason: string;
}

/** What this runtime can do. @throws ModelError `E_NO_SIMD` where nothing runs. */
export async function describeRuntime(): Promise<RuntimeInfo> {
  const { tier, tierReason } = await instantiate('auto'), { threads, threadsReason } = await chooseThreads('auto', Infinity);
  return { simd: hasSimd(), relaxedSimd: hasRelaxedSimd(), tier, tierReason, threads, threadsReason };
}
