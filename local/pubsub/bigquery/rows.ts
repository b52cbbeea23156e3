import { attributesWithKey, isoTime } from '../messages.ts';
import type { Message } from '../messages.ts';
import type { SubscriptionSpec } from '../resources.ts';
import type { AvroCodec } from '../schemas/avro-codec.ts';
import { avroFits, avroValue } from './avro-columns.ts';
import type { Column, Columns } from './columns.ts';
import { jsonRow } from './json-columns.ts';

/** The row of a message, as insertAll takes it. Throws Error, with what is wrong, for a message that makes none. */
export type RowWriter = (message: Message) => Record<string, unknown>;

/** What a writer is made for. */
export interface RowSource {
  spec: SubscriptionSpec;
  columns: Columns;
  /** Revisions of the topic's schema that messages may have. */
  codecs: AvroCodec[];
  decode(message: Message): { value: unknown; codec: AvroCodec };
}

/** Types that the metadata columns may have. */
const METADATA: Record<string, string[]> = {
  subscription_name: ['STRING'],
  message_id: ['STRING'],
  publish_time: ['TIMESTAMP'],
  attributes: ['STRING', 'JSON'],
};

const DATA_TYPES = ['BYTES', 'STRING', 'JSON'];

/** Makes rows for a table; undefined: its columns do not fit the subscription (SCHEMA_MISMATCH). */
export function rowWriter(source: RowSource): RowWriter | undefined {
  const { spec, columns } = source;
  const { bigqueryConfig: config } = spec;
  const metadata = config?.writeMetadata ? METADATA : {};
  for (const [name, types] of Object.entries(metadata)) if (!typed(columns.get(name), types)) return undefined;
  const content = config?.useTopicSchema
    ? byTopicSchema(source, Object.keys(metadata))
    : config?.useTableSchema
      ? byTableSchema(source, Object.keys(metadata))
      : byData(columns, Object.keys(metadata));
  if (!content || !config?.writeMetadata) return content;
  return (message) => ({ ...content(message), ...metadataOf(message, spec.name) });
}

function typed(column: Column | undefined, types: string[]): boolean {
  return !!column && types.includes(column.type) && column.mode !== 'REPEATED';
}

function metadataOf(message: Message, subscription: string): Record<string, unknown> {
  return {
    subscription_name: subscription,
    message_id: message.messageId,
    publish_time: isoTime(message.publishTime),
    attributes: JSON.stringify(attributesWithKey(message)),
  };
}

/** Columns that nothing writes must let it be so. */
function othersNullable(columns: Columns, written: Iterable<string>): boolean {
  const names = new Set(written);
  return [...columns].every(([name, { mode }]) => names.has(name) || mode !== 'REQUIRED');
}

/** The whole message in one column. */
function byData(columns: Columns, metadata: string[]): RowWriter | undefined {
  const column = columns.get('data');
  if (!typed(column, DATA_TYPES) || !othersNullable(columns, ['data', ...metadata])) return undefined;
  return ({ data = Buffer.alloc(0) }) => ({ data: dataValue(data, column?.type ?? '') });
}

function dataValue(data: Buffer, type: string): string {
  if (type === 'BYTES') return data.toString('base64');
  const text = utf8(data);
  if (type === 'JSON') parsed(text);
  return text;
}

function utf8(data: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
  } catch {
    throw new Error('data is no UTF-8');
  }
}

function parsed(text: string): void {
  try {
    JSON.parse(text);
  } catch {
    throw new Error('data is no JSON');
  }
}

/** A field of the message per column. */
function byTableSchema({ spec, columns }: RowSource, metadata: string[]): RowWriter {
  const own: Columns = new Map([...columns].filter(([name]) => !metadata.includes(name)));
  const drop = spec.bigqueryConfig?.dropUnknownFields ?? false;
  return ({ data }) => jsonRow(utf8(data ?? Buffer.alloc(0)), own, drop);
}

/** A field of the topic's schema per column. */
function byTopicSchema({ spec, columns, codecs, decode }: RowSource, metadata: string[]): RowWriter | undefined {
  const drop = spec.bigqueryConfig?.dropUnknownFields ?? false;
  const own: Columns = new Map([...columns].filter(([name]) => !metadata.includes(name)));
  if (!codecs.length || !codecs.every(({ definition }) => avroFits(definition, own, drop))) return undefined;
  return (message) => {
    const { value, codec } = decode(message);
    return avroValue(codec.definition, value, own) as Record<string, unknown>;
  };
}
