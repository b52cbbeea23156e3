import { mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import { cupelError } from '../../errors.ts';
import type { Transport } from './types.ts';

async function append(file: string, line: Buffer): Promise<number> {
  await mkdir(path.dirname(file), { recursive: true });
  const handle = await open(file, 'a');
  try {
    return (await handle.write(line)).bytesWritten;
  } finally {
    await handle.close();
  }
}

/**
 * Appends events to a file, one a line. Each is one write to a file opened for appending, so that lines of several processes on one
 * machine never mix.
 */
export function fileTransport(file: string): Transport {
  return {
    kind: 'file',
    async send(event) {
      const line = Buffer.from(`${JSON.stringify(event)}\n`);
      const written = await append(file, line).catch((error: unknown) => {
        const { code } = error as NodeJS.ErrnoException;
        throw cupelError('CUP_LINEAGE_UNAVAILABLE', { file, answer: code ?? 'unknown' }, error);
      });
      if (written !== line.length) throw cupelError('CUP_LINEAGE_UNAVAILABLE', { file, answer: 'no space left' });
    },
  };
}
