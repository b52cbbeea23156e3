import './sdk-fixes/index.ts';
import { createRequire } from 'node:module';
import type * as Beam from 'apache-beam';
import type * as Internal from 'apache-beam/transforms/internal';
import type * as Serialization from 'apache-beam/serialization';
import type * as RequiredCoders from 'apache-beam/coders/required_coders';
import type * as StandardCoders from 'apache-beam/coders/standard_coders';
import type * as Values from 'apache-beam/values';
import type * as DirectRunner from 'apache-beam/runners/direct_runner';
import type * as Portable from 'apache-beam/runners/portable_runner/runner';
import type * as JobApi from 'apache-beam/proto/beam_job_api';

// The SDK is CommonJS whose names ESM cannot see, and its parts import each other in circles: the whole comes first.
const require = createRequire(import.meta.url);

export const beam = require('apache-beam') as typeof Beam;
export const { requireForSerialization } = require('apache-beam/serialization') as typeof Serialization;
export const { directRunner } = require('apache-beam/runners/direct_runner') as typeof DirectRunner;
export const { PortableRunner } = require('apache-beam/runners/portable_runner/runner') as typeof Portable;
export const { JobState_Enum: JobState } = require('apache-beam/proto/beam_job_api') as typeof JobApi;
const { withCoderInternal, groupByKey } = require('apache-beam/transforms/internal') as typeof Internal;
const { KVCoder } = require('apache-beam/coders/required_coders') as typeof RequiredCoders;
const { StrUtf8Coder, PaneInfoCoder } = require('apache-beam/coders/standard_coders') as typeof StandardCoders;
const { GlobalWindow } = require('apache-beam/values') as typeof Values;

/** A key and a value, both text: what crosses a GroupByKey. */
export interface KeyedText {
  key: string;
  value: string;
}

type AnyDoFn = Parameters<typeof beam.parDo>[0];

/** A named step that applies a DoFn. */
export function step<In, Out>(name: string, input: Beam.PCollection<In>, doFn: object): Beam.PCollection<Out> {
  return input.apply(beam.withName(name, beam.parDo(doFn as AnyDoFn))) as unknown as Beam.PCollection<Out>;
}

/** Groups keyed texts by key. Text coders on both sides avoid the SDK's general coder, which breaks 64-bit integers. */
export function groupTexts(
  name: string,
  texts: Beam.PCollection<KeyedText>,
): Beam.PCollection<{ key: string; value: Iterable<string> }> {
  const coder = new KVCoder(new StrUtf8Coder(), new StrUtf8Coder());
  const coded = texts.apply(beam.withName(`${name}Coder`, withCoderInternal<KeyedText>(coder)));
  return coded.apply(beam.withName(name, groupByKey<string, string>()));
}

const Long = require(require.resolve('long', { paths: [require.resolve('apache-beam')] })) as {
  fromValue(text: string): unknown;
};

/** Least timestamp of Beam, in milliseconds: that of a bounded element. */
const MIN_TIMESTAMP = Long.fromValue('-9223372036854775');

/** A value as finishBundle must yield it: in the global window, since a bundle has no window of its own. */
export function inGlobalWindow<T>(value: T): { value: T; windows: unknown[]; pane: unknown; timestamp: unknown } {
  return { value, windows: [new GlobalWindow()], pane: PaneInfoCoder.ONE_AND_ONLY_FIRING, timestamp: MIN_TIMESTAMP };
}
