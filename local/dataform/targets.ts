/** Where an action's result goes. */
export interface Target {
  database: string;
  schema: string;
  name: string;
}

/** A target without what the CLI adds to it. */
export const targetOf = ({ database, schema, name }: Target): Target => ({ database, schema, name });

/** `project.dataset.name`. */
export const keyOf = ({ database, schema, name }: Target): string => `${database}.${schema}.${name}`;
