import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { closeServer } from '../../local/metadata/server.ts';

/** A door before the event service, which tells who came and keeps some waiting. */
export interface OriginDoor {
  url: string;
  /** `starttime` of every request since the door was last opened. */
  asked(): string[];
  /** Keeps requests that begin at this time waiting. */
  hold(start: string): void;
  /** Answers requests that begin at this time with a status. */
  refuse(start: string, status: number): void;
  /** Lets everybody in again and forgets who came. */
  open(): void;
  stop(): Promise<void>;
}

/** Starts a door before a site. */
export async function startOriginDoor(target: string): Promise<OriginDoor> {
  let asked: string[] = [];
  let held: string | undefined;
  let refused: { start: string; status: number } | undefined;
  const server = createServer((request, response) => {
    const start = new URL(request.url ?? '', target).searchParams.get('starttime') ?? '';
    asked.push(start);
    if (start === held) return; // it waits until its client gives up
    if (start === refused?.start) {
      response.writeHead(refused.status).end();
      return;
    }
    void fetch(target + request.url).then(async (answer) => {
      response.writeHead(answer.status, { date: answer.headers.get('date') ?? '' });
      response.end(Buffer.from(await answer.arrayBuffer()));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: () => [...asked],
    hold: (start) => (held = start),
    refuse: (start, status) => (refused = { start, status }),
    open() {
      asked = [];
      held = undefined;
      refused = undefined;
    },
    stop: () => closeServer(server),
  };
}
