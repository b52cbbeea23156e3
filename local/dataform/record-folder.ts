import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const SUFFIX = '.json';

/** Records in a folder, one file each, always whole. */
export class RecordFolder<Item extends object> {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
  }

  write(id: string, record: Item): void {
    const file = this.#file(id);
    writeFileSync(`${file}.part`, JSON.stringify(record));
    renameSync(`${file}.part`, file);
  }

  read(id: string): Item | undefined {
    try {
      return JSON.parse(readFileSync(this.#file(id), 'utf8')) as Item;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  all(): Item[] {
    const names = readdirSync(this.#directory).filter((name) => name.endsWith(SUFFIX));
    return names.flatMap((name) => this.read(name.slice(0, -SUFFIX.length)) ?? []);
  }

  #file(id: string): string {
    return path.join(this.#directory, path.basename(id) + SUFFIX);
  }
}
