// System columns of an upsert table that consumers do not see; _first_version they do.
const HIDDEN = [
  '_tombstone',
  '_carrier_order',
  '_rules_version',
  '_record_hash',
  '_record_id',
  '_bronze_object',
  '_contract',
];

/** Which tables the compilation reads instead of others, by the variable `silver_tables`: `<table>=<other>, …`. */
function substitutes() {
  const pairs = (dataform.projectConfig.vars.silver_tables || '').split(',').filter((pair) => pair.trim());
  return new Map(
    pairs.map((pair) => {
      const [, table, other] = /^\s*(\w+)\s*=\s*(\w+)\s*$/.exec(pair) || [];
      if (!other) throw new Error(`silver_tables: expected <table>=<other>, found "${pair.trim()}"`);
      return [table, other];
    }),
  );
}

/**
 * Name of the table that stands for a Silver table in this compilation: its own, or the one of an audit.
 *
 * @param {string} source name of the table
 */
function tableOf(source) {
  return substitutes().get(source) || source;
}

/**
 * Names of the tables to declare. A variable that names a table which is none of them would have the audit read the wrong
 * one, so it fails the compilation.
 *
 * @param {string[]} sources every Silver table
 */
function tablesOf(sources) {
  for (const source of substitutes().keys())
    if (!sources.includes(source))
      throw new Error(`silver_tables: expected one of ${sources.join(', ')}, found ${source}`);
  return sources.map(tableOf);
}

/**
 * A Silver table as consumers read it: without tombstones and system columns, as of the compilation's time. It expands to a
 * subquery, since BigQuery takes no view over an Iceberg table of a REST catalog.
 *
 * @param {Function} ref the action's own ref, so that the dependency is seen
 * @param {string} source name of the table
 */
function silver(ref, source) {
  const { defaultDatabase, vars } = dataform.projectConfig;
  const table = ref({ database: `${defaultDatabase}.${vars.catalog}`, schema: 'silver', name: tableOf(source) });
  const time = vars.as_of ? ` FOR SYSTEM_TIME AS OF TIMESTAMP "${vars.as_of}"` : '';
  return `(SELECT * EXCEPT (${HIDDEN.join(', ')}) FROM ${table}${time} WHERE NOT _tombstone)`;
}

module.exports = silver;
module.exports.tablesOf = tablesOf;
