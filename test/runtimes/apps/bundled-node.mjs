/** Through a bundler for Node: MODEL → tokens and the digest of their logits. */
import { load } from 'clada';
import { dense } from './conformance.mjs';

load(process.argv[2], { contextSize: 256, tier: 'base', calibration: false }).then(dense).then((result) => console.log(JSON.stringify(result)));
