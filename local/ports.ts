import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';

/** Ports handed out by this process, so that two servers that start side by side never get the same one. */
const taken = new Set<number>();

/** A TCP port of the loopback interface that nothing listens on now. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = await new Promise<number>((resolve, reject) => {
      const server = createServer();
      server.on('error', reject);
      server.listen(0, '127.0.0.1', () => {
        const { port } = server.address() as AddressInfo;
        server.close(() => resolve(port));
      });
    });
    if (!taken.has(port)) {
      taken.add(port);
      return port;
    }
  }
}
