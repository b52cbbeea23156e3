import { createRequire } from 'node:module';

/** A field of a message, as the protos of Google's client have it. */
export interface Field {
  /** A scalar, or the name of a message or an enum, seen from the message. */
  type: string;
  rule?: 'repeated';
  /** Of a map: the type of its keys. */
  keyType?: string;
}

/** A message, an enum, a service or a package. */
export interface Descriptor {
  nested?: Record<string, Descriptor>;
  fields?: Record<string, Field>;
  oneofs?: Record<string, { oneof: string[] }>;
  /** Of an enum: numbers by name. */
  values?: Record<string, number>;
  methods?: Record<string, Method>;
}

/** How a method is called over HTTP: `google.api.http`. */
export type HttpRule = { body?: string } & Partial<Record<HttpVerb, string>>;
export type HttpVerb = 'get' | 'put' | 'post' | 'patch' | 'delete';

/** A method of a service. */
export interface Method {
  requestType: string;
  responseType: string;
  parsedOptions?: { '(google.api.http)'?: HttpRule }[];
}

/** A type with its full name, dotted. */
export interface Named {
  name: string;
  descriptor: Descriptor;
}

/** Pub/Sub's own protos, as they come with Google's client. */
export class Protos {
  readonly #root = createRequire(import.meta.url)('@google-cloud/pubsub/build/protos/protos.json') as Descriptor;

  /**
   * A type by its name, seen from a message or a package.
   *
   * @throws Error for a name that is not there
   */
  find(type: string, from: string): Named {
    const scope = from.split('.');
    for (;;) {
      const name = [...scope, type].join('.');
      const descriptor = this.#at(name);
      if (descriptor) return { name, descriptor };
      if (!scope.pop()) throw new Error(`no type ${type} in the protos`);
    }
  }

  #at(name: string): Descriptor | undefined {
    return name.split('.').reduce<Descriptor | undefined>((at, part) => at?.nested?.[part], this.#root);
  }
}
