import { isCancellation, log, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import type { FileNews } from '../activities/files.ts';
import { short } from './activities.ts';
import { codeOf } from './failures.ts';

/** A receiver that is down for a day is mended by people, who find the dead letter. */
const posting = proxyActivities<Activities>({
  startToCloseTimeout: '1m',
  scheduleToCloseTimeout: '1 day',
  retry: { initialInterval: '2s', backoffCoefficient: 2, maximumInterval: '10m' },
});

/**
 * Tells systems outside of a file: by the notifications topic, and by the signed webhook where one is configured. What the
 * webhook does not take within a day, or refuses, becomes a dead letter; the file's own state does not depend on it.
 */
export async function tellOutside(news: FileNews): Promise<void> {
  await short.publishFileNews(news);
  try {
    await posting.postFileNews(news);
  } catch (error) {
    if (isCancellation(error)) throw error;
    const uri = await short.deadLetterFileNews({ news, code: codeOf(error) });
    log.warn('the webhook did not take the news', { code: codeOf(error), deadLetter: uri });
  }
}
