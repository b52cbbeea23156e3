import { isDeepStrictEqual } from 'node:util';
import avsc from 'avsc';
import { exactLong, isLong } from '../../../src/formats/avro-container.ts';

/** How a message is written under a schema. */
export type Encoding = 'JSON' | 'BINARY';

/** Reads messages under an Avro schema. */
export class AvroCodec {
  readonly #type: avsc.Type;
  /** The schema as JSON. */
  readonly definition: unknown;

  /** @throws Error for text that is no Avro schema */
  constructor(definition: string) {
    this.definition = JSON.parse(definition);
    this.#type = avsc.Type.forSchema(JSON.parse(definition) as avsc.Schema, {
      registry: {},
      typeHook: (attributes: unknown) => (isLong(attributes) ? exactLong : undefined) as avsc.Type,
    });
  }

  /**
   * The value of a message.
   *
   * @throws Error for one that is not written under this schema
   */
  decode(data: Buffer, encoding: Encoding): unknown {
    if (encoding === 'BINARY') return this.#type.fromBuffer(data) as unknown;
    const text = data.toString('utf8');
    const value = this.#type.fromString(text) as unknown;
    // avsc lets fields pass that no one knows, and fills in those that are missing.
    if (!isDeepStrictEqual(JSON.parse(this.#type.toString(value)), JSON.parse(text)))
      throw new Error('fields are missing or unknown');
    return value;
  }

  /**
   * A value of another revision as this one has it, with defaults for what it lacks.
   *
   * @throws Error where Avro's rules of schema resolution do not allow it
   */
  adopt(value: unknown, from: AvroCodec): unknown {
    if (from === this) return value;
    return this.#type.fromBuffer(from.#type.toBuffer(value), this.#type.createResolver(from.#type)) as unknown;
  }
}
