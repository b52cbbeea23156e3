import { expect, test } from 'vitest';
import type { CompiledContract } from '../../../../src/contracts/index.ts';
import { acceptedEntries } from '../../../../src/lakehouse/quarantine/index.ts';
import type { QuarantineEntry } from '../../../../src/lakehouse/quarantine/index.ts';
import { contractOf, earthquakes } from '../../../support/contracts.ts';
import { MemoryObjects } from '../../../support/memory-objects.ts';

const memory = new MemoryObjects();
const resources = { store: memory.store, bronzeBucket: 'bronze', progress: () => undefined };

function recordAt(bronzeObject: string, offset: number): QuarantineEntry {
  const id = `${bronzeObject}#${offset}`;
  const copies = [{ uri: `gs://q/${id}.json`, contract: 'before' }];
  const record = { bronzeObject, offset };
  return { kind: 'record', id, reasonCode: 'wrong_type', detail: '', partitions: ['f/2025-01-01T03'], copies, record };
}

const HOUR = 'dt=2025-01-01/hr=03';

/** Offsets that a contract accepts of those that are in quarantine. */
async function accepted(contract: CompiledContract, bronzeObject: string, offsets: number[]): Promise<number[]> {
  const entries = offsets.map((offset) => recordAt(bronzeObject, offset));
  const found = await acceptedEntries(resources, contract, entries);
  return entries.filter((entry) => found.has(entry)).map(({ record }) => record?.offset ?? -1);
}

test('a delivery is judged with the headers that came with it', async () => {
  const name = `github_events/deliveries/${HOUR}/${'d'.repeat(64)}.json`;
  const envelope = {
    version: 1,
    delivery_id: 'x',
    received_at: '2025-01-01T03:00:00Z',
    headers: { 'x-github-event': 'push' },
    body_base64: Buffer.from('{}').toString('base64'),
  };
  await memory.create(`gs://bronze/${name}`, JSON.stringify(envelope));
  expect(await accepted(contractOf('github_events'), name, [0])).toEqual([0]);
  const other = contractOf('github_events', (yaml) => yaml.replace('headers.x-github-event', 'headers.x-other'));
  expect(await accepted(other, name, [0])).toEqual([]);
});

test("a line of a CSV file is judged by the names of its file's header", async () => {
  const name = `networks/files/${HOUR}/${'c'.repeat(64)}.csv`;
  const lines = ['name,code,updated', 'A,a,2025-01-01T00:00:00Z', 'B,b,yesterday', 'C,c,2025-01-01T00:00:00Z'];
  await memory.create(`gs://bronze/${name}`, lines.join('\n'));
  expect(await accepted(contractOf('networks'), name, [0, 1, 2])).toEqual([0, 2]);
});

test('an object that is gone, or that the contract cannot open, gives nothing back', async () => {
  expect(await accepted(earthquakes(), `earthquakes/all_hour/${HOUR}/${'a'.repeat(64)}.geojson`, [0])).toEqual([]);
  const name = `earthquakes/all_hour/${HOUR}/${'b'.repeat(64)}.geojson`;
  await memory.create(`gs://bronze/${name}`, '<html>');
  expect(await accepted(earthquakes(), name, [0])).toEqual([]);
});
