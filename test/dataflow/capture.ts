import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { closeServer } from '../../local/metadata/server.ts';

/** A request that was sent to the Dataflow API. */
export interface Captured {
  method: string;
  path: string;
  body: string;
}

/** A server in the place of the Dataflow API: it records what it is asked and answers as Google does. */
export interface DataflowCapture {
  /** For `dataflowEndpoint`. Beam speaks REST to hosts whose address holds this word, and gRPC with TLS to all others. */
  url: string;
  requests: Captured[];
  /** Answers with an error from now on; undefined: no longer. */
  refuse(error: { code: number; message: string; status: string } | undefined): void;
  stop(): Promise<void>;
}

/** What the API answers: the job as it was made, then in its states one after the other. */
const STATES = ['JOB_STATE_PENDING', 'JOB_STATE_RUNNING', 'JOB_STATE_DONE'];

const JOB_ID = '2026-01-01_00_00_00-1';

/** Starts the server. */
export async function captureDataflow(): Promise<DataflowCapture> {
  const requests: Captured[] = [];
  let looks = 0;
  let error: Parameters<DataflowCapture['refuse']>[0];
  let made: Record<string, unknown> = {};
  function answer({ method, path, body }: Captured): object {
    if (path.includes('/messages')) return { jobMessages: [] };
    if (method === 'POST') made = JSON.parse(body) as typeof made;
    else looks = Math.min(looks + 1, STATES.length - 1);
    const { name, clientRequestId } = made;
    return { id: JOB_ID, name, clientRequestId, currentState: STATES[looks] };
  }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '' } = request;
      const body = Buffer.concat(chunks).toString();
      const captured = { method, path: url.replace(/\?.*/, ''), body };
      requests.push(captured);
      response.writeHead(error?.code ?? 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(error ? { error } : answer(captured)));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const refuse = (given: typeof error): void => void (error = given);
  return { url: `http://127.0.0.1:${port}/sandbox`, requests, refuse, stop: () => closeServer(server) };
}
