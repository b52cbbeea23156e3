import { parseArgs } from 'node:util';
import { CONTENDERS } from './contender.ts';
import type { ContenderName } from './contender.ts';

/** What can be measured. */
export const PARTS = ['latency', 'rate', 'memory'] as const;
export type Part = (typeof PARTS)[number];

/** What the benchmark was asked. */
export interface StreamingOptions {
  parts: Part[];
  contenders: ContenderName[];
  /** Messages per second of the part `latency`. */
  rates: number[];
  /** Seconds of load at each of them. */
  seconds: number;
  /** Where the search of the highest rate begins. */
  from: number;
  /** Seconds of each trial of the search. */
  trialSeconds: number;
  /** Seconds for which the highest rate must be held. */
  holdSeconds: number;
  /** Messages of the part `memory`. */
  messages: number;
  /** Their rate. Default: the one that the part `rate` found. */
  memoryRate?: number;
}

export const HELP = `Measures a stream from publication until a message is visible in Silver, beside a consumer that only acknowledges and Beam Python.

  npm run bench:streaming -- [options]

  --contenders LIST   of cupel, bare, beam-python; the last is installed into the cache folder (default: cupel,bare)
  --parts LIST        of latency, rate, memory (default: latency)
  --rate LIST         latency: messages per second, one trial each (default: 500,5000)
  --seconds N         latency: of load in each trial (default: 60)
  --from N            rate: messages per second of the first trial (default: 1000)
  --trial-seconds N   rate: of load in each trial of the search (default: 60)
  --hold-seconds N    rate: for which the rate that was found must be held (default: 300)
  --messages N        memory: so many, as an hour at 500 per second has (default: 1800000)
  --memory-rate N     memory: messages per second (default: the highest rate that was held)
`;

function count(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`--${name}: expected a whole number above 0, found ${text}`);
  return value;
}

/** Some of a list of names, in its order. */
function some<T extends string>(name: string, known: readonly T[], text: string): T[] {
  const asked = text.split(',').filter(Boolean);
  const unknown = asked.find((one) => !known.some((other) => other === one));
  if (unknown !== undefined || !asked.length)
    throw new Error(`--${name}: expected some of ${known.join(',')}, found ${unknown ?? 'none'}`);
  return known.filter((one) => asked.includes(one));
}

/**
 * Reads the benchmark's arguments; undefined: help was asked for.
 *
 * @throws Error that names the argument and what was expected
 */
export function readOptions(args: string[]): StreamingOptions | undefined {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const { values } = parseArgs({
    args,
    options: {
      contenders: text('cupel,bare'),
      parts: text('latency'),
      rate: text('500,5000'),
      seconds: text('60'),
      from: text('1000'),
      'trial-seconds': text('60'),
      'hold-seconds': text('300'),
      messages: text('1800000'),
      'memory-rate': { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const parts = some('parts', PARTS, values.parts);
  const memoryRate = values['memory-rate'];
  if (parts.includes('memory') && !parts.includes('rate') && memoryRate === undefined)
    throw new Error('--parts memory: expected --memory-rate, or the part rate with it');
  return {
    parts,
    contenders: some('contenders', CONTENDERS, values.contenders),
    rates: values.rate.split(',').map((one) => count('rate', one)),
    seconds: count('seconds', values.seconds),
    from: count('from', values.from),
    trialSeconds: count('trial-seconds', values['trial-seconds']),
    holdSeconds: count('hold-seconds', values['hold-seconds']),
    messages: count('messages', values.messages),
    ...(memoryRate === undefined ? {} : { memoryRate: count('memory-rate', memoryRate) }),
  };
}
