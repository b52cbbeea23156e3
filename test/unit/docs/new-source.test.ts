import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { readFileSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { PROJECT } from '../../../scripts/tools.ts';
import { compileContract, normaliser, unpackObject } from '../../../src/contracts/index.ts';
import { CUSTOM_SCHEMA } from '../../../src/contracts/custom-schema.ts';
import { loadContract } from '../../../src/lakehouse/contract-store.ts';

const page = (name: string): string => readFileSync(path.join(PROJECT, 'docs', name), 'utf8');
const block = (language: string): string =>
  new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'm').exec(page('new-source.md'))?.[1] ?? '';

test('the contract of docs/new-source.md is one, and reads the file of that page', async () => {
  const contract = compileContract(block('yaml'), 'docs/new-source.md');
  const { records } = await unpackObject(contract, Buffer.from(block('csv'), 'latin1'), 'file');
  const rows = records.map((record) => normaliser(contract)(record, { carrierOrder: undefined, bronzeObject: 'file' }));
  const row = (of: object): object => ({ row: expect.objectContaining(of) as object });
  expect(rows).toEqual([
    row({ station: 'abc', name: 'München', elevation_m: 12.5, channels: 3, online: true }),
    row({
      station: 'def',
      changed_at: BigInt(Date.UTC(2025, 4, 4, 9)) * 1000n,
      name: 'Quoted; with a "word"',
      elevation_m: null,
      online: false,
    }),
  ]);
});

test('a contract is refused in a file of another name', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'cupel-contracts-'));
  try {
    for (const name of ['stations', 'others']) await writeFile(path.join(folder, `${name}.yaml`), block('yaml'));
    expect((await loadContract(folder, 'stations')).source).toBe('stations');
    await expect(loadContract(folder, 'others')).rejects.toThrow(/id: expected others, the name of the file/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

interface Node {
  properties?: Record<string, Node>;
  allOf?: { then: Node }[];
  items?: Node;
}

/** Names of the properties of a schema, of what they hold too, but for maps by column. */
function namesOf({ properties = {}, allOf = [], items }: Node): string[] {
  const here = Object.entries(properties).flatMap(([name, inner]) => [name, ...namesOf(inner)]);
  return [...here, ...allOf.flatMap(({ then }) => namesOf(then)), ...(items ? namesOf(items) : [])];
}

test('every custom property of a contract is documented', () => {
  const pages = readdirSync(path.join(PROJECT, 'docs')).filter((name) => name.endsWith('.md'));
  const all = pages.map(page).join('\n');
  const missing = [...new Set(namesOf(CUSTOM_SCHEMA as Node))].filter((name) => !new RegExp(`\\b${name}\\b`).test(all));
  expect(missing).toEqual([]);
  const [table = ''] = page('contract.md')
    .split(/^## Custom properties/m)
    .slice(1);
  const top = Object.keys((CUSTOM_SCHEMA as Node).properties ?? {});
  expect(top.filter((name) => !new RegExp(`^\\| \`${name}[\`.\\[]`, 'm').test(table))).toEqual([]);
});
