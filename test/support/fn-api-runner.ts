import { once } from 'node:events';
import { createRequire } from 'node:module';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { sendUnaryData, ServerDuplexStream, ServerUnaryCall, UntypedServiceImplementation } from '@grpc/grpc-js';

// A runner as small as Beam's Fn API allows: it starts the SDK's worker in this process and gives it bundles of one step, texts in,
// texts out. Run in a process of its own, with or without fixes, which must be installed before startRunner is called.

const require = createRequire(import.meta.url);

interface Writer {
  finish(): Uint8Array;
}

interface Reader {
  pos: number;
  len: number;
}

interface Response {
  instructionId: string;
  error: string;
  response: { oneofKind?: string } & Record<string, unknown>;
}

interface Elements {
  data: { instructionId: string; transformId: string; data: Uint8Array; isLast: boolean }[];
  timers: [];
}

interface Coder {
  encode(value: unknown, writer: Writer, context: string): void;
  decode(reader: Reader, context: string): { value: string };
}

const CONTEXT = 'needsDelimiters';

function sdk() {
  require('apache-beam');
  const load = <T>(path: string) => require(`apache-beam/${path}`) as T;
  return {
    ...load<{ beamFnControlDefinition: never; beamFnDataDefinition: never }>('proto/beam_fn_api.grpc-server'),
    ...load<{ RemoteGrpcPort: { toBinary(port: object): Uint8Array } }>('proto/beam_fn_api'),
    ...load<{ ParDoPayload: { toBinary(payload: object): Uint8Array; create(payload: object): object } }>(
      'proto/beam_runner_api',
    ),
    ...load<{ serializeFn(value: object): Uint8Array }>('internal/serialize'),
    ...load<{ SERIALIZED_JS_DOFN_INFO: string }>('internal/urns'),
    ...load<{ parDo: { urn: string } }>('transforms/pardo'),
    ...load<{ requireForSerialization(name: string, values: object): void }>('serialization'),
    ...load<{
      StrUtf8Coder: new () => object;
      GlobalWindowCoder: new () => object;
      PaneInfoCoder: { ONE_AND_ONLY_FIRING: object };
    }>('coders/standard_coders'),
    ...load<{ FullWindowedValueCoder: new (...of: object[]) => Coder }>('coders/required_coders'),
    ...load<{ GlobalWindow: new () => object }>('values'),
    ...load<{ Worker: new (id: string, endpoints: { controlUrl: string }) => { stop(): void } }>('worker/worker'),
    ...(require(require.resolve('protobufjs', { paths: [require.resolve('apache-beam')] })) as {
      Writer: new () => Writer;
      Reader: new (data: Uint8Array) => Reader;
    }),
    Long: require(require.resolve('long', { paths: [require.resolve('apache-beam')] })) as {
      fromNumber(n: number): object;
    },
  };
}

type Sdk = ReturnType<typeof sdk>;

function descriptorOf(of: Sdk, doFn: object, url: string): object {
  const port = of.RemoteGrpcPort.toBinary({ apiServiceDescriptor: { url }, coderId: 'windowed' });
  const payload = of.ParDoPayload.toBinary(
    of.ParDoPayload.create({
      doFn: { urn: of.SERIALIZED_JS_DOFN_INFO, payload: of.serializeFn({ doFn, context: undefined }) },
    }),
  );
  const transform = (urn: string, bytes: Uint8Array, input?: string, output?: string) => ({
    uniqueName: urn,
    spec: { urn, payload: bytes },
    subtransforms: [],
    inputs: input ? { in: input } : {},
    outputs: output ? { out: output } : {},
    displayData: [],
    annotations: {},
    environmentId: '',
  });
  const coder = (urn: string, ...componentCoderIds: string[]) => ({
    spec: { urn, payload: new Uint8Array() },
    componentCoderIds,
  });
  const collection = (uniqueName: string) => ({
    uniqueName,
    coderId: 'text',
    isBounded: 2,
    windowingStrategyId: 'global',
    displayData: [],
  });
  return {
    id: 'bundle',
    transforms: {
      source: transform('beam:runner:source:v1', port, undefined, 'read'),
      step: transform(of.parDo.urn, payload, 'read', 'written'),
      sink: transform('beam:runner:sink:v1', port, 'written'),
    },
    pcollections: { read: collection('read'), written: collection('written') },
    windowingStrategies: {},
    coders: {
      text: coder('beam:coder:string_utf8:v1'),
      global: coder('beam:coder:global_window:v1'),
      windowed: coder('beam:coder:windowed_value:v1', 'text', 'global'),
    },
    environments: {},
  };
}

