import { randomBytes } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import avsc from 'avsc';

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** Avro `long` without loss: a number where it fits, else bigint. */
export const exactLong = avsc.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => {
    const value = buffer.readBigInt64LE();
    return value <= MAX_SAFE && value >= -MAX_SAFE ? Number(value) : value;
  },
  toBuffer: (value: number | bigint) => {
    const buffer = Buffer.alloc(8);
    buffer.writeBigInt64LE(BigInt(value));
    return buffer;
  },
  fromJSON: (value: number) => value,
  toJSON: (value: number) => value,
  isValid: (value: unknown) => typeof value === 'bigint' || Number.isInteger(value),
  compare: (a: number, b: number) => (a < b ? -1 : a > b ? 1 : 0),
});

/** `long`, or `{type: long}` with a logical type, which stays a number here. */
export const isLong = (attributes: unknown): boolean =>
  attributes === 'long' || (attributes as { type?: unknown } | null)?.type === 'long';

function typeFor(schema: unknown): avsc.Type {
  // A fresh copy: avsc takes names out of the object it is given.
  return avsc.Type.forSchema(structuredClone(schema) as avsc.Schema, {
    wrapUnions: false,
    registry: {},
    typeHook: (attributes: unknown) => (isLong(attributes) ? exactLong : undefined) as avsc.Type,
  });
}

function varint(value: number): Buffer {
  let zigzag = BigInt(value) * 2n;
  const bytes: number[] = [];
  do {
    const low = Number(zigzag & 0x7fn);
    zigzag >>= 7n;
    bytes.push(zigzag ? low | 0x80 : low);
  } while (zigzag);
  return Buffer.from(bytes);
}

function prefixed(bytes: Buffer): Buffer {
  return Buffer.concat([varint(bytes.length), bytes]);
}

/**
 * Writes an Avro object container file (Avro spec, "Object Container Files") with one deflated block.
 * The header is written here and not by avsc, which would drop the `field-id` attributes that Iceberg needs.
 */
export function writeContainer(schema: object, metadata: Record<string, string>, records: readonly unknown[]): Buffer {
  const type = typeFor(schema);
  const header = Object.entries({ ...metadata, 'avro.schema': JSON.stringify(schema), 'avro.codec': 'deflate' });
  const sync = randomBytes(16);
  const parts: Buffer[] = [Buffer.from('Obj\x01', 'latin1'), varint(header.length)];
  for (const [key, value] of header) parts.push(prefixed(Buffer.from(key)), prefixed(Buffer.from(value)));
  parts.push(varint(0), sync);
  if (records.length) {
    const block = deflateRawSync(Buffer.concat(records.map((record) => type.toBuffer(record))));
    parts.push(varint(records.length), prefixed(block), sync);
  }
  return Buffer.concat(parts);
}

/** What an Avro object container file holds. */
export interface Container<T> {
  /** The schema that it was written with, as its header has it: with attributes such as `field-id`. */
  schema: unknown;
  records: T[];
}

/** Every record of an Avro object container file, whoever wrote it; throws as {@link readContainerWithSchema} does. */
export async function readContainer<T>(bytes: Buffer): Promise<T[]> {
  return (await readContainerWithSchema<T>(bytes)).records;
}

/**
 * Reads an Avro object container file, whoever wrote it.
 *
 * @throws Error for a file that is none, that has another codec than null or deflate, or that was cut off: it does not end
 *   with its own sync marker
 */
export function readContainerWithSchema<T>(bytes: Buffer): Promise<Container<T>> {
  return new Promise((resolve, reject) => {
    const records: T[] = [];
    let written: unknown;
    const decoder = new avsc.streams.BlockDecoder({
      parseHook: (schema: unknown) => {
        written = schema;
        return typeFor(schema);
      },
      codecs: {
        null: (data: Buffer, done: (error: Error | null, data?: Buffer) => void) => done(null, data),
        deflate: (data: Buffer, done: (error: Error | null, data?: Buffer) => void) => done(null, inflateRawSync(data)),
      },
    });
    let sync: Buffer | undefined;
    decoder.on('metadata', (_type: unknown, _codec: unknown, header: { sync: Buffer }) => (sync = header.sync));
    decoder.on('data', (record: T) => records.push(record));
    decoder.on('end', () => {
      if (sync && bytes.subarray(-sync.length).equals(sync)) resolve({ schema: written, records });
      else reject(new Error('expected a whole Avro object container file'));
    });
    decoder.on('error', reject);
    decoder.end(bytes);
  });
}
