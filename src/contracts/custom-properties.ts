import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Document, LineCounter } from 'yaml';
import { lineOf } from './odcs/check.ts';
import type { OdcsContract } from './odcs/check.ts';
import type { CompiledContract, FieldRule } from './types.ts';

/** The part of a compiled contract that comes from ODCS `customProperties`. */
export type CustomProperties = Pick<
  CompiledContract,
  | 'rulesVersion'
  | 'versionField'
  | 'carrierOrder'
  | 'versionTies'
  | 'absence'
  | 'sink'
  | 'unpack'
  | 'mapping'
  | 'feeds'
  | 'hosts'
  | 'lookbackHours'
  | 'timeZone'
  | 'dependsOnPast'
  | 'maintenance'
  | 'quarantine'
  | 'commit'
>;

const name = { type: 'string', pattern: '^[a-z0-9][a-z0-9_.]*$' };
const path = { type: 'string', minLength: 1 };
const positive = { type: 'integer', minimum: 1 };

function object(properties: Record<string, unknown>, optional: string[] = []): Record<string, unknown> {
  const required = Object.keys(properties).filter((key) => !optional.includes(key));
  return { type: 'object', properties, required, additionalProperties: false };
}

const rule = object(
  { from: path, orLastPathSegmentOf: path, as: { enum: ['as-is', 'epoch-millis', 'lower-case', 'zero-one'] } },
  ['orLastPathSegmentOf', 'as'],
);

const feed = object(
  { name, url: { type: 'string', pattern: '^https://' }, coverageSeconds: positive, intervalSeconds: positive },
  ['intervalSeconds'],
);

const SNAPSHOT_LIMITS = ['allHours', 'hourlyDays', 'dailyDays', 'max'];

const maintenance = object(
  {
    compactAtFiles: { type: 'integer', minimum: 2 },
    snapshots: object(
      {
        allHours: positive,
        hourlyDays: positive,
        dailyDays: positive,
        max: { type: 'integer', minimum: 10, maximum: 400 },
      },
      SNAPSHOT_LIMITS,
    ),
    orphanAgeDays: positive,
  },
  ['compactAtFiles', 'snapshots', 'orphanAgeDays'],
);

/** Properties that a contract may leave out; then its compiled form has none of them, so that its hash stays. */
const OPTIONAL = ['timeZone', 'dependsOnPast', 'maintenance'];

const SCHEMA = object(
  {
    rulesVersion: positive,
    versionField: name,
    carrierOrder: name,
    versionTies: { enum: ['possible', 'none'] },
    absence: { enum: ['never'] },
    sink: object({
      kind: { enum: ['iceberg'] },
      namespace: name,
      table: name,
      bucketCount: { type: 'integer', minimum: 1, maximum: 4096 },
    }),
    unpack: object({ kind: { enum: ['geojson-feature-collection'] }, mediaType: path, extension: name }),
    mapping: { type: 'object', additionalProperties: rule, minProperties: 1 },
    feeds: { type: 'array', items: feed, minItems: 1 },
    hosts: { type: 'array', items: path, minItems: 1 },
    lookbackHours: { type: 'integer', minimum: 0 },
    quarantine: object({ maxShare: { type: 'number', minimum: 0, maximum: 1 } }),
    commit: object({ maxLatencySeconds: positive }),
    timeZone: path,
    dependsOnPast: { type: 'boolean' },
    maintenance,
  },
  OPTIONAL,
);

const validate = new Ajv2020({ allErrors: true }).compile(SCHEMA);

interface RawRule {
  from: string;
  orLastPathSegmentOf?: string;
  as?: FieldRule['as'];
}

function toRules(mapping: Record<string, RawRule>): FieldRule[] {
  return Object.entries(mapping).map(([column, raw]) => ({
    column,
    from: raw.from.split('.'),
    ...(raw.orLastPathSegmentOf ? { orLastPathSegmentOf: raw.orLastPathSegmentOf.split('.') } : {}),
    as: raw.as ?? 'as-is',
  }));
}

/** Reads the custom properties of a contract; either `custom` is there or `faults` says why not, a line each. */
export function readCustomProperties(
  odcs: OdcsContract,
  document: Document,
  lines: LineCounter,
): { custom?: CustomProperties; faults: string[] } {
  const entries = odcs.customProperties ?? [];
  const values = Object.fromEntries(entries.map((entry) => [entry.property, entry.value]));
  if (!validate(values)) return { faults: (validate.errors ?? []).map((error) => describe(error)) };
  const raw = values as Omit<CustomProperties, 'mapping'> & { mapping: Record<string, RawRule> };
  return { custom: { ...raw, mapping: toRules(raw.mapping) }, faults: [] };

  function describe(error: NonNullable<typeof validate.errors>[number]): string {
    const parts = error.instancePath.split('/').slice(1);
    const extra = (error.params as { additionalProperty?: string }).additionalProperty;
    const missing = (error.params as { missingProperty?: string }).missingProperty;
    const at = [...parts, ...(extra ? [extra] : [])];
    const index = entries.findIndex((entry) => entry.property === at[0]);
    const inner = at.slice(1).map((part) => (/^\d+$/.test(part) ? Number(part) : part));
    const line = lineOf(
      document,
      lines,
      index < 0 ? ['customProperties'] : ['customProperties', index, 'value', ...inner],
    );
    const what = extra ? 'unknown key' : missing ? `expected ${missing}` : (error.message ?? error.keyword);
    return `line ${line}, customProperties.${at.join('.')}: ${what}`.replace(/\.:/, ':');
  }
}
