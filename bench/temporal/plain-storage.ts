/**
 * Cloud Storage by plain requests. What a Dataflow job or a merge would write is written here by the worker's process, so it
 * must cost as little as possible: the client library takes milliseconds of CPU per call.
 */
export class PlainStorage {
  readonly #endpoint: string;

  /** @param endpoint a URL */
  constructor(endpoint: string) {
    this.#endpoint = endpoint;
  }

  /** Reads an object of JSON. */
  async read<T>(uri: string): Promise<T> {
    const { bucket, name } = parse(uri);
    const response = await fetch(`${this.#endpoint}/storage/v1/b/${bucket}/o/${encodeURIComponent(name)}?alt=media`);
    if (!response.ok) throw new Error(`read ${uri}: ${response.status}`);
    return (await response.json()) as T;
  }

  /** Writes an object of JSON unless it is there. */
  async create(uri: string, value: object): Promise<void> {
    const { bucket, name } = parse(uri);
    const query = new URLSearchParams({ uploadType: 'media', name, ifGenerationMatch: '0' });
    const response = await fetch(`${this.#endpoint}/upload/storage/v1/b/${bucket}/o?${query}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(value),
    });
    await response.arrayBuffer();
    if (!response.ok && response.status !== 412) throw new Error(`write ${uri}: ${response.status}`);
  }
}

function parse(uri: string): { bucket: string; name: string } {
  const [, bucket = '', name = ''] = /^gs:\/\/([^/]+)\/(.+)$/.exec(uri) ?? [];
  return { bucket, name };
}
