import type { Target } from './targets.ts';

/** InvocationConfig of the API, the part that is honoured. */
export interface InvocationConfig {
  includedTargets?: Partial<Target>[];
  includedTags?: string[];
  transitiveDependenciesIncluded?: boolean;
  transitiveDependentsIncluded?: boolean;
  fullyRefreshIncrementalTablesEnabled?: boolean;
}

/** InvocationConfig as flags of the CLI. */
export function selectionFlags(config: InvocationConfig = {}): string[] {
  const targets = (config.includedTargets ?? []).map(({ database, schema, name }) =>
    [database, schema, name].filter(Boolean).join('.'),
  );
  return [
    ...(config.includedTags?.length ? ['--tags', ...config.includedTags] : []),
    ...(targets.length ? ['--actions', ...targets] : []),
    ...(config.transitiveDependenciesIncluded ? ['--include-deps'] : []),
    ...(config.transitiveDependentsIncluded ? ['--include-dependents'] : []),
    ...(config.fullyRefreshIncrementalTablesEnabled ? ['--full-refresh'] : []),
  ];
}
