import { execFileSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import path from 'node:path';
import { PROJECT } from './tools.ts';

// The SDK as JavaScript with its types: Node runs no TypeScript of a package below node_modules. `npm pack` calls this first.

const ODCS_SCHEMA = 'contracts/odcs/odcs-json-schema-v3.1.0.json';

/** Builds the SDK into a folder, `dist` of the package by default. */
export function buildSdk(folder: string = path.join(PROJECT, 'dist')): void {
  const compiler = path.join(PROJECT, 'node_modules/typescript/bin/tsc');
  for (const part of ['contracts', 'formats', 'gcp', 'lakehouse', 'sdk'])
    rmSync(path.join(folder, part), { recursive: true, force: true });
  const config = path.join(PROJECT, 'tsconfig.sdk.json');
  execFileSync(process.execPath, [compiler, '--project', config, '--outDir', folder], { stdio: 'inherit' });
  cpSync(path.join(PROJECT, 'src', ODCS_SCHEMA), path.join(folder, ODCS_SCHEMA));
}

if (import.meta.main) buildSdk();
