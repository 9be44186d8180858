/** Conformance as a Worker: GET /?model=NAME[&calibration=NAME]; ASSETS is a folder of models. */
import { load } from 'clada';
import { conformance } from './conformance.mjs';

export default {
  async fetch(request, env) {
    const { searchParams } = new URL(request.url), get = (name) => env.ASSETS.fetch(new Request(`http://assets/${searchParams.get(name)}`));
    const model = async () => (await get('model')).body, calibration = async () => searchParams.has('calibration') && (await get('calibration')).arrayBuffer();
    try {
      return Response.json(await conformance({ load, model, calibration }));
    } catch (error) {
      return new Response(error.stack, { status: 500 });
    }
  },
};
