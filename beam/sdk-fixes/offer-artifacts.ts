import { sdkModule } from './sdk-module.ts';

// offerArtifacts awaits the whole call of the staging service, headers and all. A runner that needs no artifact answers with
// trailers only, as Prism does; then the headers never come, and the job hangs at "Staging artifacts". The status always comes.

interface Call {
  status: Promise<unknown>;
  then?: unknown;
}

interface StagingClient {
  reverseArtifactRetrievalService(): Call;
}

interface Artifacts {
  offerArtifacts(client: StagingClient, token: string, root?: string): Promise<void>;
}

/** Ends the offer of artifacts by the status of its call. */
export function installOfferArtifacts(): void {
  const artifacts = sdkModule<Artifacts>('runners/artifacts');
  const { offerArtifacts } = artifacts;
  artifacts.offerArtifacts = async (client, token, root) => {
    let ended: Promise<unknown> = Promise.resolve();
    const reverseArtifactRetrievalService = () => {
      const call = client.reverseArtifactRetrievalService();
      ended = call.status;
      call.then = undefined; // what the SDK awaits is a plain object now
      return call;
    };
    await offerArtifacts(
      Object.create(client, {
        reverseArtifactRetrievalService: { value: reverseArtifactRetrievalService },
      }) as StagingClient,
      token,
      root,
    );
    await ended;
  };
}
