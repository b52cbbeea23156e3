import { invalid } from '../validate.ts';
import type { Field, Named, Protos } from './descriptor.ts';
import { WELL_KNOWN } from './well-known.ts';

type Json = Record<string, unknown>;

const isObject = (json: unknown): json is Json => typeof json === 'object' && json !== null && !Array.isArray(json);

const INTEGER = /^-?\d{1,20}$/;
const BASE64 = /^[\w+/-]*={0,2}$/;

/** Scalars as they are read; undefined: it is no such value. */
const READ: Record<string, (json: unknown) => unknown> = {
  string: (json) => (typeof json === 'string' ? json : undefined),
  bool: (json) => (typeof json === 'boolean' ? json : undefined),
  bytes: (json) => (typeof json === 'string' && BASE64.test(json) ? Buffer.from(json, 'base64') : undefined),
  int32: (json) => (INTEGER.test(String(json)) ? Number(json) : undefined),
  int64: (json) => (INTEGER.test(String(json)) ? String(json) : undefined),
};

const isDefault = (value: unknown): boolean =>
  value === '' || value === 0 || value === '0' || value === false || (Array.isArray(value) && !value.length);

/** The JSON form of Pub/Sub's messages: that of proto3, with what a query may say of them. */
export class ProtoJson {
  readonly #protos: Protos;

  constructor(protos: Protos) {
    this.#protos = protos;
  }

  /**
   * A message as the gRPC services take it.
   *
   * @throws GrpcError INVALID_ARGUMENT naming the field that is unknown or of another kind
   */
  read({ name, descriptor }: Named, json: unknown, path = ''): Json {
    if (!isObject(json)) throw invalid(`Invalid value${at(path)} (${name}): expected an object.`);
    const message: Json = {};
    for (const [given, value] of Object.entries(json)) {
      const key = given.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
      const field = descriptor.fields?.[key];
      if (!field)
        throw invalid(`Invalid JSON payload received. Unknown name "${given}"${at(path)}: Cannot find field.`);
      if (value !== null) message[key] = this.#readField(field, value, name, path ? `${path}.${given}` : given);
    }
    this.#markOneofs({ name, descriptor }, message, path);
    return message;
  }

  /** The JSON of what a gRPC service answers; fields that have their default are left out. */
  write({ name, descriptor }: Named, message: Json): Json {
    const json: Json = {};
    for (const [key, field] of Object.entries(descriptor.fields ?? {})) {
      const value = message[key];
      if (value === undefined || value === null || isDefault(value)) continue;
      const written = this.#writeField(field, value, name);
      if (written !== undefined) json[key] = written;
    }
    return json;
  }

  /** As the protos' own reader does: which member of a oneof is there. Throws GrpcError for two. */
  #markOneofs({ descriptor }: Named, message: Json, path: string): void {
    for (const [oneof, { oneof: members }] of Object.entries(descriptor.oneofs ?? {})) {
      const [first, second] = members.filter((member) => message[member] !== undefined);
      if (second) throw invalid(`Invalid value${at(path)}: oneof ${oneof} is set by ${first} and ${second}.`);
      if (first) message[oneof] = first;
    }
  }

  #readField(field: Field, json: unknown, scope: string, path: string): unknown {
    if (field.keyType) {
      if (!isObject(json)) throw invalid(`Invalid value${at(path)}: expected an object.`);
      const entries = Object.entries(json);
      return Object.fromEntries(
        entries.map(([key, value]) => [key, this.#readValue(field, value, scope, `${path}[${key}]`)]),
      );
    }
    if (field.rule !== 'repeated') return this.#readValue(field, json, scope, path);
    if (!Array.isArray(json)) throw invalid(`Invalid value${at(path)}: expected a list.`);
    return json.map((value, index) => this.#readValue(field, value, scope, `${path}[${index}]`));
  }

  #readValue({ type }: Field, json: unknown, scope: string, path: string): unknown {
    const scalar = READ[type];
    if (!scalar) return this.#readNamed(this.#protos.find(type, scope), json, path);
    const value = scalar(json);
    if (value === undefined) throw invalid(`Invalid value${at(path)} (TYPE_${type.toUpperCase()}).`);
    return value;
  }

  #readNamed(named: Named, json: unknown, path: string): unknown {
    const { name, descriptor } = named;
    const known = WELL_KNOWN[name];
    if (!known && !descriptor.values) return this.read(named, json, path);
    const value = known ? known.read(json) : enumName(descriptor.values ?? {}, json);
    if (value === undefined) throw invalid(`Invalid value${at(path)} (${name}).`);
    return value;
  }

  #writeField(field: Field, value: unknown, scope: string): unknown {
    const one = (item: unknown): unknown => this.#writeValue(field, item, scope);
    if (field.rule === 'repeated') return (value as unknown[]).map(one);
    if (!field.keyType) return one(value);
    const entries = Object.entries(value as Json);
    return entries.length ? Object.fromEntries(entries.map(([key, item]) => [key, one(item)])) : undefined;
  }

  #writeValue({ type }: Field, value: unknown, scope: string): unknown {
    if (type === 'bytes') return Buffer.from(value as Uint8Array).toString('base64') || undefined;
    if (type === 'int64') return String(value);
    if (READ[type]) return value;
    const named = this.#protos.find(type, scope);
    const known = WELL_KNOWN[named.name];
    if (known) return known.write(value as never);
    if (!named.descriptor.values) return this.write(named, value as Json);
    return named.descriptor.values[String(value)] === 0 ? undefined : value;
  }
}

const at = (path: string): string => (path ? ` at '${path}'` : '');

/** Enums are read by name or by number. */
function enumName(values: Record<string, number>, json: unknown): string | undefined {
  if (typeof json === 'string') return json in values ? json : undefined;
  return Object.keys(values).find((name) => values[name] === json);
}
