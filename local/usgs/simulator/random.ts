/** Numbers from 0 up to 1, the same for the same seed. */
export type Random = () => number;

/** mulberry32, by Tommy Ettinger (public domain): small, seeded, good enough for made-up earthquakes. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** A whole number from 0 up to `count`. */
export function below(random: Random, count: number): number {
  return Math.floor(random() * count);
}

/** Whether something happens that happens with this probability. */
export function chance(random: Random, probability: number): boolean {
  return random() < probability;
}

/** One of a list. */
export function pick<T>(random: Random, from: readonly T[]): T {
  return from[below(random, from.length)] as T;
}

/** A number with at most so many digits after the point. */
export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
