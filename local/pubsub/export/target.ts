import type { ExportState } from '../resources.ts';

/** Between two looks at a table or bucket that cannot be written. */
const AGAIN_MS = 500;

/** A look is good for so long. */
const FRESH_MS = 1_000;

/** The state that an error of BigQuery's or Cloud Storage's API means; undefined: one that passes. */
export function stateOf(error: unknown): ExportState | undefined {
  const code = Number((error as { code?: unknown }).code);
  if (code === 404) return 'NOT_FOUND';
  return code === 403 ? 'PERMISSION_DENIED' : undefined;
}

/** The table or bucket of an export subscription: whether it can be written, looked at again and again while it cannot. */
export class ExportTarget {
  #state: ExportState = 'ACTIVE';
  #usable = false;
  #lookedAt = 0;
  #looking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  readonly #inspect: () => Promise<ExportState>;
  readonly #onUsable: () => void;

  /**
   * @param inspect looks at it; what it throws is taken for what an API answered
   * @param onUsable called whenever it has become usable
   */
  constructor(inspect: () => Promise<ExportState>, onUsable: () => void) {
    this.#inspect = inspect;
    this.#onUsable = onUsable;
    void this.look();
  }

  get state(): ExportState {
    return this.#state;
  }

  /** Whether it is worth a try to write. */
  get usable(): boolean {
    return this.#usable && !this.#stopped;
  }

  /**
   * Looks at it, unless that was done a moment ago.
   *
   * @param anyway also where it was: what is to be written has changed
   */
  async look(anyway = false): Promise<void> {
    if (this.#stopped || (this.#usable && !anyway && Date.now() - this.#lookedAt < FRESH_MS)) return;
    this.#looking ??= this.#inspect()
      .then((state) => this.#set(state, state === 'ACTIVE'))
      .catch((error: unknown) => this.fail(error))
      .finally(() => (this.#looking = undefined));
    await this.#looking;
  }

  /** A write has failed: nothing more is written before the next look. */
  fail(error: unknown): void {
    this.#set(stateOf(error) ?? this.#state, false);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #set(state: ExportState, usable: boolean): void {
    const before = this.#usable;
    this.#state = state;
    this.#usable = usable;
    this.#lookedAt = Date.now();
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    if (!usable) this.#timer = setTimeout(() => void this.look(), AGAIN_MS);
    else if (!before) this.#onUsable();
  }
}
