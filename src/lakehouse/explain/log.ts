import pLimit from 'p-limit';
import { bucketOf } from '../../contracts/index.ts';
import type { CompiledContract, Row } from '../../contracts/index.ts';
import { decodeLogRows } from '../append-log/merge-object.ts';
import type { LogResources } from '../append-log/index.ts';
import { listLog } from '../append-log/read-log.ts';
import type { HourRange } from '../bronze/index.ts';
import { isSelected } from './key.ts';
import type { Selection } from './key.ts';

/** A record of a log, and where it lies. */
export interface LogRow {
  uri: string;
  row: Row;
}

const AT_ONCE = 8;

const PLACE = /\/dt=(\d{4}-\d{2}-\d{2})\/hr=(\d{2})\/bucket-(\d+)\.[a-z]+$/;

/** Objects of a log that may hold what is asked for: of the hours, and of the record id's bucket where that is what is asked for. */
async function candidates(
  resources: LogResources,
  contract: CompiledContract,
  selection: Selection,
  range: HourRange | undefined,
): Promise<string[]> {
  const id = selection.find(({ column }) => column.name === '_record_id')?.value;
  const wanted = id === undefined ? undefined : bucketOf(String(id), contract.sink.bucketCount);
  const uris: string[] = [];
  for await (const { uri } of listLog(resources, contract)) {
    const [, date, hour, bucket] = PLACE.exec(uri) ?? [];
    const at = Date.parse(`${date}T${hour}:00:00Z`);
    if (range && (at < range.from.getTime() || at >= range.to.getTime())) continue;
    if (wanted === undefined || Number(bucket) === wanted) uris.push(uri);
  }
  return uris;
}

/** Finds the records of a log that are asked for. Reads each object once, few at a time. */
export async function findInLog(
  resources: LogResources,
  contract: CompiledContract,
  selection: Selection,
  range: HourRange | undefined,
): Promise<LogRow[]> {
  const limit = pLimit(AT_ONCE);
  const uris = await candidates(resources, contract, selection, range);
  const found = await Promise.all(
    uris.map((uri) =>
      limit(async () => {
        const bytes = await resources.store.readIfExists(uri);
        const rows = bytes ? await decodeLogRows(contract, bytes) : [];
        return rows.filter((row) => isSelected(selection, row)).map((row) => ({ uri, row }));
      }),
    ),
  );
  return found.flat();
}
