import type { CompiledContract } from '../types.ts';
import { columnChanges } from './columns.ts';
import { differences } from './differences.ts';
import { feedChanges } from './feeds.ts';
import { generatedChanges, icebergSchemaChanges } from './generated.ts';
import { mappingChanges } from './mapping.ts';
import { messagingChanges } from './messaging.ts';
import { breaking, compatible } from './types.ts';
import type { ChangeRule } from './types.ts';
import { ignoredFieldChanges, unknownFieldChanges } from './unknown-fields.ts';
import { unpackChanges } from './unpack.ts';

/** A property of a compiled contract that a change can be in: a shadow is in no file. */
type Property = Exclude<keyof CompiledContract, 'source' | 'hash' | 'shadowOf'>;

const valueOf = (contract: CompiledContract, property: string): unknown =>
  (contract as unknown as Record<string, unknown>)[property];

/** The rule of a property that no row depends on. */
const free =
  (property: Property): ChangeRule =>
  (from, to) =>
    differences(property, valueOf(from, property), valueOf(to, property)).map(compatible);

/** The rule of a property that every row depends on, and of one that has no rule of its own. */
export const fixed =
  (property: string, why: string): ChangeRule =>
  (from, to) =>
    differences(property, valueOf(from, property), valueOf(to, property)).map((change) => breaking(change, why));

const rulesVersionChanges: ChangeRule = (from, to) =>
  differences('rulesVersion', from.rulesVersion, to.rulesVersion).map((change) =>
    to.rulesVersion > from.rulesVersion
      ? compatible(change)
      : breaking(change, 'rows made before would win over the new ones'),
  );

const ORDER = 'rows that are there were ordered otherwise';

/** The rule of each property; a new property of contracts gets its own here. */
export const CHANGE_RULES: Record<Property, ChangeRule> = {
  version: free('version'),
  rulesVersion: rulesVersionChanges,
  columns: columnChanges,
  key: fixed('key', 'rows that are there have another key'),
  versionField: fixed('versionField', ORDER),
  // Only the ledger tells it, of dropped files.
  eventTime: free('eventTime'),
  carrierOrder: fixed('carrierOrder', ORDER),
  versionTies: fixed('versionTies', ORDER),
  absence: fixed('absence', 'rows that are there were deleted otherwise'),
  sink: fixed('sink', 'rows that are there lie elsewhere, or otherwise'),
  unpack: unpackChanges,
  mapping: mappingChanges,
  feeds: feedChanges,
  hosts: free('hosts'),
  messaging: messagingChanges,
  lookbackHours: free('lookbackHours'),
  timeZone: free('timeZone'),
  dependsOnPast: free('dependsOnPast'),
  maintenance: free('maintenance'),
  quarantine: free('quarantine'),
  commit: free('commit'),
  stream: free('stream'),
  unknownFields: unknownFieldChanges,
  ignoredFields: ignoredFieldChanges,
  jsonSchema: generatedChanges('jsonSchema'),
  bigquerySchema: generatedChanges('bigquerySchema'),
  icebergSchema: icebergSchemaChanges,
};
