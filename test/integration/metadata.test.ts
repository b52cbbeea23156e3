import { gcpMetadata, GoogleAuth } from 'google-auth-library';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startMetadata } from '../../local/metadata/server.ts';
import type { MetadataServer } from '../../local/metadata/server.ts';

const EMAIL = 'worker@cupel-test.iam.gserviceaccount.com';
let metadata: MetadataServer;

beforeAll(async () => {
  metadata = await startMetadata({ projectId: 'cupel-test', email: EMAIL });
  process.env.GCE_METADATA_HOST = metadata.host;
  process.env.METADATA_SERVER_DETECTION = 'assume-present';
  delete process.env.GOOGLE_APPLICATION_CREDENTIALS;
  delete process.env.GOOGLE_CLOUD_PROJECT;
  delete process.env.GCLOUD_PROJECT;
});
afterAll(() => metadata.stop());

function ask(path: string, headers: Record<string, string> = { 'Metadata-Flavor': 'Google' }): Promise<Response> {
  return fetch(`http://${metadata.host}/computeMetadata/v1/${path}`, { headers });
}

test('the auth library finds project, credentials, account, domain and an access token', async () => {
  const auth = new GoogleAuth({ scopes: 'https://www.googleapis.com/auth/cloud-platform' });
  expect(await auth.getProjectId()).toBe('cupel-test');
  expect((await auth.getCredentials()).client_email).toBe(EMAIL);
  expect(await auth.getUniverseDomain()).toBe('googleapis.com');
  expect(await auth.getAccessToken()).toBeTruthy();
});

test('detection by asking finds it too', async () => {
  gcpMetadata.resetIsAvailableCache();
  delete process.env.METADATA_SERVER_DETECTION;
  expect(await gcpMetadata.isAvailable()).toBe(true);
  process.env.METADATA_SERVER_DETECTION = 'assume-present';
});

test('an ID token from the auth library holds for its audience alone', async () => {
  const audience = 'http://127.0.0.1:1/function';
  const client = await new GoogleAuth().getIdTokenClient(audience);
  const header = (await client.getRequestHeaders()).get('authorization');
  const token = header!.replace('Bearer ', '');
  expect(metadata.verify(token, audience)).toBe(true);
  expect(metadata.verify(token, 'http://127.0.0.1:2')).toBe(false);
});

test('tokens that were changed, made elsewhere, or are no tokens are refused', async () => {
  const token = metadata.identityToken('me');
  const [head, payload, signature] = token.split('.');
  const claims = JSON.parse(Buffer.from(payload!, 'base64url').toString()) as object;
  const other = Buffer.from(JSON.stringify({ ...claims, aud: 'you' })).toString('base64url');
  expect(claims).toMatchObject({ aud: 'me', email: EMAIL, iss: 'https://accounts.google.com' });
  expect(metadata.verify(`${head}.${other}.${signature}`, 'you')).toBe(false);
  const elsewhere = await startMetadata({ projectId: 'cupel-test' });
  expect(metadata.verify(elsewhere.identityToken('me'), 'me')).toBe(false);
  await elsewhere.stop();
  for (const text of ['', 'a', 'a.b.c', `${head}.${payload}.`]) expect(metadata.verify(text, 'me')).toBe(false);
});

test('directories: a listing, or all of it as JSON', async () => {
  expect(await (await ask('instance/service-accounts/')).text()).toBe(`default/\n${EMAIL}/\n`);
  const accounts = (await (await ask('instance/service-accounts/?recursive=true')).json()) as Record<string, object>;
  expect(accounts.default).toMatchObject({ email: EMAIL, scopes: ['https://www.googleapis.com/auth/cloud-platform'] });
  expect(accounts[EMAIL]).toEqual(accounts.default);
  expect(await (await ask('instance/service-accounts/default/?recursive=true')).json()).toEqual(accounts.default);
  expect(await (await ask('project/?recursive=true')).json()).toMatchObject({ projectId: 'cupel-test' });
  expect(await (await ask('instance/?recursive=true')).json()).toMatchObject({ serviceAccounts: accounts });
  expect(await (await ask('instance')).text()).toContain('service-accounts/');
});

test('refuses what the real one refuses', async () => {
  const answer = await ask('project/project-id', {});
  expect(answer.status).toBe(403);
  expect((await ask('instance/service-accounts/default/identity')).status).toBe(400);
  const missing = await ask('instance/attributes/cluster-name');
  expect(missing.status).toBe(404);
  expect(missing.headers.get('metadata-flavor')).toBe('Google');
});
