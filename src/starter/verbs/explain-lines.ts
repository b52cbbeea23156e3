import type { Explanation, RecordStory, RowSince, RowStory } from '../../lakehouse/explain/index.ts';

/** Records of a row that are printed; JSON has all. */
const MAX_RECORDS = 200;

const short = (hash: string): string => hash.slice(0, 12);

const SINCE: Record<RowSince['since'], (of: RowSince) => string> = {
  exact: ({ snapshotId, at }) => `since snapshot ${snapshotId}, ${at}`,
  between: ({ snapshotId, at }) => `snapshot ${snapshotId}, ${at}, or one before it that has expired`,
  before: ({ snapshotId, at }) => `before the oldest snapshot kept, or in it: ${snapshotId}, ${at}`,
};

function sinceText(since: RowSince): string {
  const batches = since.batchIds.length ? `, batches ${since.batchIds.map(short).join(', ')}` : '';
  return `${SINCE[since.since](since)}${batches}`;
}

function processingText({ processing, outcome }: RecordStory): string {
  switch (processing.state) {
    case 'settled': {
      const snapshot = processing.snapshotId === null ? processing.outcome : `snapshot ${processing.snapshotId}`;
      return `batch ${short(processing.batchId)} ${snapshot}`;
    }
    case 'waiting':
      return `batch ${short(processing.batchId)} waits for the committer`;
    case 'failed':
      return `its partition failed: ${processing.code}`;
    case 'committed':
      return 'committed';
    case 'landed':
      if (processing.sweptThrough !== undefined)
        return `landed; no batch of Bronze took it, a stream may have: its batches up to ${processing.sweptThrough} are no longer kept`;
      if (processing.streamed) return 'landed; no batch took it, a stream may have';
      return outcome === 'refused' ? 'landed' : 'landed, not committed yet';
    case 'unknown':
      return 'landed, its partition has changed since';
  }
}

function table(rows: string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** Parts of the order that tell records apart: the rest is equal in all, or a hash that the letter of the content stands for. */
function shownParts({ records }: RowStory, order: string[]): string[] {
  const [first = '', ...rest] = order;
  const differs = (part: string): boolean => new Set(records.map((record) => record.order?.[part])).size > 1;
  return [first, ...rest.filter((part) => part !== '_record_hash' && (part === '_carrier_order' || differs(part)))];
}

function recordLines(row: RowStory, order: string[]): string[] {
  if (!row.records.length) return [];
  const parts = shownParts(row, order);
  const head = ['', ...parts, 'content', 'record', 'why', 'became of it'];
  const line = (record: RecordStory): string[] => [
    `${record.outcome === 'winner' ? '*' : record.outcome === 'refused' ? 'x' : ' '}${record.inSilver ? 'S' : ''}`,
    ...parts.map((part) => record.order?.[part] ?? '-'),
    record.content ?? '-',
    `${record.messageId === undefined ? '' : `message ${record.messageId}, `}${record.object}#${record.offset}`,
    record.why,
    [processingText(record), ...(record.becameRow ? [`the row, ${sinceText(record.becameRow)}`] : [])].join('; '),
  ];
  const more = row.records.length - MAX_RECORDS;
  return [
    ...table([head, ...row.records.slice(0, MAX_RECORDS).map(line)]),
    ...(more > 0 ? [`… and ${more} more: --json has all`] : []),
    ...keptLines(row),
  ];
}

function keptLines({ records }: RowStory): string[] {
  const notes = records.flatMap(({ kept }) => kept);
  return notes.map(
    ({ object, offset, code, detail, contract, at, uri }) =>
      `quarantined  ${object}${offset === null ? '' : `#${offset}`}: ${code}, ${detail}; contract ${short(contract)}, ${at}, ${uri}`,
  );
}

function silverLines({ silver }: RowStory): string[] {
  if (!silver) return ['Silver       no row'];
  const { recordId, contract, current, rulesVersion, since, logObject } = silver;
  const made = current ? 'the contract in force' : `contract ${short(contract)}, which is not in force`;
  return [
    `Silver       ${recordId}, made by ${made}, rules version ${rulesVersion}`,
    ...(since ? [`snapshot     ${sinceText(since)}`] : []),
    ...(logObject ? [`log          ${logObject}`] : []),
  ];
}

function goldLines({ gold }: RowStory): string[] {
  if (!gold) return [];
  const { run, tables, readRecordId } = gold;
  if (!run) return ['Gold         was never made, as far as the ledger knows'];
  return [
    `Gold         newest run read Silver as of ${run.asOf}${readRecordId === null ? '' : `: ${readRecordId}`}`,
    ...tables.map(({ table: name, reached, place, rows, why, partitionBy }) => {
      const where = place.map(({ column, value }) => `${column} = ${value}`).join(', ');
      const whole = partitionBy ? `a partition of ${partitionBy}` : 'the whole table';
      const found = rows === null ? '' : `, ${rows} ${rows === 1 ? 'row' : 'rows'} there`;
      return `  ${reached.padEnd(10)} ${name}: ${where || whole}${found}; ${why}`;
    }),
  ];
}

function rowLines(explanation: Explanation, row: RowStory): string[] {
  const winner = row.records.find(({ outcome }) => outcome === 'winner');
  return [
    `key          ${row.key}${row.hour === null ? '' : `, hour ${row.hour}`} of ${explanation.source}, ${explanation.table}`,
    `verdict      ${row.verdict.state.toUpperCase()}: ${row.verdict.text}`,
    ...(winner ? [`winner       ${winner.object}#${winner.offset}, ${winner.why}`] : ['winner       none']),
    ...(row.tie ? ['tie          several contents have the greatest version'] : []),
    ...silverLines(row),
    ...goldLines(row),
    '',
    ...recordLines(row, explanation.order),
  ];
}

/** The answer for people: a short head, and each record that landed, greatest first. */
export function explainLines(explanation: Explanation): string[] {
  const { rows, unreadable, refusedInStream, searched, source } = explanation;
  const { objects, bytes, from, to } = searched;
  const range = from === null && to === null ? 'all of Bronze' : `hours from ${from ?? ''} to ${to ?? ''}`;
  return [
    ...(rows.length
      ? rows.flatMap((row) => [...rowLines(explanation, row), ''])
      : [`nothing of this key in ${source}`, '']),
    ...unreadable
      .slice(0, 20)
      .map(
        ({ object, code, holdsKey }) => `unreadable   ${object}: ${code}${holdsKey ? '; its bytes hold the key' : ''}`,
      ),
    ...(unreadable.length > 20 ? [`unreadable   … and ${unreadable.length - 20} more: --json has all`] : []),
    ...refusedInStream.map(
      ({ object, offset, code, detail, at }) =>
        `refused      ${object}${offset === null ? '' : `#${offset}`}, ${at}: ${code}, ${detail}; its text holds the key`,
    ),
    `searched     ${range}: ${objects} objects, ${bytes} bytes. * wins, S is the row of Silver, x is refused`,
  ];
}
