/** The host's sizes of layouts and their forms are the engine's: every layout, every dtype, shapes that fit and some that do not. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { dtypes } from '../../src/format/gguf/types.ts';
import type { DtypeName, LayoutName } from '../../src/model/layouts.ts';
import { Layout, columnFormBytes, heldAs, layoutBytes, rowFormBytes } from '../../src/model/layouts.ts';
import { listRoom } from '../../src/model/forms.ts';
import { Kernels } from '../helpers/kernels.ts';

const test = suite('layouts');
const k = new Kernels('base', 64);
const names = Object.keys(Layout) as LayoutName[], matrices = names.filter((name) => name !== 'none' && name !== 'vector');

test('bytes of a matrix', () => {
  for (const name of names) for (const [rows, cols] of [[1, 256], [7, 512], [8, 256], [9, 768], [576, 1536]] as const) {
    if (name === 'vector' && rows === 1) continue; // the host pads single vectors to 8 values
    assert.is(layoutBytes(name, rows, cols), k.call('layoutBytes', Layout[name], rows, cols), `${name} ${rows}x${cols}`);
  }
});

test('bytes of a matrix by rows, by columns', () => {
  for (const name of matrices) for (const rows of [1, 8, 31, 576]) for (const cols of [32, 33, 64, 96, 128, 160, 192, 224, 256, 512, 576, 1536]) {
    assert.is(rowFormBytes(name, rows, cols), rows * k.call('rowBytes', Layout[name], cols), `${name} ${rows}x${cols}, rows`);
    assert.is(columnFormBytes(name, rows, cols), k.call('columnBytes', Layout[name], rows, cols), `${name} ${rows}x${cols}, columns`);
  }
});

test('room for a list of inputs with its kind', () => {
  for (const cols of [32, 64, 96, 256, 288, 576, 896, 1536, 4864, 8960]) assert.ok(listRoom(cols) >= 16 + k.call('columnsScratch', cols), String(cols));
});

test('every dtype is held in its layout and no other', () => {
  for (const name of Object.keys(heldAs) as DtypeName[]) for (const layout of matrices) {
    k.reset();
    const src = k.alloc(8 * dtypes[name].typeSize * 256 / dtypes[name].blockSize), dst = k.alloc(layoutBytes(layout, 8, 256));
    assert.is(k.call('repack', dtypes[name].id, Layout[layout], src, dst, 8, 256), layout === heldAs[name] ? 0 : -1, `${name} as ${layout}`);
    k.checkCanaries();
  }
});

test.run();
