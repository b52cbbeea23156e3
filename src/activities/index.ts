import { auditActivities } from './audit.ts';
import { backfillActivities } from './backfill.ts';
import { contractActivities } from './contracts.ts';
import { dataflowActivities } from './dataflow.ts';
import { dataformActivities } from './dataform.ts';
import { fileActivities } from './files.ts';
import { functionActivities } from './functions.ts';
import { goldActivities } from './gold.ts';
import { goldTurnActivities } from './gold-turn.ts';
import { ledgerActivities } from './ledger.ts';
import { monitorActivities } from './monitor.ts';
import { notificationActivities } from './notifications.ts';
import { parityActivities } from './parity.ts';
import { planActivities } from './plans.ts';
import type { ActivityResources } from './resources.ts';
import { rebuildActivities } from './rebuild.ts';
import { redriveActivities } from './redrive.ts';
import { silverActivities } from './silver.ts';
import { streamActivities } from './streams.ts';
import { temporalActivities } from './temporal.ts';
import { upkeepActivities } from './upkeep.ts';

/** Every activity of Cupel, by name. */
export function createActivities(resources: ActivityResources) {
  return {
    ...auditActivities(resources),
    ...parityActivities(resources),
    ...planActivities(resources),
    ...backfillActivities(resources),
    ...contractActivities(resources),
    ...dataflowActivities(resources),
    ...dataformActivities(resources),
    ...fileActivities(resources),
    ...functionActivities(resources),
    ...goldActivities(resources),
    ...goldTurnActivities(resources),
    ...ledgerActivities(resources),
    ...rebuildActivities(resources),
    ...redriveActivities(resources),
    ...silverActivities(resources),
    ...monitorActivities(resources),
    ...notificationActivities(resources),
    ...streamActivities(resources),
    ...temporalActivities(resources),
    ...upkeepActivities(resources),
  };
}

/** What workflows can ask for. */
export type Activities = ReturnType<typeof createActivities>;

export type { ActivityResources } from './resources.ts';
