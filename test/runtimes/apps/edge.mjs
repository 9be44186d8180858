/** Conformance as an edge-light function: GET /?model=URL[&calibration=URL] */
import { load } from 'clada';
import { conformance } from './conformance.mjs';

async function answer(request) {
  const { searchParams } = new URL(request.url), get = (name) => fetch(searchParams.get(name));
  const calibration = async () => searchParams.has('calibration') && (await get('calibration')).arrayBuffer();
  return Response.json(await conformance({ load, model: async () => (await get('model')).body, calibration }));
}

addEventListener('fetch', (event) => event.respondWith(answer(event.request).catch((error) => new Response(error.stack, { status: 500 }))));
