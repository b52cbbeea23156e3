import path from 'node:path';
import { BUILT_BUNDLE, writeBundle } from '../src/worker/bundle.ts';
import { PROJECT } from './tools.ts';

await writeBundle(BUILT_BUNDLE);
console.error(`bundle: ${path.relative(PROJECT, BUILT_BUNDLE)}`);
