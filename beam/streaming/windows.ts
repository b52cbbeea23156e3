import type { PCollection } from 'apache-beam';
import { AccumulationMode, beam, ClosingBehavior, fixedWindows, OnTimeBehavior, OutputTime } from '../sdk.ts';

/** Windows by the time of elements, and for how long after its end a window takes late ones. */
export interface WindowOptions {
  windowSeconds: number;
  allowedLatenessSeconds: number;
}

type Strategy = NonNullable<Parameters<typeof beam.windowInto>[1]>;

/** What a windowing adds to its windows. The SDK knows of no lateness but 0, with which runners drop late elements in silence. */
function strategyOf({ allowedLatenessSeconds }: WindowOptions): Omit<Strategy, 'windowFn'> {
  return {
    windowCoderId: '', // these three the SDK sets itself
    mergeStatus: 0,
    assignsToOneWindow: true,
    // The default trigger: one pane when the watermark passes the window's end, then one for whatever comes late.
    trigger: { trigger: { oneofKind: 'default', default: {} } },
    accumulationMode: AccumulationMode.DISCARDING,
    outputTime: OutputTime.END_OF_WINDOW,
    closingBehavior: ClosingBehavior.EMIT_IF_NONEMPTY,
    onTimeBehavior: OnTimeBehavior.FIRE_IF_NONEMPTY,
    allowedLateness: BigInt(allowedLatenessSeconds * 1000),
    environmentId: '',
  };
}

/** Puts elements into fixed windows; a late element makes one more pane, which holds only what is late. */
export function intoWindows<T>(name: string, elements: PCollection<T>, options: WindowOptions): PCollection<T> {
  const windowing = beam.windowInto<T, never>(
    fixedWindows(options.windowSeconds) as never,
    strategyOf(options) as Strategy,
  );
  return elements.apply(beam.withName(name, windowing));
}
