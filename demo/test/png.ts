/** Makes a screenshot small: 8-bit RGB(A) PNG in, the same picture in 256 colours out (PNG specification, third edition). */
import { crc32, deflateSync, inflateSync } from 'node:zlib';

const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]), out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}

function paeth(a: number, b: number, c: number): number {
  const p = a + b - c, [pa, pb, pc] = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)];
  return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

interface Picture { width: number; height: number; channels: number; pixels: Uint8Array }

function decode(png: Buffer): Picture {
  let width = 0, height = 0, channels = 0;
  const parts: Buffer[] = [];
  for (let at = 8; at < png.length;) {
    const length = png.readUInt32BE(at), type = png.toString('latin1', at + 4, at + 8), data = png.subarray(at + 8, at + 8 + length);
    if (type === 'IHDR') {
      [width, height, channels] = [data.readUInt32BE(0), data.readUInt32BE(4), data[9] === 6 ? 4 : 3];
      if (data[8] !== 8 || (data[9] !== 2 && data[9] !== 6) || data[12] !== 0) throw new Error('expected an 8-bit RGB or RGBA PNG without interlacing');
    }
    if (type === 'IDAT') parts.push(data);
    at += length + 12;
  }
  const raw = inflateSync(Buffer.concat(parts)), stride = width * channels, pixels = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (stride + 1)]!, row = y * stride;
    for (let x = 0; x < stride; x++) {
      const a = x >= channels ? pixels[row + x - channels]! : 0, b = y > 0 ? pixels[row - stride + x]! : 0, c = x >= channels && y > 0 ? pixels[row - stride + x - channels]! : 0;
      pixels[row + x] = raw[y * (stride + 1) + 1 + x]! + [0, a, b, (a + b) >> 1, paeth(a, b, c)][filter]!;
    }
  }
  return { width, height, channels, pixels };
}

/** The commonest colours, five bits a channel, as palette; every pixel becomes the nearest of them. */
export function shrink(png: Buffer): Buffer {
  const { width, height, channels, pixels } = decode(png), counts = new Map<number, { n: number; sum: [number, number, number] }>();
  const keyOf = (i: number): number => ((pixels[i]! >> 3) << 10) | ((pixels[i + 1]! >> 3) << 5) | (pixels[i + 2]! >> 3);
  for (let i = 0; i < pixels.length; i += channels) {
    const key = keyOf(i), cell = counts.get(key) ?? { n: 0, sum: [0, 0, 0] };
    cell.n++;
    for (const c of [0, 1, 2]) cell.sum[c]! += pixels[i + c]!;
    counts.set(key, cell);
  }
  const palette = [...counts.values()].sort((a, b) => b.n - a.n).slice(0, 256).map(({ n, sum }) => sum.map((value) => Math.round(value / n)));
  const nearest = new Map<number, number>(), rows = Buffer.alloc((width + 1) * height); // filter 0 before every row
  for (let i = 0, k = 0; i < pixels.length; i += channels, k++) {
    const key = keyOf(i);
    let index = nearest.get(key);
    if (index === undefined) {
      const distances = palette.map((colour) => colour.reduce((sum, value, c) => sum + (value - pixels[i + c]!) ** 2, 0));
      nearest.set(key, index = distances.indexOf(Math.min(...distances)));
    }
    rows[Math.floor(k / width) * (width + 1) + 1 + (k % width)] = index;
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3], 8);
  return Buffer.concat([signature, chunk('IHDR', header), chunk('PLTE', Uint8Array.from(palette.flat())), chunk('IDAT', deflateSync(rows, { level: 9, memLevel: 9 })), chunk('IEND', new Uint8Array())]);
}
