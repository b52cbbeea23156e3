import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createServer } from 'node:tls';
import type { Server } from 'node:tls';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toolPath } from '../../scripts/tools.ts';
import { temporalSettings } from '../../src/temporal.ts';
import { connectTemporal, reachTemporal } from '../../src/worker/run.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'cupel-tls-'));
const at = (name: string): string => path.join(folder, name);

function openssl(...args: string[]): boolean {
  return spawnSync('openssl', args, { cwd: folder }).status === 0;
}

/** A certificate signed by the authority "ca". */
function certificate(name: string, subject: string): void {
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', subject);
  writeFileSync(at(`${name}.ext`), 'subjectAltName=DNS:temporal.internal\n');
  const ca = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2'];
  openssl('x509', '-req', '-in', `${name}.csr`, ...ca, '-extfile', `${name}.ext`, '-out', `${name}.pem`);
}

describe.skipIf(!openssl('version'))('a server that asks for mutual TLS', () => {
  let env: TestWorkflowEnvironment;
  let front: Server;
  let variables: Record<string, string>;

  beforeAll(async () => {
    const subject = ['-subj', '/CN=Cupel test authority'];
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-days',
      '2',
      ...subject,
    );
    certificate('server', '/CN=temporal.internal');
    certificate('client', '/CN=cupel');
    env = await TestWorkflowEnvironment.createLocal({
      server: { executable: { type: 'existing-path', path: toolPath('temporal') } },
    });
    const [host, port] = env.address.split(':');
    const read = (name: string) => readFileSync(at(name));
    const keys = { key: read('server.key'), cert: read('server.pem'), ca: read('ca.pem') };
    front = createServer({ ...keys, requestCert: true, rejectUnauthorized: true, ALPNProtocols: ['h2'] }, (socket) => {
      const inner = connectPlain({ host, port: Number(port) });
      socket.pipe(inner).pipe(socket);
      for (const side of [socket, inner]) side.on('error', () => [socket, inner].forEach((one) => one.destroy()));
    });
    front.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve));
    writeFileSync(
      at('temporal.toml'),
      `[profile.own]
address = "127.0.0.1:${(front.address() as AddressInfo).port}"
[profile.own.tls]
client_cert_path = "${at('client.pem')}"
client_key_path = "${at('client.key')}"
server_ca_cert_path = "${at('ca.pem')}"
server_name = "temporal.internal"

[profile.nobody]
address = "127.0.0.1:${(front.address() as AddressInfo).port}"
[profile.nobody.tls]
server_ca_cert_path = "${at('ca.pem')}"
server_name = "temporal.internal"
`,
    );
    variables = { TEMPORAL_CONFIG_FILE: at('temporal.toml') };
  });
  afterAll(async () => {
    front.close();
    await env.teardown();
    rmSync(folder, { recursive: true });
  });

  test('is reached by both connections with the profile', async () => {
    const connections = await connectTemporal(temporalSettings({ ...variables, TEMPORAL_PROFILE: 'own' }));
    await reachTemporal(connections);
    expect((await connections.client.workflowService.getSystemInfo({})).serverVersion).toMatch(/^\d+\.\d+/);
    await connections.close();
  });

  test('turns away who has no certificate, with a code', () =>
    expect(connectTemporal(temporalSettings({ ...variables, TEMPORAL_PROFILE: 'nobody' }))).rejects.toMatchObject({
      code: 'CUP_TEMPORAL_UNAVAILABLE',
    }));
});
