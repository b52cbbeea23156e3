import { sdkModule } from './sdk-module.ts';

// The sink of a bundle sends its buffer when it holds 1 MB, and empties it only after an await. Whatever is emitted until then
// sends all of the buffer again: elements arrive twice and more, and the time grows with the square of their number.

interface Buffer {
  len: number;
  finish(): Uint8Array;
  constructor: unknown;
}

interface SinkOperator {
  buffer: Buffer;
  channel: { sendData(data: Uint8Array): Promise<void> };
  flush(): Promise<void>;
}

const SINK = 'beam:runner:sink:v1';

/** The class is not exported: one is made here only to reach its prototype. */
function sinkPrototype(): SinkOperator {
  const { createOperator } = sdkModule<{ createOperator(id: string, context: unknown): SinkOperator }>(
    'worker/operators',
  );
  const { RemoteGrpcPort } = sdkModule<{ RemoteGrpcPort: { toBinary(port: unknown): Uint8Array } }>(
    'proto/beam_fn_api',
  );
  const payload = RemoteGrpcPort.toBinary({ apiServiceDescriptor: { url: 'none:0' }, coderId: '' });
  const descriptor = { transforms: { any: { spec: { urn: SINK, payload }, inputs: {}, outputs: {} } } };
  const pipelineContext = { getCoder: () => ({}) };
  const context = { descriptor, getReceiver: () => ({}), getDataChannel: () => ({}), pipelineContext };
  const operator = createOperator('any', context);
  const prototype = Object.getPrototypeOf(operator) as SinkOperator;
  if (prototype.constructor.name !== 'DataSinkOperator')
    throw new Error('apache-beam changed: flush-buffer.ts does not fit it');
  return prototype;
}

/** Empties the buffer of a sink as it is sent. */
export function installFlushBuffer(): void {
  sinkPrototype().flush = async function (this: SinkOperator) {
    if (!this.buffer.len) return;
    const data = this.buffer.finish();
    this.buffer = new (this.buffer.constructor as new () => Buffer)();
    await this.channel.sendData(data);
  };
}
