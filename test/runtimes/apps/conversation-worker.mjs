/** Goes on with the conversation that is posted, as a Worker; ASSETS is a folder of models. */
import { load } from 'clada';
import { goOn } from './conversation.mjs';

export default {
  async fetch(request, env) {
    const get = (name) => env.ASSETS.fetch(new Request(`http://assets/${name}`));
    try {
      const calibration = await (await get('smollm2-135m-instruct-q4_1.clada.gguf')).arrayBuffer();
      const model = await load((await get('smollm2-135m-instruct-q4_1.gguf')).body, { tier: 'base', contextSize: 256, calibration });
      return Response.json(await goOn(model, await request.arrayBuffer()));
    } catch (error) {
      return new Response(error.stack, { status: 500 });
    }
  },
};
