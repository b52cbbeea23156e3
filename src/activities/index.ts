import { bronzeActivities } from './bronze.ts';
import { contractActivities } from './contracts.ts';
import { dataflowActivities } from './dataflow.ts';
import { dataformActivities } from './dataform.ts';
import { functionActivities } from './functions.ts';
import { ledgerActivities } from './ledger.ts';
import type { ActivityResources } from './resources.ts';
import { silverActivities } from './silver.ts';
import { temporalActivities } from './temporal.ts';

/** Every activity of Cupel, by name. */
export function createActivities(resources: ActivityResources) {
  return {
    ...bronzeActivities(resources),
    ...contractActivities(resources),
    ...dataflowActivities(resources),
    ...dataformActivities(resources),
    ...functionActivities(resources),
    ...ledgerActivities(resources),
    ...silverActivities(resources),
    ...temporalActivities(resources),
  };
}

/** What workflows can ask for. */
export type Activities = ReturnType<typeof createActivities>;

export type { ActivityResources } from './resources.ts';
