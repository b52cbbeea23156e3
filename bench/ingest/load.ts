import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import type { SignedDelivery } from './deliveries.ts';

/** How much is asked. */
export interface LoadOptions {
  url: string;
  /** Requests at once, a connection each. */
  concurrency: number;
  seconds: number;
  deliveries: SignedDelivery[];
}

/** What came back. */
export interface LoadResult {
  answered: number;
  /** Answers by status. */
  statuses: Record<number, number>;
  perSecond: number;
  medianMs: number;
  p99Ms: number;
}

function post(agent: Agent, url: string, { headers, body }: SignedDelivery): Promise<number> {
  return new Promise((resolve, reject) => {
    const id = { 'x-github-delivery': randomUUID() };
    const asked = request(url, { agent, method: 'POST', headers: { ...headers, ...id } }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
      response.once('error', reject);
    });
    asked.once('error', reject);
    asked.end(body);
  });
}

/** Milliseconds that so large a share of the requests took at most. */
function percentile(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? NaN;
}

/** Sends deliveries, each with an id of its own, as fast as they are answered: a closed loop over kept connections. */
export async function load({ url, concurrency, seconds, deliveries }: LoadOptions): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const latencies: number[] = [];
  const statuses: Record<number, number> = {};
  const started = performance.now();
  const end = started + seconds * 1000;
  let next = 0;
  const sender = async (): Promise<void> => {
    while (performance.now() < end) {
      const delivery = deliveries[next++ % deliveries.length] as SignedDelivery;
      const asked = performance.now();
      const status = await post(agent, url, delivery);
      latencies.push(performance.now() - asked);
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: concurrency }, sender));
  const took = (performance.now() - started) / 1000;
  agent.destroy();
  const sorted = latencies.sort((a, b) => a - b);
  return {
    answered: sorted.length,
    statuses,
    perSecond: sorted.length / took,
    medianMs: percentile(sorted, 0.5),
    p99Ms: percentile(sorted, 0.99),
  };
}
