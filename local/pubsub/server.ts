import { loadProtos, serveGrpc, serviceOf } from '../grpc.ts';
import type { LocalGrpcServer } from '../grpc.ts';
import { Broker } from './broker.ts';
import { Deliveries } from './deliveries.ts';
import type { DeliveryOptions } from './deliveries.ts';
import { startRest } from './rest/server.ts';
import { Schemas } from './schemas/schemas.ts';
import { publisherService } from './services/publisher.ts';
import { schemaService } from './services/schema.ts';
import { subscriberService } from './services/subscriber.ts';
import { Snapshots } from './snapshots.ts';
import { Journal } from './state/journal.ts';

/** A running Pub/Sub server. */
export interface PubsubServer extends LocalGrpcServer {
  /** host:port, for `PUBSUB_EMULATOR_HOST`. */
  endpoint: string;
  /** The same services as REST API v1: `http://127.0.0.1:PORT`. */
  restUrl: string;
  /** Messages of a subscription (full name) that wait or are out. */
  backlog(subscription: string): number;
}

/** Pub/Sub's settings. */
export interface PubsubOptions extends DeliveryOptions {
  /** Default: a free one. */
  port?: number;
  /** Of the REST API. Default: a free one. */
  restPort?: number;
  /** Folder of what outlives a stop or a kill: the file `pubsub.ndjson`. Default: all lives in memory. */
  stateDirectory?: string;
}

/** Starts Pub/Sub on the loopback interface, where its state ends. */
export async function startPubsub(options: PubsubOptions = {}): Promise<PubsubServer> {
  const protos = loadProtos('@google-cloud/pubsub/build/protos/protos.json');
  const journal = new Journal(options.stateDirectory);
  const schemas = new Schemas(journal);
  const snapshots = new Snapshots(journal);
  const deliveries = new Deliveries(options, schemas);
  const broker = new Broker({ journal, schemas, snapshots, deliveries });
  const services = {
    Publisher: publisherService(broker, snapshots),
    Subscriber: subscriberService(broker, snapshots, deliveries),
    SchemaService: schemaService(schemas),
  };
  const server = await serveGrpc(
    Object.entries(services).map(([name, handlers]) => ({
      definition: serviceOf(protos, `google.pubsub.v1.${name}`),
      handlers,
    })),
    options.port ?? 0,
  );
  const rest = await startRest(services, options.restPort);
  return {
    port: server.port,
    restUrl: rest.url,
    endpoint: `127.0.0.1:${server.port}`,
    backlog: (name) => broker.subscription(name).backlog,
    async stop() {
      broker.close();
      await Promise.all([server.stop(), rest.stop()]);
    },
  };
}
