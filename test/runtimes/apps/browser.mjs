/** Conformance in a page, without a bundler: browser.html?model=NAME[&calibration=NAME]; the result is left in `globalThis.result`. */
import { load } from './node_modules/clada/dist/index.js';
import { conformance } from './conformance.mjs';

const { searchParams } = new URL(location.href), get = (name) => fetch(`/models/${searchParams.get(name)}`);
const calibration = async () => searchParams.has('calibration') && (await get('calibration')).arrayBuffer();
globalThis.result = conformance({ load, model: async () => (await get('model')).body, calibration }).then((value) => ({ value }), (error) => ({ error: error.stack }));
