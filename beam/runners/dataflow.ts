import path from 'node:path';
import { cupelError } from '../../src/errors.ts';
import type * as Services from 'apache-beam/utils/service';
import { sdkModule } from '../sdk-fixes/sdk-module.ts';
import type { DataflowOptions } from './dataflow-options.ts';
import { portableRunner } from './portable.ts';
import type { JobRunner } from './runner.ts';

const { PythonService } = sdkModule<typeof Services>('utils/service');

/** Beam's own program that takes a job of any SDK and submits it to Dataflow. */
const JOB_SERVICE = 'apache_beam.runners.dataflow.dataflow_job_service';

/** The same program, with a fix of ours. */
const JOB_SERVICE_FIXED = path.join(import.meta.dirname, 'dataflow_job_service.py');

/** Milliseconds that Python may take to load it: the SDK waits 10 s, which a busy machine exceeds. */
const STARTED_WITHIN_MS = 120_000;

function jobService(): Services.Service {
  const service = PythonService.forModule(JOB_SERVICE, ['--port', '{{PORT}}']);
  if (service instanceof PythonService) {
    service.args = ['-u', JOB_SERVICE_FIXED, '--port', '{{PORT}}'];
    const { portReady } = service;
    service.portReady = (port, host) => portReady.call(service, port, host, STARTED_WITHIN_MS);
  }
  return service;
}

/**
 * Runs pipelines on Dataflow: Beam's job service in Python, started for each, takes the graph and submits it as Beam's own
 * Python pipelines are submitted. A run ends when the job does; with `templateLocation`, when the job is written there.
 *
 * @throws CupelError CUP_BEAM_SERVICE_FAILED when Python has no apache-beam[gcp]; CUP_BEAM_JOB_FAILED
 */
export function dataflowRunner(options: DataflowOptions): JobRunner {
  return {
    needsGraph: true,
    async run(pipeline) {
      const service = jobService();
      try {
        const jobEndpoint = await service.start().catch((cause: unknown) => {
          throw cupelError('CUP_BEAM_SERVICE_FAILED', { service: JOB_SERVICE, said: (cause as Error).message }, cause);
        });
        const { jobName, sdkContainerImage: image } = options;
        await portableRunner({ jobEndpoint, options: { ...options }, image, ...(jobName ? { jobName } : {}) }).run(
          pipeline,
        );
      } finally {
        await service.stop();
      }
    },
  };
}
