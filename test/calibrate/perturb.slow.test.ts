/** The gradient-free scale of a layer on the embedded model, beside the backward pass on the same documents and torch on all of them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { estimateGradientNorms } from '../../src/calibrate/perturb.ts';
import { collectStatistics } from '../../src/calibrate/statistics.ts';
import { calibrationDocuments, correlation, reference } from '../helpers/calibration.ts';
import { embeddedModel, hasShared } from '../helpers/models.ts';

const test = suite('gradient norms from perturbations, embedded model');
const logs = (values: Iterable<number>): number[] => [...values].map((value) => Math.log(value));

(hasShared ? test : test.skip)('scales of all layers are those of the backward pass (needs ../shared)', async () => {
  const documents = calibrationDocuments().slice(0, 6).map((ids) => ids.slice(0, 160));
  const started = process.cpuUsage().user;
  const { layerGradSq: backward } = await collectStatistics(embeddedModel, documents);
  const between = process.cpuUsage().user;
  const { layerGradSq: shaken, nTokens } = await estimateGradientNorms(embeddedModel, documents);
  const seconds = (from: number, to: number): string => ((to - from) / 1e6).toFixed(0);
  console.log(`${nTokens} tokens: backward ${seconds(started, between)} s, perturbations ${seconds(between, process.cpuUsage().user)} s of processor time`);
  for (const [name, want, tolerance] of [['backward pass, same documents', backward, 0.25], ['torch, all documents', reference('layer_grad_sq'), 0.6]] as const) {
    const ratios = Array.from(shaken, (value, layer) => Math.sqrt(value / want[layer]!)); // of c_l, what is used
    const r = correlation(logs(shaken), logs(want));
    console.log(`c_l against ${name}: correlation of logarithms ${r.toFixed(4)}, ratio ${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)}; by layer ${ratios.map((v) => v.toFixed(2)).join(' ')}`);
    assert.ok(r > 0.97, `${name}: correlation ${r}`);
    assert.ok(ratios.every((ratio) => Math.abs(ratio - 1) < tolerance), `${name}: ratios ${ratios.join(' ')}`);
  }
});

test.run();
