import { createHmac } from 'node:crypto';
import { simulateDeliveries } from '../../local/github/deliveries.ts';

/** A delivery that is signed already: what remains is to give it an id. */
export interface SignedDelivery {
  headers: Record<string, string>;
  body: Buffer;
}

const commit = (number: number): object => ({
  id: String(number).padStart(40, 'c'),
  tree_id: String(number).padStart(40, 'd'),
  distinct: true,
  message: `Refine step ${number}\n\nThe assay of batch ${number} goes before its melt.`,
  timestamp: '2026-01-01T00:00:00Z',
  url: `https://github.com/cupel/refinery/commit/${number}`,
  author: { name: 'Ada', email: 'ada@example.org', username: 'ada' },
  added: [`src/steps/step-${number}.ts`],
  removed: [],
  modified: ['README.md', 'src/steps/index.ts'],
});

/** The body with as many commits more as make it so large; GitHub's pushes are such. */
function enlarged(body: Buffer, bytes: number): Buffer {
  const payload = JSON.parse(body.toString('utf8')) as Record<string, unknown>;
  const commits: object[] = [];
  let size = body.length;
  for (let number = 0; size < bytes; number += 1) {
    commits.push(commit(number));
    size += JSON.stringify(commits.at(-1)).length + 1;
  }
  return Buffer.from(JSON.stringify({ ...payload, commits }));
}

/** Deliveries in GitHub's shape of about so many bytes each. */
export function signedDeliveries(count: number, bytes: number, secret: string): SignedDelivery[] {
  return simulateDeliveries(count).map(({ event, body: small }) => {
    const body = enlarged(small, bytes);
    const signature = createHmac('sha256', secret).update(body).digest('hex');
    const headers = {
      'content-type': 'application/json',
      'content-length': String(body.length),
      'user-agent': 'GitHub-Hookshot/bench',
      'x-github-event': event,
      'x-hub-signature-256': `sha256=${signature}`,
    };
    return { headers, body };
  });
}
