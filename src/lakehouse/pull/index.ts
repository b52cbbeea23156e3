export { PullLog } from './pull-log.ts';
export type { PulledPage, PulledWindow } from './pull-log.ts';
export { gapHole, holesOf, judgeRepairs } from './repairs.ts';
export type { Hole, Repairs } from './repairs.ts';
export { spanOf, windowPartition, windowsOf } from './windows.ts';
export type { PullWindow, Span } from './windows.ts';
