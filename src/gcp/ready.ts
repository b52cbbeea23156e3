/**
 * Makes what a function needs at its first request, once for its instance. Where that fails the next request tries again: an instance
 * that kept the failure would answer nothing else until it is replaced.
 */
export function readyOnce<T>(prepare: () => Promise<T>): () => Promise<T> {
  let ready: Promise<T> | undefined;
  return () =>
    (ready ??= prepare().catch((error: unknown) => {
      ready = undefined;
      throw error;
    }));
}
