// commit.ts CONTRACT_URI BATCH…: what the committer's activity does for waiting batches, in a process of its own.
import { commitWaiting } from '../../src/lakehouse/committer/index.ts';
import { readContract } from '../../src/lakehouse/contract-store.ts';
import { committerResources } from './resources.ts';

const [contractUri = '', ...batchIds] = process.argv.slice(2);
const resources = await committerResources();
await commitWaiting(resources, await readContract(resources.store, contractUri), batchIds);
