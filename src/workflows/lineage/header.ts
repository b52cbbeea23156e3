import { defaultPayloadConverter } from '@temporalio/common';
import type { Headers } from '@temporalio/common';
import type { Parentage } from '../../lineage/types.ts';

/** Temporal's header that hands down what a run is part of. */
const HEADER = 'cupel-lineage';

/** What the header says; undefined where there is none. */
export function parentageIn(headers: Headers): Parentage | undefined {
  const payload = headers[HEADER];
  return payload && defaultPayloadConverter.fromPayload<Parentage>(payload);
}

/** The headers with what a run is part of. */
export function withParentage(headers: Headers, parentage: Parentage | undefined): Headers {
  return parentage ? { ...headers, [HEADER]: defaultPayloadConverter.toPayload(parentage) } : headers;
}
