/**
 * Watches the JavaScript heap of a Worker through workerd's inspector until standard input ends, then prints the largest total of a look every
 * 20 ms: { peak, last }, each { used, embedder, backing } in bytes.
 */
const [inspector] = process.argv.slice(2), [target] = await (await fetch(`${inspector}/json`)).json();
const socket = new WebSocket(target.webSocketDebuggerUrl);
await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = reject; });
const waiting = new Map();
let id = 0;
socket.onmessage = ({ data }) => { const message = JSON.parse(data); waiting.get(message.id)?.(message); waiting.delete(message.id); };
const call = (method) => new Promise((resolve) => { waiting.set(++id, resolve); socket.send(JSON.stringify({ id, method })); });

const total = ({ used, embedder, backing }) => used + embedder + backing;
let ended = false, peak = { used: 0, embedder: 0, backing: 0 }, last = peak;
process.stdin.on('end', () => { ended = true; }).resume();
console.log('watching');
do {
  const { result, error } = await call('Runtime.getHeapUsage');
  if (error) throw new Error(error.message);
  last = { used: result.usedSize, embedder: result.embedderHeapUsedSize ?? 0, backing: result.backingStorageSize ?? 0 };
  if (total(last) > total(peak)) peak = last;
  await new Promise((resolve) => { setTimeout(resolve, 20); });
} while (!ended);
console.log(JSON.stringify({ peak, last }));
process.exit(0);
