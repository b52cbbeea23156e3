import { createHmac } from 'node:crypto';
import { below, pick, seeded } from '../usgs/simulator/random.ts';
import type { Random } from '../usgs/simulator/random.ts';

/** A delivery as GitHub sends it, not yet signed. */
export interface GithubDelivery {
  /** `X-GitHub-Delivery` */
  id: string;
  /** `X-GitHub-Event` */
  event: string;
  body: Buffer;
}

const REPOSITORIES = ['cupel/refinery', 'cupel/assay', 'quakes/viewer'];
const PEOPLE = ['ada', 'grace', 'katherine', 'inge', 'beno'];

function repositoryOf(fullName: string): object {
  const [owner = '', name = ''] = fullName.split('/');
  const id = 1_000 + REPOSITORIES.indexOf(fullName);
  return { id, name, full_name: fullName, private: false, owner: { login: owner, id: id * 10, type: 'Organization' } };
}

const userOf = (login: string): object => ({ login, id: 500 + PEOPLE.indexOf(login), type: 'User' });

/** What is particular to each event. */
const EVENTS: Record<string, (random: Random, number: number) => object> = {
  push: (random) => ({
    ref: 'refs/heads/main',
    before: '0'.repeat(40),
    commits: Array.from({ length: 1 + below(random, 3) }, (_, index) => ({ id: `${index}`.padStart(40, 'a') })),
  }),
  issues: (random, number) => ({
    action: pick(random, ['opened', 'closed', 'labeled']),
    issue: { number, title: `Issue ${number}`, state: 'open' },
  }),
  issue_comment: (_, number) => ({
    action: 'created',
    issue: { number },
    comment: { id: number, body: 'Seen “here” too' },
  }),
  star: (random) => ({ action: pick(random, ['created', 'deleted']), starred_at: null }),
  label: (_, number) => ({ action: 'created', label: { id: number, name: `label-${number}`, color: 'cccccc' } }),
  ping: (_, number) => ({ zen: 'Keep it logically awesome.', hook_id: number }),
};

const hex = (random: Random, digits: number): string =>
  Array.from({ length: digits }, () => below(random, 16).toString(16)).join('');

/** Deliveries in GitHub's shape, our own invention, the same for the same seed. */
export function simulateDeliveries(count: number, seed = 1): GithubDelivery[] {
  const random = seeded(seed);
  return Array.from({ length: count }, (_, number) => {
    const event = pick(random, Object.keys(EVENTS));
    const repository = repositoryOf(pick(random, REPOSITORIES));
    const payload = { ...EVENTS[event]?.(random, number), repository, sender: userOf(pick(random, PEOPLE)) };
    const id = `${hex(random, 8)}-${hex(random, 4)}-4${hex(random, 3)}-a${hex(random, 3)}-${hex(random, 12)}`;
    return { id, event, body: Buffer.from(JSON.stringify(payload)) };
  });
}

/** Headers of a delivery, signed as GitHub signs. */
export function githubHeaders({ id, event, body }: GithubDelivery, secret: string): Record<string, string> {
  return {
    'content-type': 'application/json',
    'user-agent': 'GitHub-Hookshot/local',
    'x-github-delivery': id,
    'x-github-event': event,
    'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
  };
}

/** Sends a delivery. */
export function deliver(url: string, delivery: GithubDelivery, secret: string): Promise<Response> {
  const headers = githubHeaders(delivery, secret);
  return fetch(`${url}/github_events`, { method: 'POST', headers, body: new Uint8Array(delivery.body) });
}
