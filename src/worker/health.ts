import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { addressText } from './settings.ts';
import type { ListenAddress } from './settings.ts';

/** What readiness is judged by. */
export interface Checks {
  /** State of each queue's worker, as the SDK names it; RUNNING is right. Empty: none has been made yet. */
  workers(): Record<string, string>;
  /** Whether Temporal answers; an error says why not. */
  temporal(): Promise<void>;
}

/** What `/readyz` answers. */
export interface Readiness {
  ready: boolean;
  workers: Record<string, string>;
  /** `reachable`, or why not. */
  temporal: string;
}

/** Asks whether every worker runs and Temporal answers. */
export async function readiness(checks: Checks): Promise<Readiness> {
  const temporal = await checks.temporal().then(
    () => 'reachable',
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  const workers = checks.workers();
  const states = Object.values(workers);
  const running = states.length > 0 && states.every((state) => state === 'RUNNING');
  return { ready: running && temporal === 'reachable', workers, temporal };
}

/**
 * Answers `GET /healthz` (200 while the process lives) and `GET /readyz` (200 when work is done, else 503, with which part
 * is not ready). Not behind any authentication: it tells nothing but states.
 */
export async function startHealth(
  address: ListenAddress,
  checks: Checks,
): Promise<{ url: string; stop(): Promise<void> }> {
  const server = createServer((request, response) => {
    const answer = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
    };
    const path = new URL(request.url ?? '/', 'http://health').pathname;
    if (request.method !== 'GET' && request.method !== 'HEAD') answer(405, { expected: 'GET' });
    else if (path === '/healthz') answer(200, { alive: true });
    else if (path === '/readyz') void readiness(checks).then((found) => answer(found.ready ? 200 : 503, found));
    else answer(404, { expected: '/healthz or /readyz' });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.port, address.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${addressText({ ...address, port })}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
