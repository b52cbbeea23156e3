import { failedPrecondition } from '../errors.ts';
import type { Subscription } from '../subscription/subscription.ts';

/** @throws GrpcError FAILED_PRECONDITION for a subscription that delivers by itself, or is detached */
export function pullable(subscription: Subscription): Subscription {
  const { pushConfig, bigqueryConfig, cloudStorageConfig, detached } = subscription.spec;
  if (detached) throw failedPrecondition('The subscription is detached from its topic.');
  if (pushConfig?.pushEndpoint || bigqueryConfig || cloudStorageConfig)
    throw failedPrecondition('This method is not supported for this subscription type.');
  return subscription;
}
