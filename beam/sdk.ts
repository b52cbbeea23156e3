import './sdk-fixes/index.ts';
import { createRequire } from 'node:module';
import type * as Beam from 'apache-beam';
import type * as Internal from 'apache-beam/transforms/internal';
import type * as Serialization from 'apache-beam/serialization';
import type * as RequiredCoders from 'apache-beam/coders/required_coders';
import type * as StandardCoders from 'apache-beam/coders/standard_coders';
import type * as Values from 'apache-beam/values';
import type * as Pardo from 'apache-beam/transforms/pardo';
import type * as Windowings from 'apache-beam/transforms/windowings';
import type * as External from 'apache-beam/transforms/external';
import type * as RunnerApi from 'apache-beam/proto/beam_runner_api';
import type * as DirectRunner from 'apache-beam/runners/direct_runner';
import type * as Portable from 'apache-beam/runners/portable_runner/runner';
import type * as Metrics from 'apache-beam/worker/metrics';
import type * as JobApi from 'apache-beam/proto/beam_job_api';

// The SDK is CommonJS whose names ESM cannot see, and its parts import each other in circles: the whole comes first.
const require = createRequire(import.meta.url);

export const beam = require('apache-beam') as typeof Beam;
export const { requireForSerialization } = require('apache-beam/serialization') as typeof Serialization;
export const { directRunner } = require('apache-beam/runners/direct_runner') as typeof DirectRunner;
export const { PortableRunner } = require('apache-beam/runners/portable_runner/runner') as typeof Portable;
export const { JobState_Enum: JobState } = require('apache-beam/proto/beam_job_api') as typeof JobApi;
export const { fixedWindows } = require('apache-beam/transforms/windowings') as typeof Windowings;
export const { rawExternalTransform } = require('apache-beam/transforms/external') as typeof External;
export const {
  AccumulationMode_Enum: AccumulationMode,
  ClosingBehavior_Enum: ClosingBehavior,
  OnTimeBehavior_Enum: OnTimeBehavior,
  OutputTime_Enum: OutputTime,
} = require('apache-beam/proto/beam_runner_api') as typeof RunnerApi;
export const { aggregateMetrics } = require('apache-beam/worker/metrics') as typeof Metrics;
const { withCoderInternal, groupByKey } = require('apache-beam/transforms/internal') as typeof Internal;
const { KVCoder } = require('apache-beam/coders/required_coders') as typeof RequiredCoders;
const { StrUtf8Coder, PaneInfoCoder } = require('apache-beam/coders/standard_coders') as typeof StandardCoders;
const { windowParam, timestampParam, paneInfoParam } = require('apache-beam/transforms/pardo') as typeof Pardo;
const { GlobalWindow } = require('apache-beam/values') as typeof Values;

/** A key and a value, both text: what crosses a GroupByKey. */
export interface KeyedText {
  key: string;
  value: string;
}

type AnyDoFn = Parameters<typeof beam.parDo>[0];

/** What a DoFn's `process` is given beside the element: where that stands. */
export type PlaceContext = Record<'window' | 'timestamp' | 'pane', { lookup(): unknown }>;

/** A named step that applies a DoFn; its `process` gets a {@link PlaceContext}. */
export function step<In, Out>(name: string, input: Beam.PCollection<In>, doFn: object): Beam.PCollection<Out> {
  const context: PlaceContext = { window: windowParam(), timestamp: timestampParam(), pane: paneInfoParam() };
  return input.apply(beam.withName(name, beam.parDo(doFn as AnyDoFn, context))) as unknown as Beam.PCollection<Out>;
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

/** Where an element stands: its windows, its time, and the firing that it came with. */
export interface Place {
  windows: unknown[];
  pane: unknown;
  timestamp: unknown;
}

/** Where elements of a bounded source stand. */
export const GLOBAL: Place = {
  windows: [new GlobalWindow()],
  pane: PaneInfoCoder.ONE_AND_ONLY_FIRING,
  timestamp: MIN_TIMESTAMP,
};

/** Where the element in work stands. To be asked before `process` waits for anything. */
export function placeOf({ window, timestamp, pane }: PlaceContext): Place {
  return { windows: [window.lookup()], timestamp: timestamp.lookup(), pane: pane.lookup() };
}

/** A value as finishBundle must yield it: a bundle has no window of its own. */
export function inPlace<T>(place: Place, value: T): Place & { value: T } {
  return { ...place, value };
}

/** The same for what is in the global window. */
export function inGlobalWindow<T>(value: T): Place & { value: T } {
  return inPlace(GLOBAL, value);
}
