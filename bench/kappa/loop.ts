// loop.ts JOB: the product's rules in a bare loop. One thread; no Beam, no Cloud Storage, no staging, no manifest.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { bucketOf, normaliser, Reducer, unpackObject } from '../../src/contracts/index.ts';
import { loadContract } from '../../src/lakehouse/contract-store.ts';
import { encodeDelta } from '../../src/lakehouse/deltas/index.ts';
import { COMMON } from '../temporal/setting.ts';
import type { FilesJob } from './job.ts';

const job = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as FilesJob;
const contract = await loadContract(COMMON.CUPEL_CONTRACTS_DIR, 'earthquakes');
const normalise = normaliser(contract);
const reducer = new Reducer(contract);
for (const { name, file } of job.objects) {
  const { carrierOrder, records } = await unpackObject(contract, readFileSync(file), name);
  for (const record of records) {
    const result = normalise(record, { carrierOrder, bronzeObject: name });
    if ('row' in result) reducer.add(result.row, record.value);
  }
}
const key = contract.key[0] ?? '';
for (const [bucket, rows] of Map.groupBy(reducer.drain(), (row) => bucketOf(String(row[key]), job.buckets)))
  writeFileSync(path.join(job.output, `${bucket}.parquet`), encodeDelta(contract, rows));
