import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Ports handed out by this process, so that two servers that start side by side never get the same one. */
const taken = new Set<number>();

/**
 * Ports from which ours are taken: below those that systems give to outgoing connections (Linux from 32,768 on, others from 49,152).
 * Of those one might be in use by the time its server listens, or listens again after it died.
 */
const RANGE = { from: 20_000, to: 32_768 };

/** Whether nothing listens on a port of the loopback interface. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(false);
      else reject(error);
    });
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** A TCP port of the loopback interface that nothing listens on now. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(RANGE.from, RANGE.to);
    if (taken.has(port)) continue;
    taken.add(port);
    if (await isFree(port)) return port;
  }
}
