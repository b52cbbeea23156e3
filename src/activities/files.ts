import { createHash } from 'node:crypto';
import { loadContract, publishContract } from '../lakehouse/contract-store.ts';
import type { CompiledContract } from '../contracts/index.ts';
import { cupelError } from '../errors.ts';
import { googleError } from '../gcp/errors.ts';
import { landFile, placeOfFile } from '../ingest/land-file.ts';
import type { FileDescription } from '../ingest/describe-file.ts';
import type { InboxFile, LandedFile } from '../ingest/land-file.ts';
import { ledgerEvent } from '../lakehouse/ledger/index.ts';
import { postSigned } from '../notifications/index.ts';
import { withHeartbeat } from './heartbeats.ts';
import type { ActivityResources } from './resources.ts';

/** What is told of a file to systems outside. */
export interface FileNews {
  /**
   * `file.landed`: it is in Bronze. `file.processed`: its rows are in Silver, and Gold was made. `file.refused`: it never came into
   * Bronze. `file.failed`: it is in Bronze, and its run failed.
   */
  type: 'file.landed' | 'file.processed' | 'file.refused' | 'file.failed';
  file: InboxFile;
  source: string;
  /** Object of Bronze; none for a file that was refused before it landed. */
  object?: string;
  description?: FileDescription;
  /** Code of the catalogue, for a file that was refused or failed. */
  code?: string;
}

/** Activities on files that others drop. */
export function fileActivities(resources: ActivityResources) {
  const { environment, store, ledger, now } = resources;
  const { buckets } = environment;

  async function contractOf({ bucket, name }: InboxFile): Promise<CompiledContract> {
    const source = placeOfFile(name)?.source;
    if (!source || bucket !== buckets.inbox)
      throw cupelError('CUP_FILE_MISPLACED', { file: name, known: `gs://${buckets.inbox}/<source>/<feed>/<file>` });
    return loadContract(environment.contractsDirectory, source);
  }

  return {
    /**
     * Lands a file of the inbox in Bronze, and enters what there is to know of it: records, bytes, schema, event times. Safe to
     * repeat: the same content of the same hour has the same name.
     *
     * @throws CupelError CUP_FILE_MISPLACED, CUP_FILE_REFUSED, CUP_OBJECT_NOT_FOUND
     */
    async landFile(file: InboxFile): Promise<LandedFile> {
      const contract = await contractOf(file);
      await publishContract(store, buckets.ops, contract);
      const landing = { store, bronzeBucket: buckets.bronze, quarantineBucket: buckets.quarantine };
      const landed = await withHeartbeat(() => landFile(landing, contract, file));
      const { object, description } = landed;
      await ledger.append([fileEvent(contract.source, file, 'landed', { object, ...description })]);
      return landed;
    },

    /** Enters how a file ended. */
    async recordFile(ended: {
      source: string;
      file: InboxFile;
      state: 'processed' | 'refused' | 'failed';
      detail: object;
    }) {
      await ledger.append([fileEvent(ended.source, ended.file, ended.state, ended.detail)]);
    },

    /** Tells the notifications topic of a file. */
    async publishFileNews(news: FileNews): Promise<void> {
      const { type, source } = news;
      const topic = environment.notificationsTopic;
      try {
        const pubsub = await resources.pubsub();
        const attributes = { id: idOf(news), type, source, subject: `file/${news.file.name}` };
        await pubsub.topic(topic).publishMessage({ data: Buffer.from(bodyOf(news)), attributes });
      } catch (error) {
        throw googleError('Pub/Sub', `publish to ${topic}`, error);
      }
    },

    /**
     * Tells the configured webhook of a file; none is configured: nothing to do.
     *
     * @throws CupelError CUP_WEBHOOK_UNAVAILABLE, CUP_WEBHOOK_REFUSED
     */
    async postFileNews(news: FileNews): Promise<void> {
      if (environment.webhook) await postSigned(environment.webhook, { id: idOf(news), body: bodyOf(news) }, now());
    },

    /** Keeps news that the webhook did not take, create-only, as its dead letter. Returns where. */
    async deadLetterFileNews({ news, code }: { news: FileNews; code: string }): Promise<string> {
      const uri = `gs://${buckets.quarantine}/_webhook/${idOf(news)}.json`;
      await store.create(uri, JSON.stringify({ code, body: bodyOf(news) }), 'application/json');
      return uri;
    },
  };

  function fileEvent(source: string, file: InboxFile, state: string, detail: object) {
    return ledgerEvent('file', source, `${file.name}#${file.generation}`, state, '', detail, new Date(now()));
  }
}

/** The same for every attempt to tell, so that a receiver can drop what it has. */
function idOf({ type, file }: FileNews): string {
  const hash = createHash('sha256').update(JSON.stringify([type, file.bucket, file.name, file.generation]));
  return `msg_${hash.digest('hex').slice(0, 32)}`;
}

function bodyOf({ type, file, source, object, description, code }: FileNews): string {
  const { bucket, name, generation } = file;
  const { fields: _fields, reasons: _reasons, firstRefused: _first, ...numbers } = description ?? {};
  const of = { ...(object ? { object } : {}), ...(description ? numbers : {}), ...(code ? { code } : {}) };
  return JSON.stringify({ type, data: { source, bucket, name, generation, ...of } });
}
