import { mkdir } from 'node:fs/promises';
import { faultInjector } from '../faults.ts';
import type { FaultInjector, Faults } from '../faults.ts';
import { loadProtos, serveGrpc, serviceOf, timestamp, unary } from '../grpc.ts';
import { Jobs } from './jobs.ts';
import type { JobOptions, JobRequest, LaunchRequest, ListRequest, MessagesRequest } from './jobs.ts';

/** What the Dataflow server needs. */
export interface DataflowOptions extends JobOptions {
  port?: number;
}

/** A running Dataflow server. */
export interface DataflowServer {
  port: number;
  /** `host:port`, plain text. */
  endpoint: string;
  faults: Faults;
  /** Ends it and every job. */
  stop(): Promise<void>;
}

/** The methods of the four services, by service. */
function methods(jobs: Jobs, { wrap }: FaultInjector) {
  const launch = wrap('launchFlexTemplate', (request: LaunchRequest) => jobs.launch(request));
  const get = wrap('getJob', (request: JobRequest) => jobs.get(request).view(request.view));
  const list = wrap('listJobs', (request: ListRequest) => jobs.list(request));
  const update = wrap('updateJob', (request: JobRequest) => jobs.update(request));
  const messages = wrap('listJobMessages', (request: MessagesRequest) => jobs.messages(request));
  const metrics = wrap('getJobMetrics', (request: JobRequest) => ({
    metricTime: timestamp(),
    metrics: jobs.get(request).metrics,
  }));
  return {
    FlexTemplatesService: { launchFlexTemplate: unary(launch) },
    JobsV1Beta3: { getJob: unary(get), listJobs: unary(list), updateJob: unary(update) },
    MessagesV1Beta3: { listJobMessages: unary(messages) },
    MetricsV1Beta3: { getJobMetrics: unary(metrics) },
  };
}

/** Starts Dataflow's API on the loopback interface: a job is a child process that runs the template. */
export async function startDataflow(options: DataflowOptions): Promise<DataflowServer> {
  await mkdir(options.logDirectory, { recursive: true });
  const protos = loadProtos('@google-cloud/dataflow/build/protos/protos.json');
  const jobs = new Jobs(options);
  const faults = faultInjector();
  const services = Object.entries(methods(jobs, faults)).map(([name, handlers]) => ({
    definition: serviceOf(protos, `google.dataflow.v1beta3.${name}`),
    handlers,
  }));
  const server = await serveGrpc(services, options.port ?? 0);
  return {
    port: server.port,
    endpoint: `127.0.0.1:${server.port}`,
    faults,
    async stop() {
      await server.stop();
      await jobs.stopAll();
    },
  };
}
