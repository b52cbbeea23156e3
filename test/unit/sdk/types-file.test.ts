import path from 'node:path';
import ts from 'typescript';
import { beforeAll, expect, test } from 'vitest';
import { PROJECT } from '../../../scripts/tools.ts';
import { typesFile } from '../../../src/sdk/types-file.ts';
import { contractOf } from '../../support/contracts.ts';

const FOLDER = path.join(PROJECT, 'test/unit/sdk');
const SDK = { sdk: '../../../src/sdk/index.ts' };

const felt = typesFile(contractOf('felt_reports'), SDK);

/** A contract with every conversion, members within members, and names that are no identifiers. */
const odd = typesFile(
  contractOf('felt_reports', (yaml) =>
    yaml
      .replace('id: felt_reports', 'id: 1.odd_source')
      .replace('description: Degrees east', "description: 'Ends */ a comment'")
      .replace('from: data.report_id', 'from: data.report.0')
      .replace('from: data.event_id', 'from: data.event.the-id, as: lower-case')
      .replace('from: data.felt_at, as: rfc3339', 'from: data.event.at, as: epoch-millis')
      .replace('from: data.intensity', 'from: data.report.2, as: integer-text')
      .replace('from: data.longitude', 'from: data.at.east, as: decimal-text')
      .replace('from: data.latitude', 'from: data.at.north')
      .replace('from: data.comment', 'from: data.anything, as: json'),
  ),
  SDK,
);

const USE = `
import { openFeltReports } from './felt.ts';
import { openSource1OddSource } from './odd.ts';
const felt = await openFeltReports();
const at = '2025-05-04T10:00:00Z';
await felt.publish({ report_id: 'r', event_id: 'e', felt_at: at, intensity: 4 });
await felt.publish({ report_id: 'r', event_id: 'e', felt_at: at, intensity: 4, comment: null }, { id: 'x' });
const odd = await openSource1OddSource({ project: 'p' });
await odd.publish({ report: ['r', 0, '4'], event: { 'the-id': 'E', at: 5 }, at: { east: '1.5' }, anything: [1] });
`;

const WRONG = `
import { openFeltReports } from './felt.ts';
import { openSource1OddSource } from './odd.ts';
const felt = await openFeltReports();
const at = '2025-05-04T10:00:00Z';
await felt.publish({ report_id: 'r', felt_at: at, intensity: 4 });
await felt.publish({ report_id: 'r', event_id: 'e', felt_at: 5, intensity: 4 });
await felt.publish({ report_id: 'r', event_id: null, felt_at: at, intensity: 4 });
await felt.publish({ report_id: 'r', event_id: 'e', felt_at: at, intensity: 4, comments: '' });
const odd = await openSource1OddSource();
await odd.publish({ report: ['r', 0, 4], event: { 'the-id': 'E', at: 5 } });
await odd.publish({ report: ['r', 0, '4'], event: { at: 5 } });
`;

/** Lines at which the compiler finds something, by file. */
let faults: Record<string, number[]>;

beforeAll(() => {
  const virtual: Record<string, string> = { 'felt.ts': felt, 'odd.ts': odd, 'use.ts': USE, 'wrong.ts': WRONG };
  const texts = new Map(Object.entries(virtual).map(([name, text]) => [path.join(FOLDER, name), text]));
  const file = ts.readConfigFile(path.join(PROJECT, 'tsconfig.json'), (name) => ts.sys.readFile(name));
  const { options } = ts.parseJsonConfigFileContent({ ...file.config, files: [], include: [] }, ts.sys, PROJECT);
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile } = host;
  host.fileExists = (name) => texts.has(path.normalize(name)) || fileExists(name);
  host.readFile = (name) => texts.get(path.normalize(name)) ?? readFile(name);
  const program = ts.createProgram([...texts.keys()], { ...options, noUnusedLocals: true }, host);
  faults = {};
  for (const name of texts.keys()) {
    const source = program.getSourceFile(name);
    const found = ts.getPreEmitDiagnostics(program, source);
    const lines = found.map(({ start }) => source?.getLineAndCharacterOfPosition(start ?? 0).line ?? -1);
    faults[path.basename(name)] = [...new Set(lines)];
  }
});

test('the generated files and their right use have no fault of type', () => {
  expect(faults).toMatchObject({ 'felt.ts': [], 'odd.ts': [], 'use.ts': [] });
});

test('a missing member, another type, a null and an unknown member are faults of type', () => {
  expect(faults['wrong.ts']).toEqual([5, 6, 7, 8, 10, 11]);
});

test('members have their descriptions; a time says how it is written', () => {
  expect(felt).toContain('  /** When it was felt. RFC 3339, with its offset. */\n  felt_at: string;');
  expect(felt).toContain('  comment?: string | null;');
  expect(odd).toContain('Ends *\\/ a comment');
});

test('the same contract gives the same text, another one another', () => {
  expect(typesFile(contractOf('felt_reports'), SDK)).toBe(felt);
  const newer = contractOf('felt_reports', (yaml) => yaml.replace('version: 1.0.0', 'version: 1.1.0'));
  expect(typesFile(newer, SDK)).not.toBe(felt);
});

test('a source without a topic of its own has no client', () => {
  expect(() => typesFile(contractOf('earthquakes'))).toThrow('CUP_SOURCE_UNPUBLISHABLE');
});
