import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A running metadata server. */
export interface MetadataServer {
  port: number;
  /** host:port, for `GCE_METADATA_HOST`. */
  host: string;
  /** An ID token for an audience. */
  identityToken(audience: string): string;
  /** Whether a token is one of ours, for this audience, and not expired. */
  verify(token: string, audience: string): boolean;
  stop(): Promise<void>;
}

const TOKEN_SECONDS = 3_600;

const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function tokens(email: string) {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const header = base64url({ alg: 'RS256', kid: 'local', typ: 'JWT' });
  return {
    make(audience: string): string {
      const now = Math.floor(Date.now() / 1000);
      const claims = {
        iss: 'https://accounts.google.com',
        aud: audience,
        email,
        email_verified: true,
        sub: '1',
        iat: now,
        exp: now + TOKEN_SECONDS,
      };
      const signed = `${header}.${base64url(claims)}`;
      return `${signed}.${sign('RSA-SHA256', Buffer.from(signed), privateKey).toString('base64url')}`;
    },
    check(token: string, audience: string): boolean {
      const [head, payload, signature] = token.split('.');
      if (!head || !payload || !signature) return false;
      if (!verify('RSA-SHA256', Buffer.from(`${head}.${payload}`), publicKey, Buffer.from(signature, 'base64url')))
        return false;
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { aud: string; exp: number };
      return claims.aud === audience && claims.exp > Date.now() / 1000;
    },
  };
}

type Leaf = string | ((query: URLSearchParams) => string);

/** Names of the metadata and what they hold; a directory holds further names. */
interface Directory {
  [name: string]: Leaf | string[] | Directory;
}

const isDirectory = (node: Directory[string] | undefined): node is Directory =>
  typeof node === 'object' && !Array.isArray(node);

/** A request that the real server refuses with 400 too. */
class BadRequest extends Error {}

function account(email: string, make: (audience: string) => string): Directory {
  return {
    aliases: ['default'],
    email,
    scopes: ['https://www.googleapis.com/auth/cloud-platform'],
    identity(query) {
      const audience = query.get('audience');
      if (!audience) throw new BadRequest('non-empty audience parameter required');
      return make(audience);
    },
    token: () => JSON.stringify({ access_token: 'local', expires_in: TOKEN_SECONDS - 1, token_type: 'Bearer' }),
  };
}

function tree(projectId: string, email: string, make: (audience: string) => string): Directory {
  const own = account(email, make);
  return {
    instance: { 'service-accounts': { default: own, [email]: own } },
    project: { 'numeric-project-id': '1', 'project-id': projectId },
    universe: { 'universe-domain': 'googleapis.com' },
  };
}

/** What `?recursive=true` shows: names in camel case, without the leaves that are made on request. */
function shown(node: Directory): object {
  const entries = Object.entries(node).filter(([, value]) => typeof value !== 'function');
  const camel = (name: string): string =>
    name.includes('@') ? name : name.replace(/-(\w)/g, (_, c: string) => c.toUpperCase());
  return Object.fromEntries(entries.map(([name, value]) => [camel(name), isDirectory(value) ? shown(value) : value]));
}

function render(node: Directory[string], query: URLSearchParams): string {
  if (typeof node === 'function') return node(query);
  if (typeof node === 'string') return node;
  if (Array.isArray(node)) return node.join('\n');
  if (query.get('recursive')?.toLowerCase() === 'true') return JSON.stringify(shown(node));
  return Object.entries(node)
    .map(([name, value]) => `${name}${isDirectory(value) ? '/' : ''}\n`)
    .join('');
}

/** The node at a path below `/computeMetadata/v1`. */
function nodeAt(root: Directory, path: string): Directory[string] | undefined {
  let at: Directory[string] | undefined = root;
  for (const name of path.split('/').filter(Boolean)) {
    at = isDirectory(at) && Object.hasOwn(at, name) ? at[name] : undefined;
  }
  return at;
}

function answer(root: Directory, url: URL): { status: number; text: string } {
  if (url.pathname === '/') return { status: 200, text: 'computeMetadata/\n' };
  const path = /^\/computeMetadata\/v1(\/.*)?$/.exec(url.pathname);
  const node = path ? nodeAt(root, decodeURIComponent(path[1] ?? '')) : undefined;
  if (node === undefined) return { status: 404, text: 'Not Found' };
  try {
    return { status: 200, text: render(node, url.searchParams) };
  } catch (error) {
    if (error instanceof BadRequest) return { status: 400, text: error.message };
    throw error;
  }
}

/**
 * Starts what Google's auth library asks on a machine of Google's: project, access tokens and signed ID tokens.
 *
 * @param options.port 0 or none: a free one
 * @param options.email the service account of the tokens
 */
export async function startMetadata(options: {
  port?: number;
  projectId: string;
  email?: string;
}): Promise<MetadataServer> {
  const email = options.email ?? `cupel@${options.projectId}.iam.gserviceaccount.com`;
  const { make, check } = tokens(email);
  const root = tree(options.projectId, email, make);
  const server = createServer((request, response) => {
    response.setHeader('metadata-flavor', 'Google');
    const url = new URL(request.url ?? '/', 'http://metadata');
    // As in the cloud, so that a request forged through some other service gets no token.
    const asked = request.headers['metadata-flavor'] === 'Google' || url.pathname === '/';
    const { status, text } = asked
      ? answer(root, url)
      : { status: 403, text: 'Missing Metadata-Flavor:Google header.' };
    const type = text.startsWith('{') ? 'application/json' : 'text/plain';
    response.writeHead(status, { 'content-type': type }).end(text);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return { port, host: `127.0.0.1:${port}`, identityToken: make, verify: check, stop: () => closeServer(server) };
}

/** Closes a server and the connections that clients keep alive. */
export function closeServer(server: ReturnType<typeof createServer>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // After it stopped listening: a connection that came in between would keep it open.
  server.closeAllConnections();
  return closed;
}
