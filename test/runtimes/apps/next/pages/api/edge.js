/** A route in the edge runtime: the model over the network. */
import { load } from 'clada';
import { dense } from '../../conformance.mjs';

export const config = { runtime: 'edge' };

export default async function handler() {
  const { body } = await fetch(process.env.MODEL_URL);
  return Response.json(await dense(await load(body, { contextSize: 256, calibration: false })));
}
