/**
 * Makes the clock of carrier orders: microseconds since 1970, each call more than the one before, also when the machine's clock is
 * set back or two calls fall into one of its ticks.
 *
 * @param now milliseconds since 1970
 */
export function carrierClock(now: () => number = Date.now): () => bigint {
  let last = 0n;
  return () => {
    const time = BigInt(now()) * 1000n;
    last = time > last ? time : last + 1n;
    return last;
  };
}
