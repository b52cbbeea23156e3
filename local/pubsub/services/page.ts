import { invalid } from '../validate.ts';

/** How much of a list is asked for. */
export interface PageRequest {
  pageSize?: number;
  pageToken?: string;
}

const LARGEST = 1_000;

/** A page of a list, and the token of the next; '' after the last. Throws GrpcError INVALID_ARGUMENT for a foreign token. */
export function page<T>(
  items: T[],
  { pageSize = 0, pageToken = '' }: PageRequest,
): { items: T[]; nextPageToken: string } {
  const from = Number(pageToken);
  if (!Number.isInteger(from) || from < 0) throw invalid(`Invalid page_token ${pageToken}.`);
  const to = from + Math.min(pageSize || LARGEST, LARGEST);
  return { items: items.slice(from, to), nextPageToken: to < items.length ? String(to) : '' };
}
