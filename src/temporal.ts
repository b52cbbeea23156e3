import { accessSync, constants } from 'node:fs';
import { loadClientConfigProfile, toClientOptions } from '@temporalio/envconfig';
import type { ClientConfigProfile, ClientConfigTLS, ConfigDataSource } from '@temporalio/envconfig';
import { cupelError } from './errors.ts';

/** TLS of a connection, as both connections of Temporal's SDK take it. */
export interface TemporalTls {
  /** Name that the server's certificate is checked against. Default: the host of the address. */
  serverNameOverride?: string;
  /** Certificate of the authority that signed the server's. Default: those that the system trusts. */
  serverRootCACertificate?: Uint8Array;
  /** Who we are: certificate and key, for a server that asks for mutual TLS. Default: none. */
  clientCertPair?: { crt: Uint8Array; key: Uint8Array };
}

/** How to reach Temporal: what `Connection.connect` and `NativeConnection.connect` take, and the namespace. */
export interface TemporalSettings {
  /** host:port. Default 127.0.0.1:7233. */
  address: string;
  /** Default default. */
  namespace: string;
  /** Turns TLS on, unless TLS is switched off. Default: none. */
  apiKey?: string;
  /** true: with what the system trusts; false: switched off also where an API key would turn it on. Default: plain text. */
  tls?: boolean | TemporalTls;
  /** Headers of every request. Default: none. */
  metadata?: Record<string, string>;
}

type Variables = Record<string, string | undefined>;

const TLS_SWITCHES = ['1', 'true', '0', 'false'];

/** A variable that is set to nothing counts as not set, as compose files and CI set them; headers mean removal by it. */
function given(env: Variables): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && (entry[1] !== '' || entry[0].startsWith('TEMPORAL_GRPC_META_')),
    ),
  );
}

function readable(file: string, what: string): void {
  try {
    accessSync(file, constants.R_OK);
  } catch (error) {
    throw cupelError('CUP_TEMPORAL_CONFIG', { file, expected: `a readable file (${what})` }, error);
  }
}

function profileOf(variables: Record<string, string>): ClientConfigProfile {
  const { TEMPORAL_CONFIG_FILE: file, TEMPORAL_PROFILE: profile, TEMPORAL_TLS: tls } = variables;
  // The package takes every other word for "off": a typo must not send an API key in plain text.
  if (tls !== undefined && !TLS_SWITCHES.includes(tls))
    throw cupelError('CUP_TEMPORAL_CONFIG', { variable: 'TEMPORAL_TLS', expected: TLS_SWITCHES.join(', ') });
  // The package passes over a file that is missing, which is right for the default one only.
  if (file) readable(file, 'TEMPORAL_CONFIG_FILE');
  try {
    return loadClientConfigProfile({ overrideEnvVars: variables });
  } catch (error) {
    const where = { ...(file ? { file } : {}), ...(profile ? { profile } : {}) };
    throw cupelError('CUP_TEMPORAL_CONFIG', { ...where, found: (error as Error).message }, error);
  }
}

function checkTls({ disabled, clientCert, clientKey, serverCACert }: ClientConfigTLS): void {
  if (disabled) return;
  if (!clientCert !== !clientKey)
    throw cupelError('CUP_TEMPORAL_CONFIG', { expected: 'a client certificate together with its key' });
  const files: [string, ConfigDataSource | undefined][] = [
    ['client certificate', clientCert],
    ['client key', clientKey],
    ['certificate of the authority', serverCACert],
  ];
  for (const [what, source] of files) if (source && 'path' in source) readable(source.path, what);
}

function tlsOf(tls: boolean | TemporalTls | null | undefined): Pick<TemporalSettings, 'tls'> {
  if (tls === undefined || tls === null) return {};
  if (typeof tls === 'boolean') return { tls };
  const fields = Object.entries(tls).filter(([, value]) => value !== undefined);
  return { tls: fields.length ? Object.fromEntries(fields) : true };
}

/**
 * Reads how to reach Temporal, as its other tools do: a profile of the file `TEMPORAL_CONFIG_FILE` (default
 * `temporalio/temporal.toml` in the user's configuration folder) named by `TEMPORAL_PROFILE` (default `default`), and over
 * it the variables `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`, `TEMPORAL_TLS…` and `TEMPORAL_GRPC_META_…`.
 *
 * @throws CupelError CUP_TEMPORAL_CONFIG for a profile that is not there or a file that cannot be read
 */
export function temporalSettings(env: Variables = process.env): TemporalSettings {
  const profile = profileOf(given(env));
  if (profile.tls) checkTls(profile.tls);
  const { connectionOptions } = toClientOptions(profile);
  const metadata = profile.grpcMeta ?? {};
  return {
    address: profile.address ?? '127.0.0.1:7233',
    namespace: profile.namespace ?? 'default',
    ...(profile.apiKey ? { apiKey: profile.apiKey } : {}),
    ...tlsOf(connectionOptions.tls),
    ...(Object.keys(metadata).length ? { metadata } : {}),
  };
}
