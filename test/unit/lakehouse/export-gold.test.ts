import { BigQuery, BigQueryTimestamp } from '@google-cloud/bigquery';
import { expect, test } from 'vitest';
import { exportGold } from '../../../src/lakehouse/gold/export-gold.ts';

/** A client whose every query has these rows. */
const answering = (rows: object[]): BigQuery =>
  ({
    createQueryJob: () => Promise.resolve([{ getQueryResults: () => Promise.resolve([rows]) }]),
  }) as unknown as BigQuery;

test('times have six digits, days are days, what is missing is null', async () => {
  const table = { name: 'made', key: ['day'], columns: ['day', 'at', 'number', 'none'] };
  const rows = ['2025-05-04T13:00:00Z', '2025-05-04T13:00:00.12Z', '2025-05-04T13:00:00.000007Z'];
  const lines = await exportGold(
    answering(rows.map((at) => ({ day: BigQuery.date('2025-05-04'), at: new BigQueryTimestamp(at), number: -0.5 }))),
    table,
  );
  expect(lines).toEqual(
    ['2025-05-04T13:00:00.000000Z', '2025-05-04T13:00:00.120000Z', '2025-05-04T13:00:00.000007Z'].map(
      (at) => `{"day":"2025-05-04","at":"${at}","number":-0.5,"none":null}\n`,
    ),
  );
});
