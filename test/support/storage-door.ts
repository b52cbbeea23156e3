import { createServer, request as ask } from 'node:http';
import type { AddressInfo } from 'node:net';
import { closeServer } from '../../local/metadata/server.ts';

/** A door before Cloud Storage that lets a writer die at one moment. */
export interface StorageDoor {
  url: string;
  /** Once an object of such a name was written, calls back instead of answering: the write took effect, and its writer never learns so. */
  afterWrite(name: RegExp, then: () => void): void;
  stop(): Promise<void>;
}

/** Name of the object that an upload writes; undefined: the request is none. */
function writtenName(method: string | undefined, url: string): string | undefined {
  const { pathname, searchParams } = new URL(url, 'http://door');
  return method === 'POST' && pathname.startsWith('/upload/') ? (searchParams.get('name') ?? undefined) : undefined;
}

/** Starts a door before a server of Cloud Storage. */
export async function startStorageDoor(target: string): Promise<StorageDoor> {
  let trap: { name: RegExp; then: () => void } | undefined;
  const server = createServer((incoming, outgoing) => {
    const { method, url = '', headers } = incoming;
    const name = writtenName(method, url);
    const passed = ask(target + url, { method, headers: { ...headers, host: new URL(target).host } }, (answer) => {
      const { statusCode = 500 } = answer;
      if (trap && name !== undefined && trap.name.test(name) && statusCode < 300) {
        const { then } = trap;
        trap = undefined;
        answer.resume();
        outgoing.destroy();
        then();
        return;
      }
      outgoing.writeHead(statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    passed.on('error', () => outgoing.destroy());
    incoming.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    afterWrite: (name, then) => (trap = { name, then }),
    stop: () => closeServer(server),
  };
}
