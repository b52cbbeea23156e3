import { orderColumns } from '../../contracts/index.ts';
import type { CompiledContract } from '../../contracts/index.ts';
import { hourOf, wholeHours } from '../bronze/index.ts';
import type { HourRange } from '../bronze/index.ts';
import { identifier, literal } from '../committer/scratch.ts';
import { MESSAGE_FOLDER } from '../streams/record.ts';
import { comparedColumns } from './columns.ts';
import type { DifferenceKind, Half } from './types.ts';

/** What is compared of two tables. */
export interface Rules {
  contract: CompiledContract;
  /** Hours of Bronze that the shadow holds. Default: all of Bronze. */
  range?: HourRange;
  /** Default: both halves. */
  halves?: readonly Half[];
}

const order = (contract: CompiledContract, alias: string): string =>
  `row(${orderColumns(contract)
    .map((column) => `${alias}.${identifier(column)}`)
    .join(', ')})`;

/** Columns that one record under one version of the rules makes: all that are compared but the order's own and the key's minimum. */
function unequal(contract: CompiledContract): string {
  const decided = new Set(['_first_version', ...orderColumns(contract), ...contract.key]);
  const rest = comparedColumns(contract).filter(({ name }) => !decided.has(name));
  const parts = rest.map(({ name }) => `v.${identifier(name)} is distinct from s.${identifier(name)}`);
  return parts.length ? `(${parts.join(' or ')})` : 'false';
}

/**
 * Whether the record of a row of Silver lies in the range. Of a log its hour says so; else the name of its object of Bronze does.
 * An archived object, or a message whose archive has no name yet, holds more than one hour: the row may be anybody's.
 */
function inRange(contract: CompiledContract, range: HourRange): string {
  const { from, to } = wholeHours(range);
  if (contract.sink.kind === 'append-log')
    return `v._hour >= ${literal(from.toISOString())}::timestamptz and v._hour < ${literal(to.toISOString())}::timestamptz`;
  const hour = (group: number) =>
    `regexp_extract(v._bronze_object, '/dt=(\\d{4}-\\d{2}-\\d{2})/hr=(\\d{2})/', ${group})`;
  const whole = `${hour(1)} || 'T' || ${hour(2)}`;
  return `${hour(2)} <> '' and ${whole} >= ${literal(hourOf(from))} and ${whole} < ${literal(hourOf(to))}`;
}

/**
 * A row of Silver `v` and one of the shadow `s`, of one key, as their {@link DifferenceKind}; null where the law allows both.
 *
 * Silver holds the greatest row of *all* records, the shadow that of the range: so Silver may be greater, and its least version
 * less, but only by a record that is not of the range.
 */
export function kindOf({ contract, range, halves = ['lost', 'invented'] }: Rules): string {
  const v = order(contract, 'v');
  const s = order(contract, 's');
  const key = identifier(contract.key[0] ?? '');
  // Nulls inside of a row compare as greatest, so a side that is not there must be asked for first.
  const both = `v.${key} is not null and s.${key} is not null`;
  const lost = String(halves.includes('lost'));
  const invented = `(${String(halves.includes('invented'))}${range ? ` and (${inRange(contract, range)})` : ''})`;
  const cases: [DifferenceKind, string][] = [
    ['duplicate', 'v._copies > 1'],
    ['missing', `${lost} and v.${key} is null`],
    ['unknown', `s.${key} is null and ${invented}`],
    ['behind', `${lost} and ${both} and ${s} > ${v}`],
    ['ahead', `${both} and ${v} > ${s} and ${invented}`],
    ['unequal', `${both} and ${v} = ${s} and ${unequal(contract)}`],
    ['first_version', `${lost} and v._first_version > s._first_version`],
    ...(range
      ? []
      : [['first_version', `v._first_version < s._first_version and ${invented}`] as [DifferenceKind, string]]),
  ];
  return `case ${cases.map(([kind, when]) => `when ${when} then '${kind}'`).join(' ')} end`;
}

/**
 * Whether a difference may go by itself: Silver has yet to get what landed, or Bronze has yet to get the archive of what was
 * streamed. Nothing else does.
 */
export const MAY_HEAL = `(kind in ('missing', 'behind', 'first_version')
  or (kind in ('ahead', 'unknown') and starts_with(coalesce(v_bronze_object, ''), ${literal(MESSAGE_FOLDER)})))`;
