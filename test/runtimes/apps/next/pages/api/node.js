/** A route in Node: the model by its path. */
import { load } from 'clada';
import { dense } from '../../conformance.mjs';

export default async function handler(_request, response) {
  const model = await load(process.env.MODEL_PATH, { contextSize: 256, tier: 'base', calibration: false });
  response.json(await dense(model));
}
