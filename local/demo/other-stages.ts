import { deliverWebhooks, dropNetworks, publishReports, runRecent, untilArchived, untilRaw } from './others.ts';
import { otherContract } from './running.ts';
import type { Running } from './running.ts';
import type { Stages } from './stages.ts';

// The other ways in, each up to Silver and Gold.

/** A legacy system drops a file. */
export async function runFiles({ client, resources }: Running, stages: Stages): Promise<void> {
  await stages.run(
    'files',
    () => dropNetworks(client, resources),
    ({ landed, state }) => {
      const { records, refused } = landed.description;
      return `a CSV file of ${records} records, ${refused} in quarantine, ${state}`;
    },
  );
}

/** People report, from an app, what they felt of the earthquakes in Silver. */
export async function runReports(running: Running, stages: Stages): Promise<void> {
  const { client, resources, contract } = running;
  const felt = otherContract(running, 'felt_reports');
  const work = async () => {
    const reports = await publishReports(await resources.pubsub(), resources, contract, felt);
    await untilRaw(resources, 'felt_reports', 'report_id', reports);
    if (reports) await untilArchived(resources, 'felt_reports');
    return { reports, run: await runRecent(client, 'felt_reports') };
  };
  await stages.run(
    'apps',
    work,
    ({ reports, run }) => `${reports} messages published, ${run.batches.rows} rows in an Avro log`,
  );
}

/** GitHub delivers signed webhooks. */
export async function runWebhooks({ client, resources, cloud }: Running, stages: Stages): Promise<void> {
  const { CUPEL_FUNCTION_INGEST_URL: url = '', CUPEL_WEBHOOK_SECRETS_GITHUB_EVENTS: secret = '' } = cloud.env;
  const work = async () => {
    const delivered = await deliverWebhooks(url, secret);
    await untilRaw(resources, 'github_events', "JSON_VALUE(data, '$.delivery_id')", delivered.taken);
    return { ...delivered, run: await runRecent(client, 'github_events') };
  };
  await stages.run(
    'webhooks',
    work,
    ({ taken, duplicates, run }) =>
      `${taken} deliveries taken, ${duplicates} duplicates, ${run.batches.rows} rows in a Parquet log`,
  );
}
