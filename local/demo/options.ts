import { parseArgs } from 'node:util';

/** What the demo was asked. */
export interface DemoOptions {
  /** Folder of recorded polls, `live`, or undefined: our simulator. */
  feed?: string;
  /** Polls generated from this time on, milliseconds since 1970. */
  from?: number;
  /** Polls generated before this time. */
  to?: number;
  state?: string;
  report?: string;
  export?: string;
  keep: boolean;
  /** Whether the polls' records are streamed into Silver, before a batch does the same. Default true. */
  stream: boolean;
}

export const HELP = `Runs the whole lakehouse on this machine: polls → Bronze → Silver (Iceberg) → Gold (Dataform).

  npm run demo -- [options]

  --feed DIR     recorded polls: every *.geojson.gz below DIR (default: three simulated days); "live" polls the real site
  --from T       only polls generated at or after T (UTC, such as 2025-05-04 or 2025-05-04T13:00:00Z)
  --to T         only polls generated before T
  --state DIR    keep all data in DIR and go on with it (default: a fresh folder, removed at the end)
  --report FILE  write what happened as JSON
  --export DIR   write each Silver and Gold table as DIR/<layer>.<table>.ndjson
  --no-stream    batches only: without streaming the polls' records into Silver first, and without the proof that it ends in the same table
  --keep         leave everything running and print its URLs; end it with: npx cupel local down
`;

function time(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = Date.parse(text);
  if (Number.isNaN(ms))
    throw new Error(`--${name}: expected a UTC time such as 2025-05-04 or 2025-05-04T13:00:00Z, found ${text}`);
  return ms;
}

/**
 * Reads the demo's arguments; undefined: help was asked for.
 *
 * @throws Error that names the argument and what was expected
 */
export function readOptions(args: string[]): DemoOptions | undefined {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    allowNegative: true,
    args,
    options: {
      feed: text,
      from: text,
      to: text,
      state: text,
      report: text,
      export: text,
      keep: { type: 'boolean' },
      stream: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return undefined;
  const from = time('from', values.from);
  const to = time('to', values.to);
  return {
    keep: values.keep ?? false,
    stream: values.stream ?? true,
    ...(values.feed ? { feed: values.feed } : {}),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(values.state ? { state: values.state } : {}),
    ...(values.report ? { report: values.report } : {}),
    ...(values.export ? { export: values.export } : {}),
  };
}
