import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Ajv } from 'ajv';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { PROJECT } from '../../../scripts/tools.ts';

interface Service {
  image: string;
  ports?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
}

const read = (file: string) => readFile(path.join(PROJECT, file), 'utf8');

let compose: { services: Record<string, Service> };
beforeAll(async () => {
  compose = parse(await read('docker-compose.temporal.yml')) as typeof compose;
});
const services = () => Object.entries(compose.services);

describe('docker-compose.temporal.yml', () => {
  test('fits the compose specification', async () => {
    const schema = JSON.parse(await read('test/fixtures/compose-spec.json')) as object;
    const validate = new Ajv({ strict: false, allErrors: true }).compile({ ...schema, $schema: undefined });
    expect(validate(compose), JSON.stringify(validate.errors)).toBe(true);
    // The check checks: a misspelt field of a service is found.
    const { postgresql } = compose.services;
    expect(validate({ services: { postgresql: { ...postgresql, healthchek: {} } } })).toBe(false);
  });

  test('has PostgreSQL, the server and the Web UI', () =>
    expect(Object.keys(compose.services).sort()).toEqual(['postgresql', 'temporal', 'ui']));

  test('pins every image by a full version', () => {
    for (const [name, { image }] of services()) expect(image, name).toMatch(/^[\w/-]+:\d+\.\d+(\.\d+)?$/);
  });

  test('asks every service for its health, and starts none before what it needs is healthy', () => {
    for (const [name, { healthcheck, depends_on }] of services()) {
      expect(healthcheck?.test[0], name).toBe('CMD');
      for (const { condition } of Object.values(depends_on ?? {})) expect(condition, name).toBe('service_healthy');
    }
    expect(Object.keys(compose.services.ui?.depends_on ?? {})).toEqual(['temporal']);
    expect(Object.keys(compose.services.temporal?.depends_on ?? {})).toEqual(['postgresql']);
  });

  test('listens on this machine only', () => {
    const ports = services().flatMap(([, service]) => service.ports ?? []);
    expect(ports.length).toBeGreaterThan(0);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });
});
