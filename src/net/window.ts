/** Downloaded bytes in memory, for as long as somebody needs them: where there is no cache, or no room in it. */
import type { Stretch } from './cache.ts';

export class Window {
  #pieces: { start: number; bytes: Uint8Array }[] = [];

  /** Keeps a copy. */
  write(start: number, bytes: Uint8Array): void {
    this.#pieces.push({ start, bytes: bytes.slice() });
  }

  /** Copies what it has from `offset` on without a gap; resolves to how much. */
  read(offset: number, target: Uint8Array): number {
    let done = 0;
    for (let piece; done < target.length; done += piece) {
      const at = offset + done, holder = this.#pieces.find(({ start, bytes }) => start <= at && at < start + bytes.length);
      if (!holder) break;
      const part = holder.bytes.subarray(at - holder.start, at - holder.start + target.length - done);
      target.set(part, done);
      piece = part.length;
    }
    return done;
  }

  /** Forgets pieces that end at or before `offset`; returns their stretches. */
  drop(offset: number): Stretch[] {
    const old = this.#pieces.filter(({ start, bytes }) => start + bytes.length <= offset);
    if (old.length > 0) this.#pieces = this.#pieces.filter((piece) => !old.includes(piece));
    return old.map(({ start, bytes }) => [start, start + bytes.length]);
  }
}
