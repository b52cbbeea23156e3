import type { LineageEvent } from '../types.ts';

/** A way on which events leave. */
export interface Transport {
  /** What logs and metrics call it. */
  kind: 'file' | 'http';
  /**
   * Sends one event, and tries again where that may help.
   *
   * @param signal ends the trying
   * @throws CupelError CUP_LINEAGE_REFUSED, CUP_LINEAGE_UNAVAILABLE
   */
  send(event: LineageEvent, signal: AbortSignal): Promise<void>;
}
