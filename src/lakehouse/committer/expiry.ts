import type { SnapshotPolicy } from '../../contracts/index.ts';
import type { IcebergTable, Snapshot } from '../iceberg/index.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Snapshots never outnumber this: BigLake refuses metadata over 1 MB. */
export const MAX_SNAPSHOTS = 400;

/** Snapshots above which upkeep expires; at about 1 kB each the metadata stays below 512 kB. */
export const EXPIRE_ABOVE = 380;

/** Most snapshots that one expiry leaves: room until the next, so that not every commit is followed by an expiry. */
const EXPIRE_TO = 300;

/**
 * Which snapshots stay: all of the last hours, then the newest of each hour, then the newest of each day, as the policy says,
 * and never more than {@link MAX_SNAPSHOTS}. The current snapshot always stays.
 *
 * @param snapshots oldest first
 * @param max most that may stay
 */
export function snapshotsToKeep(
  snapshots: readonly Snapshot[],
  nowMs: number,
  max = MAX_SNAPSHOTS,
  { allHours = 1, hourlyDays = 7, dailyDays = 30 }: SnapshotPolicy = {},
): Snapshot[] {
  const seen = new Set<string>();
  const kept: Snapshot[] = [];
  for (const snapshot of [...snapshots].reverse()) {
    const at = snapshot['timestamp-ms'];
    const age = nowMs - at;
    const slot =
      age <= allHours * HOUR
        ? `all ${snapshot['snapshot-id']}`
        : age <= hourlyDays * DAY
          ? `hour ${Math.floor(at / HOUR)}`
          : `day ${Math.floor(at / DAY)}`;
    const wanted = kept.length === 0 || (age <= dailyDays * DAY && !seen.has(slot));
    if (!wanted || kept.length >= max) continue;
    seen.add(slot);
    kept.push(snapshot);
  }
  return kept.reverse();
}

/** A limit for {@link MAX_SNAPSHOTS}, in proportion to the policy's own maximum. */
const share = ({ max = MAX_SNAPSHOTS }: SnapshotPolicy, of: number): number =>
  Math.floor((Math.min(max, MAX_SNAPSHOTS) * of) / MAX_SNAPSHOTS);

/** Whether a table has so many snapshots that some must go after this very commit. */
export function mustExpire(table: IcebergTable, policy: SnapshotPolicy = {}): boolean {
  return table.snapshots.length > share(policy, EXPIRE_ABOVE);
}

/**
 * Expires snapshots by the policy. Only metadata changes: the orphan sweep deletes files that no snapshot needs any more.
 *
 * @returns number of snapshots that went
 * @throws CupelError CUP_COMMIT_CONFLICT, CUP_COMMIT_UNKNOWN
 */
export async function expireSnapshots(
  table: IcebergTable,
  nowMs: number,
  policy: SnapshotPolicy = {},
): Promise<number> {
  const keep = new Set(
    snapshotsToKeep(table.snapshots, nowMs, share(policy, EXPIRE_TO), policy).map((snapshot) =>
      String(snapshot['snapshot-id']),
    ),
  );
  const inRefs = new Set(Object.values(table.metadata.refs ?? {}).map((ref) => String(ref['snapshot-id'])));
  const gone = table.snapshots
    .map((snapshot) => snapshot['snapshot-id'])
    .filter((id) => !keep.has(String(id)) && !inRefs.has(String(id)));
  if (gone.length) await table.removeSnapshots(gone);
  return gone.length;
}
