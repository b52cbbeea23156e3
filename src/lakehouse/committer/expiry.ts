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
 * Which snapshots stay: all of the last hour, then the newest of each hour for 7 days, then the newest of each day for
 * 30 days, and never more than {@link MAX_SNAPSHOTS}. The current snapshot always stays.
 *
 * @param snapshots oldest first
 * @param max most that may stay
 */
export function snapshotsToKeep(snapshots: readonly Snapshot[], nowMs: number, max = MAX_SNAPSHOTS): Snapshot[] {
  const seen = new Set<string>();
  const kept: Snapshot[] = [];
  for (const snapshot of [...snapshots].reverse()) {
    const at = snapshot['timestamp-ms'];
    const age = nowMs - at;
    const slot =
      age <= HOUR
        ? `all ${snapshot['snapshot-id']}`
        : age <= 7 * DAY
          ? `hour ${Math.floor(at / HOUR)}`
          : `day ${Math.floor(at / DAY)}`;
    const wanted = kept.length === 0 || (age <= 30 * DAY && !seen.has(slot));
    if (!wanted || kept.length >= max) continue;
    seen.add(slot);
    kept.push(snapshot);
  }
  return kept.reverse();
}

/**
 * Expires snapshots by the policy. Only metadata changes: the orphan sweep deletes files that no snapshot needs any more.
 *
 * @returns number of snapshots that went
 * @throws CupelError CUP_COMMIT_CONFLICT, CUP_COMMIT_UNKNOWN
 */
export async function expireSnapshots(table: IcebergTable, nowMs: number): Promise<number> {
  const keep = new Set(
    snapshotsToKeep(table.snapshots, nowMs, EXPIRE_TO).map((snapshot) => String(snapshot['snapshot-id'])),
  );
  const inRefs = new Set(Object.values(table.metadata.refs ?? {}).map((ref) => String(ref['snapshot-id'])));
  const gone = table.snapshots
    .map((snapshot) => snapshot['snapshot-id'])
    .filter((id) => !keep.has(String(id)) && !inRefs.has(String(id)));
  if (gone.length) await table.removeSnapshots(gone);
  return gone.length;
}
