import type { HttpRule, HttpVerb, Method, Named, Protos } from './descriptor.ts';

/** A method of a service, as it is called over HTTP. */
export interface Route {
  /** Name of the service, and of its handler: `Publisher`, `createTopic`. */
  service: string;
  handler: string;
  request: Named;
  response: Named;
  /** The field of the request that the body is; `*`: the whole. Default: there is no body. */
  body?: string;
}

/** A route, and what the path says of the request. */
export interface Match extends Route {
  /** Fields of the request, dotted, by what the path has for them. */
  variables: Record<string, string>;
}

type Entry = Route & { verb: string; pattern: RegExp; names: string[] };

const PACKAGE = 'google.pubsub.v1';
const VERBS: HttpVerb[] = ['get', 'put', 'post', 'patch', 'delete'];

/** `/v1/{topic=projects/*\/topics/*}:publish` as a pattern; the last part of a name holds no colon, since an action follows one. */
function compile(template: string): { pattern: RegExp; names: string[] } {
  const names: string[] = [];
  const pattern = template.replace(/\{([\w.]+)=([^}]+)\}/g, (_, name: string, path: string) => {
    names.push(name);
    return `(${path.replace(/\*$/, '[^/:]+').replaceAll('*', '[^/]+')})`;
  });
  return { pattern: new RegExp(`^${pattern}$`), names };
}

function entryOf(protos: Protos, service: string, name: string, method: Method, rule: HttpRule): Entry {
  const verb = VERBS.find((of) => rule[of]);
  if (!verb) throw new Error(`no verb in the HTTP rule of ${service}.${name}`);
  return {
    service,
    handler: name.charAt(0).toLowerCase() + name.slice(1),
    request: protos.find(method.requestType, PACKAGE),
    response: protos.find(method.responseType, PACKAGE),
    ...(rule.body ? { body: rule.body } : {}),
    verb: verb.toUpperCase(),
    ...compile(rule[verb] ?? ''),
  };
}

/** Every method that Pub/Sub's protos give an address, by those addresses. */
export class Routes {
  readonly #entries: Entry[] = [];

  constructor(protos: Protos, services: readonly string[]) {
    for (const service of services) {
      const { methods = {} } = protos.find(service, PACKAGE).descriptor;
      for (const [name, method] of Object.entries(methods)) {
        const rule = method.parsedOptions?.find((option) => option['(google.api.http)'])?.['(google.api.http)'];
        if (rule) this.#entries.push(entryOf(protos, service, name, method, rule));
      }
    }
  }

  /** Throws URIError for a path that is not encoded as one. */
  find(verb: string, path: string): Match | undefined {
    for (const { pattern, names, ...route } of this.#entries) {
      const found = route.verb === verb ? pattern.exec(path) : null;
      if (!found) continue;
      const values = found.slice(1).map(decodeURIComponent);
      return { ...route, variables: Object.fromEntries(names.map((name, index) => [name, values[index] ?? ''])) };
    }
    return undefined;
  }
}
