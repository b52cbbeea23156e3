import type { CompiledGraph, GraphAction, Target } from './project.ts';

const target = ({ database, schema, name }: Target): Target => ({ database, schema, name });

function base(action: GraphAction): object {
  return {
    target: target(action.target),
    canonicalTarget: target(action.canonicalTarget ?? action.target),
    filePath: action.fileName,
  };
}

const RELATIONS: Record<string, string> = { TABLE: 'TABLE', INCREMENTAL: 'INCREMENTAL_TABLE', VIEW: 'VIEW' };

function relation(action: GraphAction): object {
  const { tags, disabled, query } = action;
  const relationType = action.materialized ? 'MATERIALIZED_VIEW' : RELATIONS[action.enumType ?? ''];
  return {
    dependencyTargets: (action.dependencyTargets ?? []).map(target),
    tags,
    disabled,
    selectQuery: query,
    relationType,
  };
}

/** The actions of a compilation, as QueryCompilationResultActions lists them. */
export function compilationActions(graph: CompiledGraph): object[] {
  const needs = (action: GraphAction) => (action.dependencyTargets ?? []).map(target);
  return [
    ...(graph.tables ?? []).map((action) => ({ ...base(action), relation: relation(action) })),
    ...(graph.assertions ?? []).map((action) => ({
      ...base(action),
      assertion: {
        dependencyTargets: needs(action),
        tags: action.tags,
        selectQuery: action.query,
        ...(action.parentAction ? { parentAction: target(action.parentAction) } : {}),
      },
    })),
    ...(graph.operations ?? []).map((action) => ({
      ...base(action),
      operations: {
        dependencyTargets: needs(action),
        tags: action.tags,
        queries: action.queries,
        hasOutput: action.hasOutput,
      },
    })),
    ...(graph.declarations ?? []).map((action) => ({ ...base(action), declaration: {} })),
  ];
}
