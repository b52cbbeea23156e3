import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { JSONParse } from 'json-with-bigint';
import { PROJECT, toolPath } from '../../scripts/tools.ts';
import type { Lake } from './lake.ts';

interface Answer {
  rows?: Record<string, unknown>[];
  text?: string;
  error?: string;
}

/** A Spark session on the catalog of a lake, as `lake`. Statements run one after the other. */
export interface Spark {
  /** Rows of a statement. @throws Error with what Spark says */
  sql(sql: string): Promise<Record<string, unknown>[]>;
  /** Rows of a query, in the form of an export. */
  export(sql: string): Promise<string>;
  stop(): Promise<void>;
}

/** Starts a session; its log is in the lake's folder. */
export function startSpark(lake: Lake): Spark {
  const args = [path.join(PROJECT, 'test/spark/session.py'), lake.catalogUrl, lake.storageUrl, toolPath('sparkJars')];
  const python = toolPath('sparkPython');
  const child = spawn(python, args, {
    stdio: 'pipe',
    // Python shows times in the zone of its process.
    env: { ...process.env, TZ: 'UTC', PYSPARK_PYTHON: python },
  });
  child.stderr.pipe(createWriteStream(path.join(lake.directory, 'spark.log')));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let last: Promise<unknown> = Promise.resolve();
  const ask = (request: object): Promise<Answer> => {
    const asked = last.then(async () => {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error('the Spark session ended');
      const answer = JSONParse(value) as Answer;
      if (answer.error) throw new Error(answer.error);
      return answer;
    });
    last = asked.catch(() => undefined);
    return asked;
  };
  return {
    sql: async (sql) => (await ask({ sql })).rows ?? [],
    export: async (sql) => (await ask({ sql, export: true })).text ?? '',
    async stop() {
      const ended = once(child, 'exit');
      child.stdin.end();
      await ended;
    },
  };
}
