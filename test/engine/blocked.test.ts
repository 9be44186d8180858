/** A host that may not compile WebAssembly says so in words of its own; ours are the same for all. Chromium itself is asked by test:runtimes. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { instantiate } from '../../src/engine/instantiate.ts';
import { ModelError } from '../../src/errors.ts';

const test = suite('WebAssembly that is not allowed');

new Response(); // Node compiles its own WebAssembly when it is first asked for one, which must not be refused

async function refusedWith(message: string): Promise<unknown> {
  const { compile } = WebAssembly;
  try {
    WebAssembly.compile = () => Promise.reject(new WebAssembly.CompileError(message));
    return await instantiate('base').catch((error: unknown) => error);
  } finally {
    WebAssembly.compile = compile;
  }
}

for (const [host, message, remedy] of [
  ['Chromium', "WebAssembly.instantiate(): Compiling or instantiating WebAssembly module violates the following Content Security policy directive because neither 'wasm-eval' nor 'unsafe-eval' is an allowed source of script", /wasm-unsafe-eval/],
  ['Firefox', 'call to WebAssembly.compile() blocked by CSP', /wasm-unsafe-eval/],
  ['Safari', "Refused to create a WebAssembly object because 'unsafe-eval' or 'wasm-unsafe-eval' is not an allowed source of script", /wasm-unsafe-eval/],
  ['workerd', 'WebAssembly.compile(): Wasm code generation disallowed by embedder', /workerd/],
] as const) {
  test(host, async () => {
    const error = await refusedWith(message);
    assert.instance(error, ModelError);
    assert.is((error as ModelError).code, 'E_WASM_BLOCKED');
    assert.match((error as ModelError).remedy, remedy);
    assert.is(((error as ModelError).cause as Error).message, message);
  });
}

test('any other error stays what it is', async () => {
  assert.is((await refusedWith('expected magic word') as Error).message, 'expected magic word');
});

test.run();
