export { committer } from './committer.ts';
export { ingest } from './ingest.ts';
export { pipeline } from './pipeline.ts';
export { source } from './source.ts';
