import { closeSync, fsyncSync, mkdirSync, openSync, readSync, renameSync, writeSync } from 'node:fs';
import path from 'node:path';
import type { Message } from '../messages.ts';
import { BrokerState } from './broker-state.ts';
import type { BrokerEvent, Sent } from './broker-state.ts';

/** Bytes that may be of no use any more before the file is written anew. */
const SLACK = 64 << 20;

/** Bytes of one write of a compaction. */
const CHUNK = 1 << 20;

/** What Pub/Sub keeps, and a file that is appended to before a call is answered: an answered publish outlives a kill. */
export class Journal {
  readonly state = new BrokerState();
  readonly #file: string | undefined;
  #bytes = 0;
  /** Bytes after which it is written anew: as many as it then held, so that the cost stays in proportion. */
  #limit = SLACK;
  #open: number | undefined;

  /** @param directory folder of the file `pubsub.ndjson`. Default: the state lives in memory. */
  constructor(directory?: string) {
    if (directory === undefined) return;
    mkdirSync(directory, { recursive: true });
    this.#file = path.join(directory, 'pubsub.ndjson');
    for (const event of readEvents(this.#file)) this.state.apply(event);
    this.state.expire(Date.now());
    // The file starts clean, so a line that a kill has cut off cannot spoil the next one.
    this.#compact(this.#file);
  }

  /** Keeps an event. One append, so a publish of many messages is kept whole or not at all. */
  record(event: BrokerEvent): void {
    if (this.#open !== undefined) this.#bytes += append(this.#open, line(event));
    this.state.apply(event);
    if (this.#file && this.#bytes > this.#limit) this.#compact(this.#file);
  }

  /** Writes nothing any more: what is recorded from now on is of no account. */
  close(): void {
    if (this.#open !== undefined) closeSync(this.#open);
    this.#open = undefined;
  }

  /** Replaces the file by one that holds only what still counts. */
  #compact(file: string): void {
    const part = openSync(`${file}.part`, 'w');
    let [text, bytes] = ['', 0];
    for (const event of this.state.events()) {
      text += line(event);
      if (text.length < CHUNK) continue;
      bytes += append(part, text);
      text = '';
    }
    bytes += append(part, text);
    fsyncSync(part);
    closeSync(part);
    renameSync(`${file}.part`, file);
    this.close();
    this.#open = openSync(file, 'a');
    this.#bytes = 0;
    this.#limit = Math.max(SLACK, bytes);
  }
}

/** Writes all of a text; answers its bytes. */
function append(file: number, text: string): number {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
  return bytes.length;
}

/** Bytes as base64, under a name that no field of Pub/Sub has. */
function plain(message: Message): object {
  const { data } = message;
  return data ? { ...message, data: { $base64: data.toString('base64') } } : message;
}

function line(event: BrokerEvent): string {
  if ('sent' in event) {
    const sent = event.sent.map(({ message, to }) => ({ message: plain(message), to }));
    return `${JSON.stringify({ ...event, sent })}\n`;
  }
  if ('kept' in event) return `${JSON.stringify({ ...event, kept: event.kept.map(plain) })}\n`;
  return `${JSON.stringify(event)}\n`;
}

function revived(message: Message): Message {
  const base64 = (message.data as { $base64?: string } | undefined)?.$base64;
  return base64 === undefined ? message : { ...message, data: Buffer.from(base64, 'base64') };
}

function parse(text: string): BrokerEvent {
  const event = JSON.parse(text) as BrokerEvent;
  if ('sent' in event) {
    const sent = event.sent.map(({ message, to }): Sent => ({ message: revived(message), to }));
    return { ...event, sent };
  }
  if ('kept' in event) return { ...event, kept: event.kept.map(revived) };
  return event;
}

const NEWLINE = 10;

/** Bytes of one read: a file may be longer than a buffer can be. */
const READ = 8 << 20;

/** Pieces of a file, one after the other; none where there is no file. */
function* readPieces(file: string): Generator<Buffer> {
  let open: number;
  try {
    open = openSync(file, 'r');
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return; // the first start
    throw error;
  }
  try {
    for (;;) {
      const piece = Buffer.allocUnsafe(READ);
      const length = readSync(open, piece);
      if (!length) return;
      yield piece.subarray(0, length);
    }
  } finally {
    closeSync(open);
  }
}

/** What follows the last newline was cut off by a kill: that call was never answered. */
function* readEvents(file: string): Generator<BrokerEvent> {
  let open: Buffer[] = [];
  for (const piece of readPieces(file)) {
    let at = 0;
    for (let end = piece.indexOf(NEWLINE); end >= 0; at = end + 1, end = piece.indexOf(NEWLINE, at)) {
      yield parse(Buffer.concat([...open, piece.subarray(at, end)]).toString('utf8'));
      open = [];
    }
    open.push(piece.subarray(at));
  }
}
