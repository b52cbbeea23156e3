export { lineageOfActivities } from './interceptor.ts';
export { tellStreamed } from './streamed.ts';
export { lineageSinks } from './workflows.ts';
