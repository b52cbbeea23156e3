#!/usr/bin/env node
// The command line, through the bootstrap: it installs what is missing and picks Node 24.
import { fileURLToPath } from 'node:url';

process.argv.splice(2, 0, fileURLToPath(new URL('../src/starter/main.ts', import.meta.url)));
await import('../scripts/bootstrap.mjs');
