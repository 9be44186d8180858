/** The package as it is built: its worker is found beside its entry, and keeps no process alive. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { embeddedModel } from '../helpers/models.ts';

const test = suite('worker, built');
const dist = fileURLToPath(new URL('../../dist/', import.meta.url));

test('in Node: an answer, and an end although nothing was closed', () => {
  const script = `import { loadInWorker } from ${JSON.stringify(pathToFileURL(`${dist}node/worker.js`).href)};
    const model = await loadInWorker(${JSON.stringify(embeddedModel)}, { contextSize: 256 });
    console.log(model.info.tier, model.placement.sharedReason);
    console.log(await model.generate('The capital of France is', { temperature: 0, maxTokens: 4 }).text());`;
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', timeout: 60_000 });
  assert.match(out, /^(base|relaxed) not asked for\n.*Paris/);
});

test('the script is named as bundlers look for it, in the entry itself; pages get no engine with it', () => {
  const text = readFileSync(`${dist}worker.js`, 'utf8');
  for (const kind of ['Worker', 'SharedWorker']) assert.match(text, new RegExp(`new ${kind}\\(new URL\\("./worker-main.js", ?import.meta.url\\), ?{`));
  for (const line of text.matchAll(/from ?"([^"]+)"/g)) assert.match(line[1]!, /^\.\/(errors|chunks\/chunk-\w+)\.js$/);
  const bytes = gzipSync(text).length;
  assert.ok(bytes < 6_000, `${bytes} bytes`);
});

test.run();
