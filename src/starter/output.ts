/** How a command answers. */
export interface OutputOptions {
  /** One JSON value on standard output, for machines. */
  json?: boolean;
}

/** Writes the answer: JSON for a machine, else lines. */
export function answer(options: OutputOptions, value: unknown, lines: string[]): void {
  process.stdout.write(options.json ? `${JSON.stringify(value)}\n` : lines.map((line) => `${line}\n`).join(''));
}

/** Says what goes on: on a terminal as one moving line, in a pipe as plain lines. Never on standard output. */
export function progress(text: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`);
}

/** Ends the moving line. */
export function progressDone(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}
