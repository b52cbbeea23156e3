import { setTimeout as delay } from 'node:timers/promises';
import { ApiError } from './api-error.ts';
import { patiently } from './patience.ts';

/** The emulator behind the front. */
export class Emulator {
  readonly url: string;
  readonly projectId: string;

  constructor(url: string, projectId: string) {
    this.url = url;
    this.projectId = projectId;
  }

  async request(
    method: string,
    path: string,
    body?: object,
  ): Promise<{ status: number; body: Record<string, unknown> }> {
    return patiently(async () => {
      const response = await fetch(`${this.url}/bigquery/v2/projects/${this.projectId}${path}`, {
        method,
        headers: { 'content-type': 'application/json' },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      const text = await response.text();
      return { status: response.status, body: text ? (JSON.parse(text) as Record<string, unknown>) : {} };
    });
  }

  /** @throws ApiError with the emulator's answer */
  async expect(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
    const answer = await this.request(method, path, body);
    if (answer.status < 300) return answer.body;
    const error = answer.body.error as { message?: string } | undefined;
    throw new ApiError(answer.status, 'backendError', error?.message ?? `the emulator answered ${answer.status}`);
  }

  /** Runs a job to its end. */
  async runJob(configuration: object): Promise<void> {
    let job = await this.expect('POST', '/jobs', { configuration });
    for (;;) {
      const { state, errorResult } = (job.status ?? {}) as { state?: string; errorResult?: { message?: string } };
      if (errorResult) throw new ApiError(500, 'backendError', errorResult.message ?? 'the job failed');
      if (state === 'DONE') return;
      await delay(20);
      job = await this.expect('GET', `/jobs/${(job.jobReference as { jobId: string }).jobId}`);
    }
  }
}
