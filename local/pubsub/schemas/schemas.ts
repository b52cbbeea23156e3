import { randomBytes } from 'node:crypto';
import grpc from '@grpc/grpc-js';
import { GrpcError, timestamp } from '../../grpc.ts';
import { alreadyExists, notFound } from '../errors.ts';
import type { Message, Unsent } from '../messages.ts';
import type { Schema, SchemaSettings, Topic } from '../resources.ts';
import type { Journal } from '../state/journal.ts';
import { checkName, invalid } from '../validate.ts';
import { AvroCodec } from './avro-codec.ts';
import type { Encoding } from './avro-codec.ts';

/** Revisions that a schema may have, as on Google. */
const MOST_REVISIONS = 20;

/** Attributes that tell under which schema a message was checked. */
export const SCHEMA_ATTRIBUTES = {
  encoding: 'googclient_schemaencoding',
  name: 'googclient_schemaname',
  revision: 'googclient_schemarevisionid',
} as const;

/** Schemas and their revisions. Methods throw GrpcError NOT_FOUND for a name that is not there. */
export class Schemas {
  readonly #journal: Journal;
  readonly #codecs = new Map<string, AvroCodec>();

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  create(parent: string, id: string, schema: Schema): Schema {
    const name = `${parent}/schemas/${id}`;
    checkName(name, 'schemas');
    if (this.#journal.state.schemas.has(name)) throw alreadyExists(name);
    return this.#add(name, schema);
  }

  /** A revision by `name@revision`, or the latest by `name`. */
  get(nameAndRevision: string): Schema {
    const [name = '', revisionId] = nameAndRevision.split('@');
    const revisions = this.revisions(name);
    const found = revisionId ? revisions.find((one) => one.revisionId === revisionId) : revisions.at(-1);
    if (!found) throw notFound(nameAndRevision);
    return found;
  }

  /** The oldest first. */
  revisions(name: string): Schema[] {
    const found = this.#journal.state.schemas.get(name.split('@')[0] ?? '');
    if (!found) throw notFound(name);
    return found;
  }

  /** Latest revisions of a project (`projects/<id>`). */
  list(project: string): Schema[] {
    const all = [...this.#journal.state.schemas.values()].map((revisions) => revisions.at(-1)!);
    return all.filter(({ name }) => name.startsWith(`${project}/`));
  }

  commit(name: string, schema: Schema): Schema {
    const revisions = this.revisions(name);
    if (schema.type !== revisions[0]?.type) throw invalid('The type of a schema never changes.');
    if (revisions.length >= MOST_REVISIONS)
      throw new GrpcError(grpc.status.RESOURCE_EXHAUSTED, `A schema has at most ${MOST_REVISIONS} revisions.`);
    return this.#add(name, schema);
  }

  /** Makes a former revision the latest, under a new id. */
  rollback(name: string, revisionId: string): Schema {
    return this.commit(name, this.get(`${name}@${revisionId}`));
  }

  /** Answers the latest of those left. */
  deleteRevision(name: string, revisionId: string): Schema {
    const schema = this.get(`${name}@${revisionId}`);
    if (this.revisions(schema.name).length === 1)
      throw new GrpcError(grpc.status.FAILED_PRECONDITION, 'The only revision of a schema cannot be deleted.');
    this.#journal.record({ deletedSchema: schema.name, revisionId });
    return this.get(schema.name);
  }

  delete(name: string): void {
    this.revisions(name);
    this.#journal.record({ deletedSchema: name });
  }

  /** @throws GrpcError INVALID_ARGUMENT for a definition that cannot be read */
  codecOf({ type, definition = '' }: Schema): AvroCodec {
    if (type === 'PROTOCOL_BUFFER')
      throw new GrpcError(grpc.status.UNIMPLEMENTED, 'This server knows AVRO schemas; PROTOCOL_BUFFER is not served.');
    if (type !== 'AVRO') throw invalid('A schema needs a type.');
    const known = this.#codecs.get(definition);
    if (known) return known;
    try {
      const codec = new AvroCodec(definition);
      this.#codecs.set(definition, codec);
      return codec;
    } catch (error) {
      throw invalid(`Invalid schema definition: ${(error as Error).message}`);
    }
  }

  /** @throws GrpcError INVALID_ARGUMENT for a message that is not written under the schema */
  validate(schema: Schema, message: Buffer, encoding: string | undefined): void {
    if (encoding !== 'JSON' && encoding !== 'BINARY') throw invalid('An encoding is needed: JSON or BINARY.');
    const codec = this.codecOf(schema);
    if (!fits(codec, message, encoding)) throw invalid('Invalid data in message: Message failed schema validation.');
  }

  /** @throws GrpcError NOT_FOUND for settings that name no schema, or no revision of it */
  checkSettings({ schema, firstRevisionId, lastRevisionId }: SchemaSettings): void {
    for (const revision of [firstRevisionId, lastRevisionId])
      this.get(revision ? `${schema}@${revision}` : (schema ?? ''));
  }

  /** Of the revisions that a topic (full name) lets messages have, the latest first; none where it has no schema. */
  codecs(topic: string): AvroCodec[] {
    const settings = this.#journal.state.topics.get(topic)?.topic.schemaSettings;
    return settings ? this.#allowed(settings).map((schema) => this.codecOf(schema)) : [];
  }

  /**
   * Messages as their topic sends them on: with the schema's attributes, where it has one.
   *
   * @throws GrpcError INVALID_ARGUMENT for a message that fits no revision
   */
  stamped(topic: Topic, messages: Unsent[]): Unsent[] {
    const { schemaSettings } = topic;
    if (!schemaSettings?.schema) return messages;
    const encoding = schemaSettings.encoding as Encoding;
    const revisions = this.#allowed(schemaSettings).map((schema) => ({ schema, codec: this.codecOf(schema) }));
    return messages.map((message) => {
      const found = revisions.find(({ codec }) => fits(codec, message.data ?? Buffer.alloc(0), encoding));
      if (!found) throw invalid('Invalid data in message: Message failed schema validation.');
      const attributes = {
        ...message.attributes,
        [SCHEMA_ATTRIBUTES.encoding]: encoding,
        [SCHEMA_ATTRIBUTES.name]: found.schema.name,
        [SCHEMA_ATTRIBUTES.revision]: found.schema.revisionId ?? '',
      };
      return { ...message, attributes };
    });
  }

  /** The value of a message that was checked. Throws Error for one that was not, or whose revision is gone. */
  decode({ data, attributes = {} }: Message): { value: unknown; codec: AvroCodec } {
    const name = attributes[SCHEMA_ATTRIBUTES.name];
    if (!name) throw new Error('the message has no schema');
    const codec = this.codecOf(this.get(`${name}@${attributes[SCHEMA_ATTRIBUTES.revision] ?? ''}`));
    const encoding = attributes[SCHEMA_ATTRIBUTES.encoding] as Encoding;
    return { value: codec.decode(data ?? Buffer.alloc(0), encoding), codec };
  }

  /** The latest first; none where the schema is gone. */
  #allowed({ schema = '', firstRevisionId, lastRevisionId }: SchemaSettings): Schema[] {
    const revisions = this.#journal.state.schemas.get(schema) ?? [];
    const at = (id: string | undefined): number => revisions.findIndex(({ revisionId }) => revisionId === id);
    const last = lastRevisionId ? at(lastRevisionId) : revisions.length - 1;
    return revisions.slice(Math.max(0, at(firstRevisionId)), last + 1).toReversed();
  }

  #add(name: string, { type, definition }: Schema): Schema {
    const schema: Schema = {
      name,
      ...(type ? { type } : {}),
      ...(definition ? { definition } : {}),
      revisionId: randomBytes(4).toString('hex'),
      revisionCreateTime: timestamp(),
    };
    this.codecOf(schema);
    this.#journal.record({ schema });
    return schema;
  }
}

function fits(codec: AvroCodec, data: Buffer, encoding: Encoding): boolean {
  try {
    codec.decode(data, encoding);
    return true;
  } catch {
    return false;
  }
}
