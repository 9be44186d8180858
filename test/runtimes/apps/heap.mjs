/**
 * Watches the JavaScript heap of a Worker through workerd's inspector until standard input ends, then prints the largest total of a look every
 * 20 ms, and what was there before: { before, peak }, each { used, embedder, backing } in bytes.
 */
const [inspector] = process.argv.slice(2), [target] = await (await fetch(`${inspector}/json`)).json();
const socket = new WebSocket(target.webSocketDebuggerUrl);
await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = reject; });
const waiting = new Map();
let id = 0;
socket.onmessage = ({ data }) => { const message = JSON.parse(data); waiting.get(message.id)?.(message); waiting.delete(message.id); };
const call = (method) => new Promise((resolve) => { waiting.set(++id, resolve); socket.send(JSON.stringify({ id, method })); });

const total = ({ used, embedder, backing }) => used + embedder + backing;
const look = async () => {
  const { result, error } = await call('Runtime.getHeapUsage');
  if (error) throw new Error(error.message);
  return { used: result.usedSize, embedder: result.embedderHeapUsedSize ?? 0, backing: result.backingStorageSize ?? 0 };
};
let ended = false, peak = await look();
const before = peak;
process.stdin.on('end', () => { ended = true; }).resume();
console.log('watching');
while (!ended) {
  const now = await look();
  if (total(now) > total(peak)) peak = now;
  await new Promise((resolve) => { setTimeout(resolve, 20); });
}
console.log(JSON.stringify({ before, peak }));
process.exit(0);
