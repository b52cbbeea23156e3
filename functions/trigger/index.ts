import { http } from '@google-cloud/functions-framework';
import type { Request, Response } from '@google-cloud/functions-framework';
import type { Topic } from '@google-cloud/pubsub';
import { parseJson, readControl, scheduledTime } from '../../src/control/message.ts';
import { CupelError } from '../../src/errors.ts';
import { pubsubClient } from '../../src/gcp/clients.ts';
import { readEnvironment } from '../../src/gcp/env.ts';
import { googleError } from '../../src/gcp/errors.ts';
import { readyOnce } from '../../src/gcp/ready.ts';

/** Milliseconds until Pub/Sub counts as away. The client's own ten minutes are longer than any caller waits. */
const PUBLISH_TIMEOUT_MS = 20_000;

async function prepare(): Promise<Topic> {
  const environment = readEnvironment();
  const pubsub = await pubsubClient(environment);
  return pubsub.topic(environment.controlTopic, { gaxOpts: { timeout: PUBLISH_TIMEOUT_MS } });
}

const controlTopic = readyOnce(prepare);

async function publish(json: object): Promise<string> {
  const topic = await controlTopic();
  try {
    return await topic.publishMessage({ json });
  } catch (error) {
    throw googleError('Pub/Sub', 'publish', error);
  }
}

/**
 * Cloud Function `trigger`: POST what is to be started, as `readControl` takes it, get 202 with the id of the message that
 * asks the worker for it. 400: no use to try again; 503: nothing was published, try later.
 */
async function trigger(request: Request, response: Response): Promise<void> {
  try {
    const header = request.get('x-cloudscheduler-scheduletime');
    const body = parseJson(request.rawBody);
    const message = readControl(body, header === undefined ? Date.now() : scheduledTime(header));
    response.status(202).json({ messageId: await publish(message) });
  } catch (error) {
    if (!(error instanceof CupelError)) throw error;
    response
      .status(error.code === 'CUP_REQUEST_INVALID' ? 400 : 503)
      .json({ code: error.code, message: error.message });
  }
}

http('trigger', trigger);
