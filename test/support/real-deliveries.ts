import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { simulateDeliveries } from '../../local/github/deliveries.ts';
import type { GithubDelivery } from '../../local/github/deliveries.ts';
import { PROJECT } from '../../scripts/tools.ts';

const FOLDER = path.resolve(PROJECT, '../shared/data/github-webhooks');

/** GitHub's own example payloads where they are there, each as a delivery; else our own invention. */
export function realDeliveries(): GithubDelivery[] {
  if (!existsSync(FOLDER)) return simulateDeliveries(20);
  const events = readdirSync(FOLDER, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return events.flatMap(({ name: event }) =>
    readdirSync(path.join(FOLDER, event)).map((file) => ({
      id: `${event}-${file}`,
      event,
      body: readFileSync(path.join(FOLDER, event, file)),
    })),
  );
}
