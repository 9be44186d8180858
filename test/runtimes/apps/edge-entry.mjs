/** What a platform makes of examples/edge-light/function.js: its handler answers requests. */
import handler from './function.js';

addEventListener('fetch', (event) => event.respondWith(handler(event.request)));
