import type { InboxFile } from '../../ingest/land-file.ts';

/** A refused record in quarantine: `<source>/<batch id>/<sha256>.json`. */
export interface RecordKept {
  reasonCode: string;
  detail: string;
  source: string;
  /** Hash of the contract that refused it. */
  contract: string;
  /** `<feed>/YYYY-MM-DDTHH` */
  partition: string;
  bronzeObject: string;
  offset: number;
  /** Exactly as the carrier sent it. */
  rawBase64: string;
}

/** An object of Bronze that validation refused whole: `<source>/objects/<sha256>.json`. Its bytes stay in Bronze. */
export interface ObjectKept {
  reasonCode: string;
  detail: string;
  source: string;
  contract: string;
  bronzeObject: string;
  generation: string;
}

/** A dropped file that was refused at the door: `<source>/files/<sha256>.json`, and its bytes beside it as `<sha256>.file.<extension>`. */
export interface FileKept {
  reasonCode: string;
  source: string;
  contract: string;
  file: InboxFile;
  /** When it was dropped, RFC 3339: its nominal hour comes from it. */
  dropped: string;
  /** Extension of the bytes beside it. */
  extension: string;
  /** What was expected of the file. */
  expected?: string;
  /** Of a file with too many refused records: the first of them, and what was expected. */
  first?: string;
}
