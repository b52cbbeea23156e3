import { hourOfMicros } from '../../contracts/index.ts';
import type { CompiledContract } from '../../contracts/index.ts';
import type { Selection } from './key.ts';
import type { LogRow } from './log.ts';
import type { FoundRecord, Scan } from './scan.ts';

/** Everything of one row: a key of a table; of a log a record id in an hour. */
export interface Group {
  key: string;
  hour: string | null;
  records: FoundRecord[];
  rows: LogRow[];
}

/** A record of a log belongs to its hour, as an object of the log does. */
export function groupsOf(contract: CompiledContract, selection: Selection, scan: Scan, logRows: LogRow[]): Group[] {
  const { records } = scan;
  if (contract.sink.kind !== 'append-log') return [{ key: String(selection[0]?.value), hour: null, records, rows: [] }];
  const groups = new Map<string, Group>();
  const groupOf = (key: string, hour: string): Group => {
    const name = `${hour} ${key}`;
    const group = groups.get(name) ?? { key, hour, records: [], rows: [] };
    groups.set(name, group);
    return group;
  };
  for (const record of records)
    groupOf(record.recordId, record.partition.slice(record.partition.lastIndexOf('/') + 1)).records.push(record);
  for (const of of logRows) groupOf(String(of.row._record_id), hourOfMicros(of.row._hour as bigint)).rows.push(of);
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
}
