/** The chat page at `/`: one file, no framework. What models and people say becomes text nodes, never markup. */

const style = `
:root {
  color-scheme: light dark;
  --line: color-mix(in srgb, currentColor 18%, transparent); --soft: color-mix(in srgb, currentColor 7%, transparent);
}
* { box-sizing: border-box }
body { margin: 0; height: 100dvh; display: flex; flex-direction: column }
body { font: 16px/1.55 system-ui, sans-serif; background: Canvas; color: CanvasText }
header, main > *, form { width: 100%; max-width: 46rem; margin: 0 auto; padding: 0 1rem }
header { display: flex; gap: .75rem; align-items: center; padding: .6rem 1rem; flex-wrap: wrap }
header b { margin-right: auto } header label { font-size: .85rem; opacity: .8 }
select, input, button, textarea { font: inherit; color: inherit; background: Canvas; padding: .3rem .6rem }
select, input, button, textarea { border: 1px solid var(--line); border-radius: .5rem }
header input { width: 4.5rem }
main { flex: 1; overflow-y: auto; border-block: 1px solid var(--line); padding: 1rem 0 }
main > * { white-space: pre-wrap; overflow-wrap: anywhere; margin-block: .75rem }
.user { text-align: right }
.user span { display: inline-block; text-align: left; background: var(--soft); border-radius: 1rem; padding: .45rem .9rem }
.thought { opacity: .6; font-size: .9rem; border-left: 2px solid var(--line) }
.note { opacity: .55; font-size: .8rem }
.error { color: #c4321e }
form { display: flex; gap: .5rem; padding: .8rem 1rem 1.1rem } textarea { flex: 1; resize: none; height: 2.9rem; padding: .6rem .8rem }
button { cursor: pointer; background: var(--soft) } button:disabled { opacity: .4; cursor: default }
`;

const script = `
const $ = (id) => document.getElementById(id), messages = [];
let running, key = sessionStorage.getItem('key') ?? '';
const headers = () => ({ 'content-type': 'application/json', ...(key ? { authorization: 'Bearer ' + key } : {}) });
async function call(path, init) {
  const response = await fetch(path, { ...init, headers: headers() });
  if (response.status !== 401) return response;
  const given = prompt('This server asks for an API key.');
  if (given === null) return response;
  sessionStorage.setItem('key', key = given.trim());
  return call(path, init);
}
const main = document.querySelector('main');
function add(kind, text) {
  const block = document.createElement('div'), span = document.createElement('span');
  block.className = kind; span.textContent = text; block.append(span);
  const atEnd = main.scrollTop + main.clientHeight > main.scrollHeight - 40;
  main.append(block);
  if (atEnd) main.scrollTop = main.scrollHeight;
  return (more) => {
    const stays = main.scrollTop + main.clientHeight > main.scrollHeight - 40;
    span.append(more);
    if (stays) main.scrollTop = main.scrollHeight;
  };
}
async function answer() {
  const controller = running = new AbortController(), began = performance.now();
  let text = '', say, think, usage, rest = '';
  $('send').textContent = 'Stop';
  try {
    const response = await call('v1/chat/completions', { method: 'POST', signal: controller.signal, body: JSON.stringify({
      model: $('model').value, messages, stream: true, stream_options: { include_usage: true },
      ...($('temperature').value === '' ? {} : { temperature: Number($('temperature').value) }),
    }) });
    if (!response.ok) throw (await response.json()).error;
    for (let reader = response.body.pipeThrough(new TextDecoderStream()).getReader(), read; !(read = await reader.read()).done;) {
      const frames = (rest + read.value).split('\\n\\n');
      rest = frames.pop();
      for (const frame of frames) {
        if (frame === 'data: [DONE]') continue;
        const chunk = JSON.parse(frame.slice(6)), delta = chunk.choices?.[0]?.delta ?? {};
        if (chunk.error) throw chunk.error;
        if (chunk.usage) usage = chunk.usage;
        if (delta.reasoning_content) (think ??= add('thought', ''))(delta.reasoning_content);
        if (delta.content) { text += delta.content; (say ??= add('assistant', ''))(delta.content); }
      }
    }
  } catch (error) {
    if (error.name !== 'AbortError') add('error', error.message);
  }
  if (text !== '') messages.push({ role: 'assistant', content: text }); else messages.pop();
  const seconds = (performance.now() - began) / 1000;
  if (usage) {
    const { completion_tokens, prompt_tokens, prompt_tokens_details: { cached_tokens } } = usage;
    const cached = cached_tokens + ' of ' + prompt_tokens + ' of the prompt cached';
    add('note', completion_tokens + ' tokens in ' + seconds.toFixed(1) + ' s, ' + cached);
  }
  running = undefined;
  $('send').textContent = 'Send';
  $('text').focus();
}
document.querySelector('form').addEventListener('submit', (event) => {
  event.preventDefault();
  if (running) { running.abort(); return; }
  const content = $('text').value.trim();
  if (content === '') return;
  $('text').value = '';
  messages.push({ role: 'user', content });
  add('user', content);
  void answer();
});
$('text').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  if (!running) document.querySelector('form').requestSubmit();
});
$('new').addEventListener('click', () => { running?.abort(); messages.length = 0; main.replaceChildren(); $('text').focus(); });
call('v1/models').then((response) => response.json()).then(({ data = [], error }) => {
  if (error) { add('error', error.message); return; }
  $('model').replaceChildren(...data.map(({ id }) => new Option(id, id)));
}).catch((error) => { add('error', error.message); });
`;

const html = (nonce: string): string => `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>clada</title>
<link rel="icon" href="data:,"><style nonce="${nonce}">${style}</style>
<header><b>clada</b><select id="model" aria-label="Model"></select>
<label>Temperature <input id="temperature" type="number" min="0" max="2" step="0.1" placeholder="own"></label>
<button id="new">New chat</button></header>
<main aria-live="polite"></main>
<form><textarea id="text" placeholder="Say something" aria-label="Message" autofocus></textarea>
<button id="send">Send</button></form>
<script nonce="${nonce}">${script}</script></html>
`;

/** The page, with a policy that lets nothing run but its own script, and talks to nobody but this server. */
export function page(): Response {
  const nonce = crypto.randomUUID();
  return new Response(html(nonce), {
    headers: {
      'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer',
      'content-security-policy': `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'; img-src data:; `
        + "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    },
  });
}
