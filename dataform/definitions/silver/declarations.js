// Iceberg tables of the BigLake catalog: four-part names, so the catalog is part of the database.
const { defaultDatabase, vars } = dataform.projectConfig;

for (const name of silver.tablesOf(['earthquakes']))
  declare({ database: `${defaultDatabase}.${vars.catalog}`, schema: 'silver', name });
