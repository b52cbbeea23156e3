// System columns of an upsert table that consumers do not see; _first_version they do.
const HIDDEN = [
  '_deleted',
  '_carrier_order',
  '_rules_version',
  '_record_hash',
  '_record_id',
  '_bronze_object',
  '_contract',
];

/**
 * A Silver table as consumers read it: without tombstones and system columns, as of the compilation's time. It expands to a
 * subquery, since BigQuery takes no view over an Iceberg table of a REST catalog.
 *
 * @param {Function} ref the action's own ref, so that the dependency is seen
 * @param {string} source name of the table
 */
function silver(ref, source) {
  const { defaultDatabase, vars } = dataform.projectConfig;
  const table = ref({ database: `${defaultDatabase}.${vars.catalog}`, schema: 'silver', name: source });
  const time = vars.as_of ? ` FOR SYSTEM_TIME AS OF TIMESTAMP "${vars.as_of}"` : '';
  return `(SELECT * EXCEPT (${HIDDEN.join(', ')}) FROM ${table}${time} WHERE NOT _deleted)`;
}

module.exports = silver;
