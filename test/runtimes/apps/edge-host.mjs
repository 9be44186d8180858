/**
 * What an edge-light platform does, by the VM that Vercel's tools run: it compiles the binaries that the function imports, evaluates the
 * bundle where bytes cannot be compiled, and hands requests over. BUNDLE WASM_FOLDER URL → the response's body, as it comes.
 */
import { EdgeVM } from '@edge-runtime/vm';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const [bundle, folder, url] = process.argv.slice(2);
const binaries = Object.fromEntries(readdirSync(folder).map((name) => [name, new WebAssembly.Module(readFileSync(join(folder, name)))]));
const vm = new EdgeVM({ extend: (context) => Object.assign(context, { compiledBinaries: binaries, process: { env: process.env } }) });
vm.evaluate(readFileSync(bundle, 'utf8'));
const response = await vm.dispatchFetch(url);
for await (const chunk of response.body) process.stdout.write(chunk);
process.exitCode = response.ok ? 0 : 1;
