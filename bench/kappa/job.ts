/** What a contender that works on files is told, as JSON. */
export interface FilesJob {
  /** Objects of Bronze: the name, and the file that it is. */
  objects: { name: string; file: string }[];
  /** Folder for the Parquet files, which is there and empty. */
  output: string;
  buckets: number;
  /** Hash of the contract. */
  contract: string;
  rulesVersion: number;
}
