import { randomUUID } from 'node:crypto';
import { stampedChunk, stampOf } from '../../src/lakehouse/streams/index.ts';
import type { MessageStamp, StreamedMessage } from '../../src/lakehouse/streams/index.ts';
import { contractResources } from '../job-resources.ts';
import { inPlace, placeOf, requireForSerialization } from '../sdk.ts';
import type { KeyedText, Place, PlaceContext } from '../sdk.ts';
import { announceBatch, writeOpenBatch } from '../sinks/open-batch.ts';
import { BLOCK_MESSAGES, STREAM_PARTITION } from '../sources/message-block.ts';
import type { MessageBlock, StagedMessages } from '../sources/message-block.ts';
import type { BatchReference, KappaParameters } from '../threads/messages.ts';
import { decodeMessage } from './pubsub-message.ts';
import { reportMetric } from './report.ts';

/** Messages that a bundle staged for one window. */
interface StagedBlock {
  uri: string;
  stamps: MessageStamp[];
}

/** What a bundle has of one window. */
interface Gathered {
  place: Place;
  messages: StreamedMessage[];
}

/** Under which all blocks of a window come together. */
const PANE = 'pane';

let read = 0;

/** A window's name; that of a fixed one is where it ends. */
function windowName({ windows: [window] }: Place): string {
  return String((window as { end?: unknown } | undefined)?.end ?? 'global');
}

/** Messages → staged blocks, one per window of a bundle: a window's references wait in the runner, and never its messages. */
export class StageMessages {
  readonly parameters: KappaParameters;
  windows: Map<string, Gathered> = new Map();

  constructor(parameters: KappaParameters) {
    this.parameters = parameters;
  }

  startBundle(): void {
    this.windows = new Map();
  }

  process(bytes: Uint8Array, context: PlaceContext): void {
    const place = placeOf(context);
    const name = windowName(place);
    const gathered = this.windows.get(name) ?? { place, messages: [] };
    gathered.messages.push(decodeMessage(bytes, Number(String(place.timestamp))));
    this.windows.set(name, gathered);
  }

  async *finishBundle(): AsyncGenerator<unknown> {
    for (const { place, messages } of this.windows.values()) {
      const { contract, deltas, store } = await contractResources(this.parameters.contract);
      const uri = `${deltas.stageUri('messages', randomUUID())}.json`;
      await store.create(uri, JSON.stringify({ messages } satisfies MessageBlock), 'application/json');
      const stamps = messages.map((message) => stampOf(contract, message));
      yield inPlace<KeyedText>(place, { key: PANE, value: JSON.stringify({ uri, stamps } satisfies StagedBlock) });
      read += messages.length;
      reportMetric('messages_read', read);
    }
  }
}

/** Blocks together, until there are enough messages for a thread to read at once. */
function* inBlocks(blocks: StagedBlock[]): Generator<string[]> {
  let uris: string[] = [];
  let messages = 0;
  for (const { uri, stamps } of blocks) {
    uris.push(uri);
    messages += stamps.length;
    if (messages < BLOCK_MESSAGES) continue;
    yield uris;
    uris = [];
    messages = 0;
  }
  if (uris.length) yield uris;
}

/** All blocks of a window's pane → the batch that they are, as elements that bring it along. */
export class CutBatch {
  readonly parameters: KappaParameters;

  constructor(parameters: KappaParameters) {
    this.parameters = parameters;
  }

  async *process({ value }: { value: Iterable<string> }): AsyncGenerator<string> {
    const blocks = [...value].map((text) => JSON.parse(text) as StagedBlock);
    const resources = await contractResources(this.parameters.contract);
    const { contract, deltas, store } = resources;
    const staged = blocks.map(({ uri }) => uri);
    const chunk = stampedChunk(
      contract,
      blocks.flatMap(({ stamps }) => stamps),
      STREAM_PARTITION,
    );
    const { batchId, table } = chunk;
    const known = await deltas.readManifest(table, batchId);
    if (known) {
      // The same messages delivered again, as the same batch.
      await announceBatch(resources, this.parameters.contract, known);
      for (const uri of staged) await store.delete(uri);
      return;
    }
    const batch: BatchReference = { batchId, table, stage: deltas.stageUri(batchId, randomUUID()) };
    await writeOpenBatch(store, batch, { chunk, staged });
    for (const uris of inBlocks(blocks)) yield JSON.stringify({ staged: uris, batch } satisfies StagedMessages);
  }
}

requireForSerialization('cupel/beam/streaming/pane-fns', { StageMessages, CutBatch });
