import { readFileSync } from 'node:fs';

/** How to reach Temporal. The variables are those of Temporal's own tools. */
export interface TemporalSettings {
  /** `TEMPORAL_ADDRESS`, default 127.0.0.1:7233. */
  address: string;
  /** `TEMPORAL_NAMESPACE`, default default. */
  namespace: string;
  /** `TEMPORAL_API_KEY`: turns TLS on. */
  apiKey?: string;
  /** TLS with a client certificate: `TEMPORAL_TLS_CLIENT_CERT_PATH` and `TEMPORAL_TLS_CLIENT_KEY_PATH`; without them as the server asks. */
  tls?: true | { clientCertPair: { crt: Buffer; key: Buffer } };
}

function tlsOf(env: Record<string, string | undefined>): TemporalSettings['tls'] {
  const { TEMPORAL_TLS_CLIENT_CERT_PATH: certificate, TEMPORAL_TLS_CLIENT_KEY_PATH: key } = env;
  if (certificate && key) return { clientCertPair: { crt: readFileSync(certificate), key: readFileSync(key) } };
  return env.TEMPORAL_API_KEY || env.TEMPORAL_TLS === 'true' ? true : undefined;
}

/** Reads the environment of a process. */
export function temporalSettings(env: Record<string, string | undefined> = process.env): TemporalSettings {
  const tls = tlsOf(env);
  return {
    address: env.TEMPORAL_ADDRESS || '127.0.0.1:7233',
    namespace: env.TEMPORAL_NAMESPACE || 'default',
    ...(env.TEMPORAL_API_KEY ? { apiKey: env.TEMPORAL_API_KEY } : {}),
    ...(tls ? { tls } : {}),
  };
}
