/** Conformance as a Worker; ASSETS is a folder of models. */
import { load } from 'clada';
import { conformance } from './conformance.mjs';

export default {
  async fetch(_request, env) {
    const get = (name) => env.ASSETS.fetch(new Request(`http://assets/${name}`));
    const model = async () => (await get('smollm2-135m-instruct-q4_1.gguf')).body, calibration = async () => (await get('smollm2-135m-instruct-q4_1.clada.gguf')).arrayBuffer();
    try {
      return Response.json(await conformance({ load, model, calibration }));
    } catch (error) {
      return new Response(error.stack, { status: 500 });
    }
  },
};
