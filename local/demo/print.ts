/** Lines on standard output; for a person on a terminal also a moving line of progress, on standard error. */
export class Printer {
  readonly #person = process.stderr.isTTY === true;
  readonly #started = Date.now();
  #open = false;

  /** A line that stays. */
  line(text: string): void {
    if (this.#open) process.stderr.write('\n');
    this.#open = false;
    process.stdout.write(`${text}\n`);
  }

  /** A line that the next one replaces; a pipe gets none. */
  progress(text: string): void {
    if (!this.#person) return;
    process.stderr.write(`\r\x1b[K${text}`);
    this.#open = true;
  }

  /** The end of a stage, with its time against its budget. */
  stage(name: string, seconds: number, budget: number, text: string): void {
    if (this.#open) process.stderr.write('\r\x1b[K');
    this.#open = false;
    const over = seconds > budget ? `, over its ${budget} s` : '';
    this.line(`${name.padEnd(12)} ${seconds.toFixed(1).padStart(6)} s${over}   ${text}`);
  }

  /** Seconds since the start. */
  get seconds(): number {
    return (Date.now() - this.#started) / 1000;
  }
}