/** Starts the runner and a worker for bundles of the step `doFn`, an instance of a class that `classes` names. */
export async function startRunner(doFn: object, classes: Record<string, unknown>) {
  const of = sdk();
  of.requireForSerialization('test', classes);
  const coder = new of.FullWindowedValueCoder(new of.StrUtf8Coder(), new of.GlobalWindowCoder());
  const control = Promise.withResolvers<ServerDuplexStream<Response, unknown>>();
  const channel = Promise.withResolvers<ServerDuplexStream<Elements, Elements>>();
  const waiting = new Map<string, PromiseWithResolvers<Response>>();
  const received = new Map<string, { texts: string[]; whole: PromiseWithResolvers<void> }>();
  const receivedOf = (bundle: string) => {
    const of = received.get(bundle) ?? { texts: [], whole: Promise.withResolvers<void>() };
    received.set(bundle, of);
    return of;
  };
  const refused = Promise.withResolvers<string>();
  const workerIds: unknown[] = [];
  let descriptor: object = {};

  const server = new Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
  server.addService(of.beamFnControlDefinition, {
    control(call: ServerDuplexStream<Response, unknown>) {
      call.on('data', (response: Response) => waiting.get(response.instructionId)?.resolve(response));
      call.on('error', () => undefined);
      control.resolve(call);
    },
    getProcessBundleDescriptor(call: ServerUnaryCall<unknown, unknown>, answer: sendUnaryData<unknown>) {
      workerIds.push(...call.metadata.get('worker_id'));
      answer(null, descriptor);
    },
  } as UntypedServiceImplementation);
  server.addService(of.beamFnDataDefinition, {
    data(call: ServerDuplexStream<Elements, Elements>) {
      call.on('data', ({ data }: Elements) => {
        for (const part of data) {
          const { texts, whole } = receivedOf(part.instructionId);
          const reader = new of.Reader(part.data);
          while (reader.pos < reader.len) texts.push(coder.decode(reader, CONTEXT).value);
          if (part.isLast) whole.resolve();
        }
      });
      call.on('error', () => undefined);
      call.on('cancelled', () => refused.resolve('the worker gave up the data'));
      channel.resolve(call);
    },
  } as UntypedServiceImplementation);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  const url = `127.0.0.1:${port}`;
  descriptor = descriptorOf(of, doFn, url);
  const worker = new of.Worker('worker-1', { controlUrl: url });

  const encode = (texts: string[]): Uint8Array => {
    const writer = new of.Writer();
    const window = { windows: [new of.GlobalWindow()], pane: of.PaneInfoCoder.ONE_AND_ONLY_FIRING };
    for (const value of texts) coder.encode({ value, ...window, timestamp: of.Long.fromNumber(0) }, writer, CONTEXT);
    return writer.finish();
  };
  const instruct = async (instructionId: string, kind: string, asked: object): Promise<Response> => {
    const answer = Promise.withResolvers<Response>();
    waiting.set(instructionId, answer);
    (await control.promise).write({ instructionId, request: { oneofKind: kind, [kind]: asked } });
    return answer.promise;
  };
  return {
    worker,
    /** Worker ids that came with requests for the descriptor. */
    workerIds,
    /** Settles when the worker refuses what it is sent. */
    refused: refused.promise,
    instruct,
    /** Runs a bundle whose input comes in messages of texts, and a last empty one. */
    async bundle(instructionId: string, messages: string[][]): Promise<{ response: Response; texts: string[] }> {
      const processed = instruct(instructionId, 'processBundle', {
        processBundleDescriptorId: 'bundle',
        cacheTokens: [],
      });
      const to = { instructionId, transformId: 'source' };
      const data = await channel.promise;
      for (const texts of messages) data.write({ data: [{ ...to, data: encode(texts), isLast: false }], timers: [] });
      data.write({ data: [{ ...to, data: new Uint8Array(), isLast: true }], timers: [] });
      const response = await processed;
      // Data and control are two streams: what the bundle wrote may come after its answer.
      const { texts, whole } = receivedOf(instructionId);
      if (!response.error) await whole.promise;
      return { response, texts };
    },
    /** Goes away as a runner does that is killed. */
    async vanish(): Promise<void> {
      const ended = once(await control.promise, 'close');
      server.forceShutdown();
      await ended;
    },
  };
}
