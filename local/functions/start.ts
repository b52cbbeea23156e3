import { hostFunction } from './host.ts';

/** The functions, where they listen. */
export interface Functions {
  pollUrl: string;
  onFinalizeUrl: string;
  triggerUrl: string;
  stop(): Promise<void>;
}

/** Loads the functions as they are deployed and serves each on a port of its own. */
export async function startFunctions(verify: (token: string, audience: string) => boolean): Promise<Functions> {
  await Promise.all([
    import('../../functions/poll/index.ts'),
    import('../../functions/on-finalize/index.ts'),
    import('../../functions/trigger/index.ts'),
  ]);
  const [poll, onFinalize, trigger] = await Promise.all([
    hostFunction('poll', verify),
    hostFunction('on-finalize', verify),
    hostFunction('trigger', verify),
  ]);
  return {
    pollUrl: poll.url,
    onFinalizeUrl: onFinalize.url,
    triggerUrl: trigger.url,
    async stop() {
      await Promise.all([poll.stop(), onFinalize.stop(), trigger.stop()]);
    },
  };
}
