/** The two sides of the boundary agree on every number and every field, name by name. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ABI_VERSION } from '../../src/engine/instantiate.ts';
import * as enums from '../../src/model/enums.ts';
import { adaptFields, adaptLayerFields, expertFields, layerFields, modelFields, probeFields, reportFields, ropeFields, sequenceFields, teamFields, tokenFields, workspaceFields } from '../../src/model/records.ts';

const assembly = (file: string): string => readFileSync(new URL(`../../assembly/${file}`, import.meta.url), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
const test = suite('abi');

test('enums', () => {
  const source = assembly('abi/enums.ts');
  const found = [...source.matchAll(/const enum (\w+) \{([^}]*)\}/g)].map(([, name, body]) =>
    [name!, Object.fromEntries([...body!.matchAll(/(\w+) = (-?\d+)/g)].map(([, key, value]) => [key!, Number(value)]))] as const);
  assert.is(found.length, 14);
  for (const [name, members] of found) assert.equal(members, { ...(enums as unknown as Record<string, Record<string, number>>)[name] }, name);
});

test('records', () => {
  const source = assembly('abi/records.ts');
  const host = { ModelRecord: modelFields, RopeRecord: ropeFields, LayerRecord: layerFields, ExpertRecord: expertFields, WorkspaceRecord: workspaceFields, TeamRecord: teamFields, TokenRecord: tokenFields, SequenceRecord: sequenceFields, StepReport: reportFields, AdaptRecord: adaptFields, AdaptLayer: adaptLayerFields, ProbeRecord: probeFields };
  const found = [...source.matchAll(/export class (\w+) \{([^}]*)\}/g)];
  assert.equal(found.map(([, name]) => name), Object.keys(host));
  for (const [, name, body] of found) {
    const fields = [...body!.matchAll(/(\w+): (i32|u32|f32);/g)].map(([, field, type]) => [field, type]);
    assert.equal(fields, Object.entries(host[name as keyof typeof host]), name);
  }
});

test('ABI version', () => {
  assert.is(Number(/abiVersion\(\): i32 \{ return (\d+)/.exec(assembly('index.ts'))![1]), ABI_VERSION);
});

test.run();
