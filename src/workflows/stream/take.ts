import type { StreamSeen } from '../../activities/streams.ts';
import type { StreamState } from './messages.ts';

/** Hours of publishing that are kept in mind. */
const HOURS_KEPT = 2;

/** The least hour of Bronze of either, by hour of publishing, of the newest such hours. */
function joinHours(a: Record<string, string>, b: Record<string, string>): Record<string, string> {
  const least = (hour: string): string =>
    [a[hour], b[hour]].flatMap((from) => from ?? []).reduce((x, y) => (x < y ? x : y));
  const hours = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort().slice(-HOURS_KEPT);
  return Object.fromEntries(hours.map((hour) => [hour, least(hour)]));
}

/**
 * Lets batches go that the committer refused. Their messages were acknowledged: what they held is in Bronze only, and a run over
 * Bronze says what is wrong with it.
 */
function letGo(state: StreamState): void {
  const { open, settled, next } = state.follow;
  const gone = open.filter(({ batchId }) => state.refused.includes(batchId));
  for (const { fromHour } of gone) replayFrom(state, fromHour);
  state.follow = {
    next,
    open: open.filter((batch) => !gone.includes(batch)),
    settled: [...settled, ...gone.map(({ number }) => number)],
  };
}

/** @param hour `YYYY-MM-DDTHH` */
export function replayFrom(state: StreamState, hour: string): void {
  state.replayFrom = hour < (state.replayFrom ?? '9') ? hour : (state.replayFrom ?? hour);
}

/** Takes over what was seen of a stream. */
export function take(state: StreamState, seen: StreamSeen): void {
  state.batches += seen.batches;
  state.messages += seen.messages;
  state.lagSeconds = seen.lagSeconds;
  state.droppedAsLate = seen.droppedAsLate;
  if (seen.newest && seen.newest > (state.settledThrough ?? '')) state.settledThrough = seen.newest;
  state.hours = joinHours(state.hours, seen.hours);
  state.follow = seen.state;
  letGo(state); // the look may have begun before they were refused
  state.refused = [];
}

/** Takes down batches that the committer refused. */
export function noteRefused(state: StreamState, batchIds: string[]): void {
  state.refused = [...new Set([...state.refused, ...batchIds])];
  letGo(state);
}
