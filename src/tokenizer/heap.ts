/** A binary heap of (key, item): the smallest key first, among equals the smallest item. Typed arrays, reused from word to word. */
export class Heap {
  #keys = new Float64Array(64);
  #items = new Int32Array(64);
  #size = 0;

  get size(): number { return this.#size; }

  clear(): void { this.#size = 0; }

  push(key: number, item: number): void {
    if (this.#size === this.#keys.length) this.#grow();
    let i = this.#size++;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.#before(key, item, parent)) break;
      this.#move(parent, i);
      i = parent;
    }
    this.#keys[i] = key;
    this.#items[i] = item;
  }

  /** Key of the first entry. */
  get key(): number { return this.#keys[0]!; }

  /** Takes the first entry's item. */
  pop(): number {
    const first = this.#items[0]!;
    const key = this.#keys[--this.#size]!, item = this.#items[this.#size]!;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= this.#size) break;
      if (child + 1 < this.#size && this.#before(this.#keys[child + 1]!, this.#items[child + 1]!, child)) child++;
      if (this.#before(key, item, child)) break;
      this.#move(child, i);
      i = child;
    }
    this.#keys[i] = key;
    this.#items[i] = item;
    return first;
  }

  #before(key: number, item: number, at: number): boolean {
    const other = this.#keys[at]!;
    return key < other || (key === other && item < this.#items[at]!);
  }

  #move(from: number, to: number): void {
    this.#keys[to] = this.#keys[from]!;
    this.#items[to] = this.#items[from]!;
  }

  #grow(): void {
    const keys = new Float64Array(2 * this.#keys.length), items = new Int32Array(2 * this.#items.length);
    keys.set(this.#keys);
    items.set(this.#items);
    this.#keys = keys;
    this.#items = items;
  }
}
