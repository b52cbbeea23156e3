import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ErrorObject, ValidateFunction } from 'ajv/dist/2020.js';
import type { Document, LineCounter } from 'yaml';
import { CUSTOM_SCHEMA } from './custom-schema.ts';
import { lineOf } from './odcs/check.ts';
import type { OdcsContract } from './odcs/check.ts';
import { pathOf } from './rules/path.ts';
import type { CompiledContract, FieldRule } from './types.ts';

/** The part of a compiled contract that comes from ODCS `customProperties`. */
export type CustomProperties = Pick<
  CompiledContract,
  | 'rulesVersion'
  | 'versionField'
  | 'eventTime'
  | 'carrierOrder'
  | 'versionTies'
  | 'absence'
  | 'sink'
  | 'unpack'
  | 'mapping'
  | 'unknownFields'
  | 'ignoredFields'
  | 'feeds'
  | 'hosts'
  | 'messaging'
  | 'lookbackHours'
  | 'timeZone'
  | 'dependsOnPast'
  | 'maintenance'
  | 'quarantine'
  | 'commit'
  | 'stream'
>;

let compiled: ValidateFunction | undefined;

/** Compiled when it is first needed: jobs read contracts that were checked when they were published. */
function validator(): ValidateFunction {
  compiled ??= new Ajv2020({ allErrors: true }).compile(CUSTOM_SCHEMA);
  return compiled;
}

interface RawRule {
  from: string;
  orLastPathSegmentOf?: string;
  as?: FieldRule['as'];
}

function toRules({ mapping, unpack }: Pick<Raw, 'mapping' | 'unpack'>): FieldRule[] {
  return Object.entries(mapping).map(([column, raw]) => ({
    column,
    from: pathOf(unpack, raw.from),
    ...(raw.orLastPathSegmentOf ? { orLastPathSegmentOf: pathOf(unpack, raw.orLastPathSegmentOf) } : {}),
    as: raw.as ?? 'as-is',
  }));
}

type Raw = Omit<CustomProperties, 'mapping' | Defaulted> & {
  mapping: Record<string, RawRule>;
} & Partial<Pick<CustomProperties, Defaulted>>;

type Defaulted = 'versionField' | 'versionTies' | 'absence' | 'hosts';

/** A log keeps every record, so the greatest of one id is the only question; an upsert table must say what its order is. */
function withDefaults(raw: Raw): { custom?: CustomProperties; faults: string[] } {
  const { mapping, versionField, versionTies, absence, hosts = [], ...rest } = raw;
  const log = raw.sink.kind === 'append-log';
  const given = { versionField, versionTies, absence };
  const wrong = Object.entries(given).filter(([, value]) => (value === undefined) !== log);
  if (wrong.length)
    return {
      faults: wrong.map(([key]) => `${key}: ${log ? 'a log has none' : 'expected, since the sink is an upsert table'}`),
    };
  const custom: CustomProperties = {
    ...rest,
    versionField: versionField ?? '_carrier_order',
    versionTies: versionTies ?? 'possible',
    absence: absence ?? 'never',
    hosts,
    mapping: toRules({ mapping, unpack: raw.unpack }),
  };
  return { custom, faults: [] };
}

/** Reads the custom properties of a contract; either `custom` is there or `faults` says why not, a line each. */
export function readCustomProperties(
  odcs: OdcsContract,
  document: Document,
  lines: LineCounter,
): { custom?: CustomProperties; faults: string[] } {
  const entries = odcs.customProperties ?? [];
  const values = Object.fromEntries(entries.map((entry) => [entry.property, entry.value]));
  const validate = validator();
  if (validate(values)) return withDefaults(values as unknown as Raw);
  const told = (validate.errors ?? []).filter(({ keyword }) => keyword !== 'if'); // it says no more than the fault inside it
  return { faults: told.map((error) => describe(error)) };

  function describe(error: ErrorObject): string {
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
