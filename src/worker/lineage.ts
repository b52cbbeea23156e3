import { Runtime } from '@temporalio/worker';
import type { LineageSettings } from '../gcp/env.ts';
import { fileTransport, httpTransport, LineageEmitter } from '../lineage/index.ts';
import type { EmitterReports } from '../lineage/index.ts';

/** Milliseconds that events which wait have to leave when a worker ends. */
export const LINEAGE_CLOSE_MS = 2_000;

/** Logs by the worker's logger, and counts among its metrics. */
function reports(): EmitterReports {
  const { logger, metricMeter } = Runtime.instance();
  const counter = metricMeter.createCounter(
    'cupel_lineage_events',
    undefined,
    'Events of lineage by what became of them',
  );
  return {
    log: { warn: (message, attributes) => logger.warn(message, attributes) },
    count: (by, events) => counter.add(events, { ...by }),
  };
}

/** What events of lineage leave by; undefined where nobody is told. */
export function lineageEmitter(settings: LineageSettings | undefined, told = reports): LineageEmitter | undefined {
  if (!settings) return undefined;
  const { file, http } = settings;
  return new LineageEmitter([...(file ? [fileTransport(file)] : []), ...(http ? [httpTransport(http)] : [])], told());
}
