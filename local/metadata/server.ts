import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A running metadata server. */
export interface MetadataServer {
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
      const claims = { iss: 'https://accounts.google.com', aud: audience, email, email_verified: true, sub: '1', iat: now, exp: now + TOKEN_SECONDS };
      const signed = `${header}.${base64url(claims)}`;
      return `${signed}.${sign('RSA-SHA256', Buffer.from(signed), privateKey).toString('base64url')}`;
    },
    check(token: string, audience: string): boolean {
      const [head, payload, signature] = token.split('.');
      if (!head || !payload || !signature) return false;
      if (!verify('RSA-SHA256', Buffer.from(`${head}.${payload}`), publicKey, Buffer.from(signature, 'base64url'))) return false;
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { aud: string; exp: number };
      return claims.aud === audience && claims.exp > Date.now() / 1000;
    },
  };
}

/** Starts what Google's auth library asks on a machine of Google's: project, access tokens and signed ID tokens. */
export async function startMetadata(options: { port?: number; projectId: string }): Promise<MetadataServer> {
  const email = `cupel@${options.projectId}.iam.gserviceaccount.com`;
  const { make, check } = tokens(email);
  const answers: Record<string, (query: URLSearchParams) => string> = {
    '/computeMetadata/v1/project/project-id': () => options.projectId,
    '/computeMetadata/v1/project/numeric-project-id': () => '1',
    '/computeMetadata/v1/universe/universe-domain': () => 'googleapis.com',
    '/computeMetadata/v1/universe/universe_domain': () => 'googleapis.com',
    '/computeMetadata/v1/instance/service-accounts/default/email': () => email,
    '/computeMetadata/v1/instance/service-accounts/default/token': () =>
      JSON.stringify({ access_token: 'local', expires_in: TOKEN_SECONDS - 1, token_type: 'Bearer' }),
    '/computeMetadata/v1/instance/service-accounts/default/identity': (query) => make(query.get('audience') ?? ''),
    '/computeMetadata/v1/instance/service-accounts/': () => JSON.stringify({ default: { email, scopes: [], aliases: ['default'] } }),
    '/computeMetadata/v1/instance': () => '',
    '/': () => 'computeMetadata/',
  };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://metadata');
    const answer = answers[url.pathname] ?? answers[url.pathname.replace(/\/$/, '')];
    response.setHeader('metadata-flavor', 'Google');
    if (!answer) {
      response.writeHead(404).end();
      return;
    }
    const text = answer(url.searchParams);
    response.setHeader('content-type', text.startsWith('{') ? 'application/json' : 'text/plain').end(text);
  });
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    identityToken: make,
    verify: check,
    stop: () => closeServer(server),
  };
}

/** Closes a server and the connections that clients keep alive. */
export function closeServer(server: ReturnType<typeof createServer>): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
