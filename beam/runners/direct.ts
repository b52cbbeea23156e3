import { directRunner as sdkRunner } from '../sdk.ts';
import type { JobRunner } from './runner.ts';

/** The SDK's own runner: everything in this process, without Beam's Fn API. */
export function directRunner(): JobRunner {
  return {
    async run(pipeline) {
      await sdkRunner().run(pipeline as Parameters<ReturnType<typeof sdkRunner>['run']>[0]);
    },
  };
}
