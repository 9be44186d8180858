/**
 * Two speeds of the machine that no change of the engine touches: reading memory, and products of what the cache holds. Compiled here from these lines, one
 * vector at a time, so that results of another day can be told in units of that day.
 */
import * as asc from 'assemblyscript/asc';

const source = `
export function read(ptr: usize, bytes: usize): i32 {
  let a = i32x4.splat(0), b = a, c = a, d = a;
  for (let end = ptr + bytes; ptr < end; ptr += 64) {
    a = v128.xor(a, v128.load(ptr)); b = v128.xor(b, v128.load(ptr, 16)); c = v128.xor(c, v128.load(ptr, 32)); d = v128.xor(d, v128.load(ptr, 48));
  }
  return i32x4.extract_lane(v128.xor(v128.xor(a, b), v128.xor(c, d)), 0);
}
export function multiply(ptr: usize, bytes: usize, times: i32): i32 {
  let a = i32x4.splat(0), b = a;
  for (let t = 0; t < times; t++) {
    for (let at = ptr, end = ptr + bytes; at < end; at += 64) {
      a = i32x4.add(a, i32x4.dot_i16x8_s(v128.load(at), v128.load(at, 16))); b = i32x4.add(b, i32x4.dot_i16x8_s(v128.load(at, 32), v128.load(at, 48)));
    }
  }
  return i32x4.extract_lane(i32x4.add(a, b), 0);
}`;

const coldBytes = 96 * 2 ** 20, hotBytes = 16 * 2 ** 10;

/** Milliseconds that this process computed since `from`: whatever else the machine did meanwhile does not count. */
export function computed(from: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(from);
  return (user + system) / 1000;
}

/** Milliseconds of either yardstick, some 5 each. */
export interface Yardstick { read: () => number; multiply: () => number }

export async function yardstick(): Promise<Yardstick> {
  let binary: Uint8Array<ArrayBuffer> | undefined;
  const args = ['yardstick.ts', '--outFile', 'yardstick.wasm', '--runtime', 'stub', '--enable', 'simd', '-O3', '--importMemory', '--noAssert'];
  const { error, stderr } = await asc.main(args, {
    readFile: (name) => (name === 'yardstick.ts' ? source : null), listFiles: () => [],
    writeFile: (_, bytes) => { if (typeof bytes !== 'string') binary = new Uint8Array(bytes); },
  });
  if (error || !binary) throw new Error(`yardstick: ${error?.message ?? 'no binary'}\n${stderr.toString()}`);
  const memory = new WebAssembly.Memory({ initial: coldBytes / 65536 + 1 }), module = new WebAssembly.Module(binary);
  const { read, multiply } = new WebAssembly.Instance(module, { env: { memory, abort: () => undefined } }).exports as Record<string, (...args: number[]) => number>;
  new Uint8Array(memory.buffer).fill(1);
  const timed = (run: () => void) => (): number => { const from = process.cpuUsage(); run(); return computed(from); };
  const both = { read: timed(() => read!(65536, coldBytes)), multiply: timed(() => multiply!(65536, hotBytes, 20_000)) };
  for (let i = 0; i < 20; i++) { both.read(); both.multiply(); } // until V8 has its best code
  return both;
}
