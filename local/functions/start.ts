import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { closeServer } from '../metadata/server.ts';
import { hostFunction } from './host.ts';

/** The functions, where they listen. */
export interface Functions {
  pollUrl: string;
  onFinalizeUrl: string;
  triggerUrl: string;
  ingestUrl: string;
  stop(): Promise<void>;
}

/** Anybody may call it: what it takes is signed. */
async function hostPublic(server: Server): Promise<{ url: string; stop(): Promise<void> }> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stop: () => closeServer(server) };
}

/** Loads the functions as they are deployed and serves each on a port of its own. */
export async function startFunctions(verify: (token: string, audience: string) => boolean): Promise<Functions> {
  const [{ server }] = await Promise.all([
    import('../../functions/ingest/index.ts'),
    import('../../functions/poll/index.ts'),
    import('../../functions/on-finalize/index.ts'),
    import('../../functions/trigger/index.ts'),
  ]);
  const [ingest, poll, onFinalize, trigger] = await Promise.all([
    hostPublic(server),
    hostFunction('poll', verify),
    hostFunction('on-finalize', verify),
    hostFunction('trigger', verify),
  ]);
  return {
    pollUrl: poll.url,
    onFinalizeUrl: onFinalize.url,
    triggerUrl: trigger.url,
    ingestUrl: ingest.url,
    async stop() {
      await Promise.all([ingest.stop(), poll.stop(), onFinalize.stop(), trigger.stop()]);
    },
  };
}
