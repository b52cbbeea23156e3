import type { CompiledContract } from '../contracts/types.ts';
import { messageMaker } from './message.ts';
import { messageType } from './message-type.ts';

/** Settings of a generated file. */
export interface TypesFileOptions {
  /** What the file imports the SDK by. Default `cupel/sdk`. */
  sdk?: string;
}

/** `felt_reports` becomes `FeltReports`. */
function pascalCase(source: string): string {
  const name = source
    .split(/[^a-zA-Z0-9]+/)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
  return /^\d/.test(name) ? `Source${name}` : name;
}

/** Whole, since its hash is that of all its parts; a line for each of them, so that a diff shows what changed. */
function contractLiteral(contract: CompiledContract): string {
  const lines = Object.entries(contract).map(([name, value]) => `  ${name}: ${JSON.stringify(value)},\n`);
  return `{\n${lines.join('')}}`;
}

/**
 * Writes a TypeScript file for apps: the interface of a source's messages and a function that opens a typed client of it. The
 * contract itself is in it, so that the app needs no other file. The same contract gives the same text.
 *
 * @throws CupelError CUP_SOURCE_UNPUBLISHABLE when the source has no topic of its own
 */
export function typesFile(contract: CompiledContract, { sdk = 'cupel/sdk' }: TypesFileOptions = {}): string {
  messageMaker(contract);
  const { source, version } = contract;
  const name = pascalCase(source);
  const from = JSON.stringify(sdk);
  return `// Made by \`cupel sdk types ${source}\` from version ${version} of the contract. Do not edit: make it anew.
import { CupelClient } from ${from};
import type { ClientOptions, CompiledContract, SourceClient } from ${from};

/** A message of ${source}. */
export interface ${name}Message ${messageType(contract)}

/** Opens a client that publishes to ${source}; close it when the app ends. */
export async function open${name}(options: Omit<ClientOptions, "contracts"> = {}): Promise<SourceClient<${name}Message>> {
  const client = await CupelClient.open({ ...options, contracts: [CONTRACT] });
  return client.source<${name}Message>(CONTRACT.source);
}

const CONTRACT: CompiledContract = ${contractLiteral(contract)};
`;
}
