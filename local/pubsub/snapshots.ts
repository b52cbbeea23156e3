import { timestamp } from '../grpc.ts';
import { alreadyExists, failedPrecondition, notFound } from './errors.ts';
import { applyMask, epochMs } from './messages.ts';
import type { Snapshot } from './resources.ts';
import type { Journal } from './state/journal.ts';
import { checkName, invalid } from './validate.ts';

const HOUR_MS = 3_600_000;
const WEEK_MS = 7 * 24 * HOUR_MS;

/** Snapshots of subscriptions. Methods throw GrpcError NOT_FOUND for a name that is not there. */
export class Snapshots {
  readonly #journal: Journal;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** Holds the backlog of a subscription, and what will come to its topic, for a week less the age of the oldest message. */
  create(name: string, subscription: string, labels?: Record<string, string>): Snapshot {
    checkName(name, 'snapshots');
    const { snapshots, subscriptions } = this.#journal.state;
    if (snapshots.has(name)) throw alreadyExists(name);
    const stored = subscriptions.get(subscription);
    if (!stored) throw notFound(subscription);
    const [oldest] = stored.pending.values();
    const expires = (oldest ? epochMs(oldest.publishTime) : Date.now()) + WEEK_MS;
    if (expires < Date.now() + HOUR_MS) throw failedPrecondition('The snapshot would expire within an hour.');
    const { topic } = stored.spec;
    const snapshot: Snapshot = {
      name,
      topic,
      expireTime: timestamp(Math.floor(expires)),
      ...(labels ? { labels } : {}),
    };
    this.#journal.record({ snapshot, of: subscription });
    return snapshot;
  }

  get(name: string): Snapshot {
    this.#journal.state.expire(Date.now());
    const found = this.#journal.state.snapshots.get(name);
    if (!found) throw notFound(name);
    return found.snapshot;
  }

  /** Snapshots of a project (`projects/<id>`). */
  list(project: string): Snapshot[] {
    const all = [...this.#journal.state.snapshots.values()].map(({ snapshot }) => snapshot);
    return all.filter(({ name }) => name.startsWith(`${project}/`));
  }

  /** Replaces labels or expiry, as an update names them. */
  update(changes: Snapshot, paths: string[]): Snapshot {
    const current = this.get(changes.name);
    if (paths.some((path) => !/^(labels|expire_?time)/i.test(path)))
      throw invalid('Only labels and expire_time change.');
    const snapshot = applyMask(current, changes, paths);
    this.#journal.record({ snapshot });
    return snapshot;
  }

  delete(name: string): void {
    this.get(name);
    this.#journal.record({ deletedSnapshot: name });
  }
}
