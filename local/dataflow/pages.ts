import grpc from '@grpc/grpc-js';
import { GrpcError } from '../grpc.ts';

/** One page of a list. */
export interface PageOf<Item> {
  items: Item[];
  /** Set where there is more. */
  nextPageToken?: string;
}

/**
 * Cuts a page out of a list. A token is the id of the last item before the page, so that a page stays right when newer
 * items come in front of it.
 *
 * @throws GrpcError INVALID_ARGUMENT for a token of no item
 */
export function pageOf<Item extends { id: string }>(
  all: Item[],
  { pageSize, pageToken }: { pageSize?: number; pageToken?: string },
): PageOf<Item> {
  const last = pageToken ? all.findIndex(({ id }) => id === pageToken) : -1;
  if (pageToken && last < 0) throw new GrpcError(grpc.status.INVALID_ARGUMENT, `Invalid page token ${pageToken}`);
  const end = pageSize ? last + 1 + pageSize : all.length;
  const items = all.slice(last + 1, end);
  const token = items.at(-1)?.id;
  return end < all.length && token ? { items, nextPageToken: token } : { items };
}
