/** Says how much of a steady load is due: nothing is left out when somebody was late, so a slow publisher shows. */
export class Pace {
  readonly #perMs: number;
  readonly #startedMs: number;
  readonly #total: number;
  #given = 0;

  /** @param seconds for which the load goes on */
  constructor(perSecond: number, seconds: number, startedMs: number) {
    this.#perMs = perSecond / 1000;
    this.#startedMs = startedMs;
    this.#total = Math.round(perSecond * seconds);
  }

  get total(): number {
    return this.#total;
  }

  get done(): boolean {
    return this.#given >= this.#total;
  }

  /** How many are to be sent now, at most so many. */
  due(nowMs: number, most = Infinity): number {
    const wanted = Math.min(this.#total, Math.floor((nowMs - this.#startedMs) * this.#perMs)) - this.#given;
    const due = Math.max(0, Math.min(wanted, most));
    this.#given += due;
    return due;
  }
}
