import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { expect } from 'vitest';
import type { CompiledContract } from '../../src/contracts/index.ts';
import type { Chunk, Manifest } from '../../src/lakehouse/deltas/index.ts';
import type { BeamRunner } from './beam-runners.ts';
import { runKappaJob } from './kappa-job.ts';
import type { Lake } from './lake.ts';

/** What a batch published. */
export interface Published {
  manifest: Manifest;
  /** Every row of every delta, all columns, in order of bucket and key; integers of 64 bits as digits and `n`. */
  rows: string[];
}

async function deltaRows(lake: Lake, contract: CompiledContract, manifest: Manifest): Promise<string[]> {
  const rows: string[] = [];
  for (const { uri, bucket } of manifest.files) {
    const bytes = await lake.store.read(uri);
    const file = new Uint8Array(bytes).buffer;
    const objects = await parquetReadObjects({ file, compressors, utf8: true });
    const texts = objects.map((row) => {
      const shown = JSON.stringify(row, (_, value: unknown) =>
        typeof value === 'bigint'
          ? `${value}n`
          : value instanceof Uint8Array
            ? Buffer.from(value).toString('hex')
            : value,
      );
      return `${bucket} ${String(row[contract.key[0] ?? ''])} ${shown}`;
    });
    rows.push(...texts.sort());
  }
  return rows;
}

/** Runs the job of a chunk on a runner, the direct one by default, and reads back all that it published. */
export async function published(
  lake: Lake,
  contract: CompiledContract,
  chunk: Chunk,
  runner?: BeamRunner,
): Promise<Published> {
  const args = runner ? [`--runner=${runner.name}`, `--job-endpoint=${runner.jobEndpoint}`] : [];
  const { code, stderr } = await runKappaJob(lake, chunk, undefined, undefined, args);
  expect(`${code} ${code ? stderr : ''}`).toBe('0 ');
  const manifest = (await lake.deltas.readManifest(chunk.table, chunk.batchId)) as Manifest;
  return { manifest, rows: await deltaRows(lake, contract, manifest) };
}

/** What of a manifest does not depend on the attempt: delta files have names of their own, and rows of one may come in any order. */
export function comparable({ batchId: _, files, ...manifest }: Manifest): object {
  const quarantine = manifest.quarantine.toSorted((a, b) => (a.reasonCode < b.reasonCode ? -1 : 1));
  return { ...manifest, quarantine, files: files.map(({ bucket, rows }) => ({ bucket, rows })) };
}
