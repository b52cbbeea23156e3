import type { CompiledAction } from './actions.ts';
import { shortName } from './actions.ts';

/** A table of a run that stands on some others. */
export interface Dependent {
  /** `<dataset>.<name>` */
  table: string;
  /** Full name for SQL, without backticks. */
  name: string;
  relationType: string;
  /** What BigQuery partitions it by; undefined for nothing. */
  partitionBy?: string;
  /** Labels of the table, as the SQL project declares them. */
  labels: Record<string, string>;
  /** `<dataset>.<name>` of those roots that it stands on, whether directly or through others. */
  roots: string[];
}

/** A table that others stand on. */
export interface Root {
  /** As SQL names it: of an Iceberg table `<project>.<catalog>`. */
  database: string;
  schema: string;
  name: string;
}

const keyOf = (target: { database?: string | null; schema?: string | null; name?: string | null }): string =>
  `${target.database ?? ''}.${target.schema ?? ''}.${target.name ?? ''}`;

/** The tables and views that stand on roots, directly or through others, in the order of the compilation. */
export function dependentsOf(actions: CompiledAction[], roots: Root[]): Dependent[] {
  const relations = actions.filter(({ relation }) => relation && !relation.disabled);
  const reached = new Map(roots.map((root) => [keyOf(root), new Set([`${root.schema}.${root.name}`])]));
  const standsOn = ({ relation }: CompiledAction): string[] => {
    const needed = relation?.dependencyTargets ?? [];
    return [...new Set(needed.flatMap((target) => [...(reached.get(keyOf(target)) ?? [])]))];
  };
  // As often as there are relations, at most: each round reaches one further.
  for (let grows = true; grows;) {
    grows = false;
    for (const action of relations) {
      const key = keyOf(action.target ?? {});
      const found = standsOn(action);
      if (found.length <= (reached.get(key)?.size ?? 0)) continue;
      reached.set(key, new Set(found));
      grows = true;
    }
  }
  return relations.flatMap(({ target, relation }) => {
    const found = reached.get(keyOf(target ?? {}));
    if (!found) return [];
    const partitionBy = relation?.partitionExpression;
    return [
      {
        table: shortName(target ?? {}),
        name: keyOf(target ?? {}),
        relationType: String(relation?.relationType ?? ''),
        ...(partitionBy ? { partitionBy } : {}),
        labels: { ...(relation?.relationDescriptor?.bigqueryLabels ?? {}) },
        roots: [...found].sort(),
      },
    ];
  });
}
