/** Connections whose other end reads nothing: what was written to them would wait for ever. */
import type { Server } from 'node:http';

/** Closes connections of which nothing has been read for so long although there is something. Nothing to read, in a queue, is no fault. */
export function closeStalled(node: Server, ms: number): void {
  node.on('request', (_, response) => {
    response.setTimeout(ms, () => { if (response.socket && response.socket.writableLength > 0) response.socket.destroy(); });
  });
}
