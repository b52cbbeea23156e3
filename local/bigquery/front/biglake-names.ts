/** A four-part name in a statement: `project.catalog.namespace.table`, perhaps with a time. */
export interface BigLakeName {
  /** The whole text that stands for the table, time included. */
  text: string;
  namespace: string;
  table: string;
  /** Milliseconds since 1970 of `FOR SYSTEM_TIME AS OF`; undefined: now. */
  asOfMs: number | undefined;
}

const AS_OF = String.raw`(?:\s+FOR\s+SYSTEM_TIME\s+AS\s+OF\s+TIMESTAMP\s*\(?\s*(?:"([^"]+)"|'([^']+)')\s*\)?)?`;
const WHOLE = new RegExp('`([^`.]+)\\.([^`.]+)\\.([^`.]+)\\.([^`.]+)`' + AS_OF, 'gi');
const PARTS = new RegExp('`([^`.]+)`\\.`([^`.]+)`\\.`([^`.]+)`\\.`([^`.]+)`' + AS_OF, 'gi');

/** A timestamp literal of BigQuery in UTC, as milliseconds. */
function toMillis(literal: string): number {
  const iso = literal
    .trim()
    .replace(' ', 'T')
    .replace(/\s*UTC$/i, '');
  return Date.parse(/[zZ]$|[+-]\d\d:?\d\d$/.test(iso) ? iso : `${iso}Z`);
}

/** Every four-part name of a catalog in a statement. */
export function findBigLakeNames(sql: string, catalog: string): BigLakeName[] {
  return [WHOLE, PARTS].flatMap((pattern) =>
    [...sql.matchAll(pattern)].flatMap(([text, , inCatalog, namespace = '', table = '', double, single]) => {
      if (inCatalog !== catalog) return [];
      const asOf = double ?? single;
      return [{ text, namespace, table, asOfMs: asOf === undefined ? undefined : toMillis(asOf) }];
    }),
  );
}

/** Whether a statement makes a view: Google refuses views over Iceberg tables of a REST catalog. */
export function createsView(sql: string): boolean {
  return /\bcreate\s+(?:or\s+replace\s+)?(?:materialized\s+)?view\b/i.test(sql);
}
