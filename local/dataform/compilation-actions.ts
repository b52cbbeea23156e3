import type { CompiledGraph, GraphAction } from './project.ts';
import { targetOf } from './targets.ts';

function base(action: GraphAction): object {
  return {
    target: targetOf(action.target),
    canonicalTarget: targetOf(action.canonicalTarget ?? action.target),
    filePath: action.fileName,
  };
}

/** What every action but a declaration has. */
function common({ dependencyTargets = [], tags, disabled }: GraphAction): object {
  return { dependencyTargets: dependencyTargets.map(targetOf), tags, disabled };
}

const RELATIONS: Record<string, string> = { TABLE: 'TABLE', INCREMENTAL: 'INCREMENTAL_TABLE', VIEW: 'VIEW' };

function relation(action: GraphAction): object {
  const relationType = action.materialized ? 'MATERIALIZED_VIEW' : RELATIONS[action.enumType ?? ''];
  const incremental = {
    incrementalSelectQuery: action.incrementalQuery,
    uniqueKeyParts: action.uniqueKey,
    refreshDisabled: action.protected,
    incrementalPreOperations: action.incrementalPreOps,
    incrementalPostOperations: action.incrementalPostOps,
  };
  const { description, bigqueryLabels } = action.actionDescriptor ?? {};
  return {
    ...common(action),
    relationDescriptor: { description, bigqueryLabels },
    relationType,
    selectQuery: action.query,
    preOperations: action.preOps,
    postOperations: action.postOps,
    partitionExpression: action.bigquery?.partitionBy,
    clusterExpressions: action.bigquery?.clusterBy,
    ...(action.enumType === 'INCREMENTAL' ? { incrementalTableConfig: incremental } : {}),
  };
}

function assertion(action: GraphAction): object {
  const { query, parentAction } = action;
  return { ...common(action), selectQuery: query, ...(parentAction ? { parentAction: targetOf(parentAction) } : {}) };
}

/** The actions of a compilation, as QueryCompilationResultActions lists them. */
export function compilationActions({ tables, assertions, operations, declarations }: CompiledGraph): object[] {
  return [
    ...(tables ?? []).map((action) => ({ ...base(action), relation: relation(action) })),
    ...(assertions ?? []).map((action) => ({ ...base(action), assertion: assertion(action) })),
    ...(operations ?? []).map((action) => ({
      ...base(action),
      operations: { ...common(action), queries: action.queries, hasOutput: action.hasOutput },
    })),
    ...(declarations ?? []).map((action) => ({ ...base(action), declaration: {} })),
  ];
}
