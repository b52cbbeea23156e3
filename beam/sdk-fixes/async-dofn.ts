import './node-24.ts';
import { createRequire } from 'node:module';

// apache-beam 2.49.0 calls startBundle, process and finishBundle of a DoFn and awaits none of them, so a DoFn that does I/O
// loses its output and its errors. The operator class is not exported: one is made here only to reach its prototype.

const require = createRequire(import.meta.url);

interface WindowedValue {
  value: unknown;
  windows: unknown[];
  pane: unknown;
  timestamp: unknown;
}

type Output = Iterable<unknown> | AsyncIterable<unknown> | void;

interface DoFn {
  startBundle?(context: unknown): unknown;
  process(value: unknown, context: unknown): Output | Promise<Output>;
  finishBundle?(context: unknown): Output | Promise<Output>;
}

interface Operator {
  doFn: DoFn;
  augmentedContext: unknown;
  receiver: { receive(value: WindowedValue): unknown };
  paramProvider: { setCurrentValue(value: WindowedValue | undefined): unknown };
  startBundle(): Promise<void>;
  process(value: WindowedValue): unknown;
  finishBundle(): Promise<void>;
}

interface Operators {
  NonPromise: unknown;
  ProcessResultBuilder: new () => { add(result: unknown): void; build(): unknown };
  createOperator(id: string, context: unknown): Operator;
}

function operatorPrototype(operators: Operators): Operator {
  const { parDo } = require('apache-beam/transforms/pardo') as { parDo: { urn: string } };
  const { ParDoPayload } = require('apache-beam/proto/beam_runner_api') as {
    ParDoPayload: { toBinary(payload: unknown): Uint8Array; create(payload: unknown): unknown };
  };
  const { SERIALIZED_JS_DOFN_INFO } = require('apache-beam/internal/urns') as { SERIALIZED_JS_DOFN_INFO: string };
  const { serializeFn } = require('apache-beam/internal/serialize') as { serializeFn(value: unknown): Uint8Array };
  const doFn = { urn: SERIALIZED_JS_DOFN_INFO, payload: serializeFn({ doFn: {}, context: undefined }) };
  const payload = ParDoPayload.toBinary(ParDoPayload.create({ doFn }));
  const transform = { spec: { urn: parDo.urn, payload }, inputs: { in: 'a' }, outputs: { out: 'b' } };
  const descriptor = {
    transforms: { any: transform },
    pcollections: { a: {}, b: {} },
    coders: {},
    windowingStrategies: {},
  };
  const operator = operators.createOperator('any', { descriptor, getReceiver: () => ({}), pipelineContext: {} });
  const prototype = Object.getPrototypeOf(operator) as Operator;
  if (prototype.constructor.name !== 'GenericParDoOperator')
    throw new Error('apache-beam changed: async-dofn.ts does not fit it');
  return prototype;
}

const isPromise = (value: unknown): value is Promise<Output> =>
  typeof (value as { then?: unknown } | undefined)?.then === 'function';
const isAsync = (value: unknown): value is AsyncIterable<unknown> =>
  typeof (value as Record<symbol, unknown> | undefined)?.[Symbol.asyncIterator] === 'function';

/** Replaces a method of a DoFn for one call of the SDK's own code. */
async function withMethod(
  operator: Operator,
  method: 'startBundle',
  replacement: (context: unknown) => void,
  call: () => Promise<void>,
): Promise<void> {
  const original = operator.doFn;
  operator.doFn = Object.create(original, { [method]: { value: original[method] && replacement } }) as DoFn;
  try {
    await call();
  } finally {
    operator.doFn = original;
  }
}

/** Makes the SDK await DoFns; calling it twice changes nothing. */
export function installAsyncDoFns(): void {
  require('apache-beam'); // first, and whole: its parts import each other in circles
  const operators = require('apache-beam/worker/operators') as Operators;
  const prototype = operatorPrototype(operators) as Operator & { cupelAsync?: true };
  if (prototype.cupelAsync) return;
  prototype.cupelAsync = true;
  const { startBundle, process: processSync } = prototype;

  prototype.startBundle = async function (this: Operator) {
    const { doFn } = this;
    let pending: unknown;
    await withMethod(
      this,
      'startBundle',
      (context) => (pending = doFn.startBundle?.(context)),
      () => startBundle.call(this),
    );
    await pending;
  };

  prototype.process = function (this: Operator, element: WindowedValue) {
    const updated = this.paramProvider.setCurrentValue(element);
    // Side inputs and several windows keep the SDK's own path.
    if (updated !== operators.NonPromise || (this.augmentedContext && element.windows.length !== 1))
      return processSync.call(this, element);
    const output = this.doFn.process(element.value, this.augmentedContext);
    if (!output) return operators.NonPromise;
    if (isPromise(output) || isAsync(output)) return emitAll(this, element, output);
    // Synchronous output must stay so: the direct runner's impulse does not wait for what it feeds.
    const result = new operators.ProcessResultBuilder();
    for (const value of output) result.add(emit(this, element, value));
    return result.build();
  };

  prototype.finishBundle = async function (this: Operator) {
    const output = await this.doFn.finishBundle?.(this.augmentedContext);
    if (!output) return;
    for await (const element of output) await this.receiver.receive(element as WindowedValue);
  };
}

function emit(operator: Operator, { windows, pane, timestamp }: WindowedValue, value: unknown): unknown {
  return operator.receiver.receive({ value, windows, pane, timestamp });
}

async function emitAll(
  operator: Operator,
  element: WindowedValue,
  output: Promise<Output> | AsyncIterable<unknown>,
): Promise<void> {
  const values = isPromise(output) ? await output : output;
  if (!values) return;
  for await (const value of values) await emit(operator, element, value);
}
