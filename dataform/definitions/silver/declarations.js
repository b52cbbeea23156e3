// Iceberg tables of the BigLake catalog: four-part names, so the catalog is part of the database.
const { defaultDatabase, vars } = dataform.projectConfig;

for (const name of silver.tablesOf(['earthquakes', 'networks']))
  declare({ database: `${defaultDatabase}.${vars.catalog}`, schema: 'silver', name });

// Bronze in BigQuery: what subscriptions of Pub/Sub write.
for (const name of ['felt_reports', 'github_events']) declare({ schema: 'raw', name });
