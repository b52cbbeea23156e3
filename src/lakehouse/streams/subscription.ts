/** Pull subscription that a source's streaming job reads. */
export const streamSubscription = (source: string): string => `stream-${source}`;
