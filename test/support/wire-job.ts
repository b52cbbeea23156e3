import { createRequire } from 'node:module';
import type { Root } from 'apache-beam';
import type * as ParDo from 'apache-beam/transforms/pardo';
import type * as Utils from 'apache-beam/transforms/utils';
import { portableRunner } from '../../beam/runners/index.ts';
import { beam, requireForSerialization, step } from '../../beam/sdk.ts';

// A job for what the Kappa job avoids on purpose: elements by the thousand, bare integers, objects, counters. Run as a process with
// the address of a job service; prints one line of JSON with all that came out.

const require = createRequire(import.meta.url);
const { counter } = require('apache-beam/transforms/pardo') as typeof ParDo;
const { reshuffle } = require('apache-beam/transforms/utils') as typeof Utils;

const NUMBERS = [0, -1, 2 ** 31, -(2 ** 31) - 1, 1_750_027_960_897, Number.MAX_SAFE_INTEGER, 0.5, 1e300];
const SEEDS = 40;
const PER_SEED = 500;

const out = {
  numbers: [] as number[],
  texts: [] as string[],
  groups: {} as Record<string, number>,
  sums: {} as Record<string, number>,
};

class Spread {
  *process(
    seed: number,
    { emitted }: { emitted: { increment(): void } },
  ): Iterable<{ key: string; at: number; text: string }> {
    for (let index = 0; index < PER_SEED; index += 1) {
      emitted.increment();
      yield { key: `k${index % 7}`, at: 1_750_027_960_000 + index, text: `${seed}/${index} ${'x'.repeat(200)}` };
    }
  }
}
class KeepNumber {
  process(value: number): void {
    out.numbers.push(value);
  }
}
class KeepText {
  process({ text }: { text: string }, { kept }: { kept: { increment(): void } }): void {
    kept.increment();
    out.texts.push(text);
  }
}
class KeepGroup {
  process({ key, value }: { key: string; value: Iterable<{ at: number }> }): void {
    const all = [...value];
    out.groups[key] = (out.groups[key] ?? 0) + all.length;
    out.sums[key] = (out.sums[key] ?? 0) + all.reduce((sum, { at }) => sum + at, 0);
  }
}
requireForSerialization('cupel/test/wire-job', { Spread, KeepNumber, KeepText, KeepGroup });

type AnyDoFn = Parameters<typeof beam.parDo>[0];
const counting = (doFn: object, context: object) => beam.parDo(doFn as AnyDoFn, context as never);

const job = await portableRunner({ jobEndpoint: process.argv[2] ?? '', jobName: 'wire' }).start((root: Root) => {
  step('keepNumbers', root.apply(beam.withName('numbers', beam.create(NUMBERS))), new KeepNumber());
  const seeds = root.apply(beam.withName('seeds', beam.create(Array.from({ length: SEEDS }, (_, seed) => seed))));
  const spread = seeds.apply(beam.withName('spread', counting(new Spread(), { emitted: counter('emitted') })));
  const again = (spread as typeof seeds).apply(beam.withName('again', reshuffle()));
  again.apply(beam.withName('keepTexts', counting(new KeepText(), { kept: counter('kept') })));
  step('keepGroups', again.apply(beam.withName('group', beam.groupBy('key'))) as never, new KeepGroup());
});
await job.done();
const counters = await job.counters();
console.log(
  `OUT ${JSON.stringify({
    numbers: out.numbers.sort((a, b) => a - b),
    texts: out.texts.length,
    distinct: new Set(out.texts).size,
    groups: out.groups,
    sums: out.sums,
    counters,
  })}`,
);
