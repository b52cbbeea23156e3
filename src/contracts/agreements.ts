import type { CustomProperties } from './custom-properties.ts';
import { isPolled, isPulled } from './feeds.ts';
import type { PullFeed } from './feeds.ts';
import type { OdcsProperty } from './odcs/check.ts';
import { UNPACKERS } from './rules/unpack/index.ts';
import type { Column, ColumnType, Conversion } from './types.ts';

/** Types of columns by ODCS's logical types. */
export const COLUMN_TYPES: Record<string, ColumnType> = {
  string: 'string',
  timestamp: 'timestamptz',
  number: 'double',
  integer: 'long',
  boolean: 'boolean',
};

/** Types that a conversion gives. */
const GIVES: Record<Conversion, ColumnType[]> = {
  'as-is': ['string', 'double', 'long', 'boolean'],
  'epoch-millis': ['timestamptz'],
  rfc3339: ['timestamptz'],
  'lower-case': ['string'],
  'zero-one': ['boolean'],
  'decimal-text': ['double'],
  'integer-text': ['long'],
  'boolean-text': ['boolean'],
  json: ['string'],
};

function isTimeZone(name: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: name }));
  } catch {
    return false;
  }
}

function columnFaults(columns: Column[], properties: OdcsProperty[]): string[] {
  const found: string[] = [];
  for (const property of properties) {
    if (!COLUMN_TYPES[property.logicalType ?? ''])
      found.push(`column ${property.name}: expected logicalType ${Object.keys(COLUMN_TYPES).join(', ')}`);
    if (property.name.startsWith('_')) found.push(`column ${property.name}: names with _ are the system columns'`);
  }
  if (new Set(columns.map((column) => column.name)).size !== columns.length)
    found.push('schema: expected every column name once');
  return found;
}

function isTime(columns: Column[], name: string): boolean {
  const column = columns.find((candidate) => candidate.name === name);
  return column?.type === 'timestamptz' && column.required;
}

function orderFaults(columns: Column[], key: string[], custom: CustomProperties): string[] {
  const found: string[] = [];
  const log = custom.sink.kind === 'append-log';
  if (log && key.length) found.push('schema: expected no primaryKey, since a log keeps each record by its id');
  if (!log && key.length !== 1) found.push('schema: expected exactly one property with primaryKey: true');
  if (!log && !isTime(columns, custom.versionField)) found.push('versionField: expected a required timestamp column');
  if (custom.eventTime && !columns.some(({ name, type }) => name === custom.eventTime && type === 'timestamptz'))
    found.push('eventTime: expected a timestamp column');
  if (custom.unpack.kind === 'csv' && !isTime(columns, custom.carrierOrder))
    found.push('carrierOrder: expected a required timestamp column, since a CSV file says nothing of its own');
  return found;
}

function mappingFaults(columns: Column[], { mapping }: CustomProperties): string[] {
  const found: string[] = [];
  const ruleOf = new Map(mapping.map((rule) => [rule.column, rule]));
  for (const { name, type } of columns) {
    const rule = ruleOf.get(name);
    if (!rule) found.push(`mapping: expected a rule for column ${name}`);
    else if (!GIVES[rule.as].includes(type))
      found.push(`mapping: as: ${rule.as} gives ${GIVES[rule.as].join(', ')}, and column ${name} is ${type}`);
  }
  const names = new Set(columns.map((column) => column.name));
  for (const name of ruleOf.keys()) if (!names.has(name)) found.push(`mapping: ${name} is no column of the schema`);
  return found;
}

/** The key is read from what the rules have accepted, so it must be a text that every accepted message has. */
function orderingKeyFaults(columns: Column[], { messaging, mapping }: CustomProperties): string[] {
  if (messaging?.orderingKey === undefined) return [];
  const path = `data.${messaging.orderingKey}`;
  const texts = columns.filter(({ type, required }) => type === 'string' && required).map(({ name }) => name);
  const read = mapping.some(
    ({ column, from, orLastPathSegmentOf, as }) =>
      texts.includes(column) && from.join('.') === path && !orLastPathSegmentOf && as !== 'json',
  );
  return [
    ...(messaging.topic ? [] : ['messaging: expected the topic that orderingKey is for']),
    ...(read ? [] : [`messaging: expected as orderingKey a member that a required column of text reads from ${path}`]),
  ];
}

function pullFaults(feed: PullFeed, polled: string[]): string[] {
  const names = [feed.startParameter, feed.endParameter, feed.limitParameter, ...Object.keys(feed.parameters ?? {})];
  const twice = new Set(names).size !== names.length;
  const unknown = feed.repairs.filter((name) => !polled.includes(name));
  return [
    ...(twice ? [`feeds: expected every parameter of ${feed.name} once`] : []),
    ...unknown.map((name) => `feeds: ${feed.name} repairs ${name}, which is no polled feed`),
  ];
}

function feedFaults({ feeds, hosts, unpack, messaging }: CustomProperties): string[] {
  const found: string[] = [];
  if (new Set(feeds.map(({ name }) => name)).size !== feeds.length) found.push('feeds: expected every name once');
  const { carriedBy } = UNPACKERS[unpack.kind];
  for (const feed of feeds) {
    const kind = feed.kind ?? 'poll';
    if (!carriedBy.includes(kind))
      found.push(
        `feeds: ${feed.name} is of kind ${kind}; objects of unpack ${unpack.kind} come by ${carriedBy.join(', ')}`,
      );
    if (kind === 'subscription' && !messaging?.topic)
      found.push(`messaging: expected the topic that ${feed.name} archives`);
    if (isPulled(feed))
      found.push(
        ...pullFaults(
          feed,
          feeds.filter(isPolled).map((polled) => polled.name),
        ),
      );
    if (!isPolled(feed) && !isPulled(feed)) continue;
    const host = URL.canParse(feed.url) ? new URL(feed.url).hostname : '';
    if (!hosts.includes(host)) found.push(`feeds: expected the host of ${feed.name} in hosts`);
  }
  return found;
}

/** What JSON Schema cannot see: where the parts of a contract do not agree with each other, a line each. */
export function disagreements(
  columns: Column[],
  key: string[],
  custom: CustomProperties,
  properties: OdcsProperty[],
): string[] {
  const zone = custom.timeZone && !isTimeZone(custom.timeZone);
  return [
    ...columnFaults(columns, properties),
    ...orderFaults(columns, key, custom),
    ...mappingFaults(columns, custom),
    ...feedFaults(custom),
    ...orderingKeyFaults(columns, custom),
    ...(zone ? ['timeZone: expected an IANA zone such as Europe/Paris'] : []),
  ];
}
