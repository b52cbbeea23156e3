import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporalSettings } from '../../src/temporal.ts';

let folder: string;
let file: string;
/** No configuration of whoever runs the tests. */
const clean = () => ({ HOME: folder, APPDATA: folder, XDG_CONFIG_HOME: folder });

const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('utf8');

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'cupel-temporal-'));
  file = path.join(folder, 'temporal.toml');
  for (const name of ['client.pem', 'client.key', 'ca.pem']) await writeFile(path.join(folder, name), name);
  await writeFile(
    file,
    `[profile.local]
address = "127.0.0.1:7234"
namespace = "cupel"

[profile.own]
address = "temporal.example.com:7233"
namespace = "cupel"
[profile.own.tls]
client_cert_path = "${path.join(folder, 'client.pem')}"
client_key_path = "${path.join(folder, 'client.key')}"
server_ca_cert_path = "${path.join(folder, 'ca.pem')}"
server_name = "temporal"

[profile.cloud]
address = "europe-west1.gcp.api.temporal.io:7233"
namespace = "cupel.a1b2c"
api_key = "secret"
[profile.cloud.grpc_meta]
team = "data"

[profile.plain]
api_key = "secret"
[profile.plain.tls]
disabled = true

[profile.half.tls]
client_cert_path = "${path.join(folder, 'client.pem')}"

[profile.gone.tls]
server_ca_cert_path = "${path.join(folder, 'nothing.pem')}"
`,
  );
});
afterAll(() => rm(folder, { recursive: true }));

const of = (profile: string, more: Record<string, string> = {}) =>
  temporalSettings({ ...clean(), TEMPORAL_CONFIG_FILE: file, TEMPORAL_PROFILE: profile, ...more });

describe('without a file', () => {
  test('it is the server on this machine', () =>
    expect(temporalSettings(clean())).toEqual({ address: '127.0.0.1:7233', namespace: 'default' }));

  test('the variables are enough', () =>
    expect(
      temporalSettings({ ...clean(), TEMPORAL_ADDRESS: 'a:1', TEMPORAL_NAMESPACE: 'n', TEMPORAL_TLS: 'true' }),
    ).toEqual({ address: 'a:1', namespace: 'n', tls: true }));

  test('an empty variable counts as not set', () =>
    expect(
      temporalSettings({
        ...clean(),
        TEMPORAL_ADDRESS: '',
        TEMPORAL_NAMESPACE: '',
        TEMPORAL_API_KEY: '',
        TEMPORAL_TLS: '',
        TEMPORAL_PROFILE: '',
        TEMPORAL_CONFIG_FILE: '',
        TEMPORAL_TLS_CLIENT_CERT_PATH: '',
      }),
    ).toEqual({ address: '127.0.0.1:7233', namespace: 'default' }));

  test('an API key turns TLS on', () =>
    expect(temporalSettings({ ...clean(), TEMPORAL_API_KEY: 'k' })).toMatchObject({ apiKey: 'k', tls: true }));

  test('certificates come as files or as text', () => {
    const { tls } = temporalSettings({
      ...clean(),
      TEMPORAL_TLS_CLIENT_CERT_PATH: path.join(folder, 'client.pem'),
      TEMPORAL_TLS_CLIENT_KEY_DATA: 'key',
    });
    const pair = typeof tls === 'object' ? tls.clientCertPair : undefined;
    expect([text(pair?.crt), text(pair?.key)]).toEqual(['client.pem', 'key']);
  });
});

describe('profiles', () => {
  test('local', () => expect(of('local')).toEqual({ address: '127.0.0.1:7234', namespace: 'cupel' }));

  test('self-hosted with mutual TLS', () => {
    const { address, tls } = of('own');
    expect(address).toBe('temporal.example.com:7233');
    const found = typeof tls === 'object' ? tls : {};
    expect(found.serverNameOverride).toBe('temporal');
    expect(text(found.serverRootCACertificate)).toBe('ca.pem');
    expect([text(found.clientCertPair?.crt), text(found.clientCertPair?.key)]).toEqual(['client.pem', 'client.key']);
  });

  test('Temporal Cloud with an API key: TLS is on', () =>
    expect(of('cloud')).toEqual({
      address: 'europe-west1.gcp.api.temporal.io:7233',
      namespace: 'cupel.a1b2c',
      apiKey: 'secret',
      tls: true,
      metadata: { team: 'data' },
    }));

  test('TLS that is switched off stays off', () => expect(of('plain')).toMatchObject({ apiKey: 'secret', tls: false }));

  test('a variable goes before the file, field by field', () =>
    expect(of('cloud', { TEMPORAL_NAMESPACE: 'other.a1b2c', TEMPORAL_API_KEY: 'newer' })).toMatchObject({
      address: 'europe-west1.gcp.api.temporal.io:7233',
      namespace: 'other.a1b2c',
      apiKey: 'newer',
    }));
});

describe('what cannot work is said with a code', () => {
  const fails = (work: () => unknown, details: object) =>
    expect(work).toThrow(
      expect.objectContaining({ code: 'CUP_TEMPORAL_CONFIG', details: expect.objectContaining(details) }),
    );

  test('a profile that is not there', () => fails(() => of('prod'), { profile: 'prod', file }));

  test('a file that is not there', () =>
    fails(() => of('local', { TEMPORAL_CONFIG_FILE: path.join(folder, 'none.toml') }), {
      file: path.join(folder, 'none.toml'),
    }));

  test('a file that is no TOML', async () => {
    const broken = path.join(folder, 'broken.toml');
    await writeFile(broken, '[profile.local');
    fails(() => of('local', { TEMPORAL_CONFIG_FILE: broken }), { file: broken });
  });

  test('a certificate without its key', () => fails(() => of('half'), {}));

  test('a certificate that cannot be read', () => fails(() => of('gone'), { file: path.join(folder, 'nothing.pem') }));

  test('a misspelt switch, which must not send a key in plain text', () =>
    fails(() => of('cloud', { TEMPORAL_TLS: 'yes' }), { variable: 'TEMPORAL_TLS' }));

  test('no secret is in a message', () =>
    expect(() => temporalSettings({ ...clean(), TEMPORAL_API_KEY: 'hush', TEMPORAL_PROFILE: 'x' })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('hush') }),
    ));
});
