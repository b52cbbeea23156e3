import { unary } from '../../grpc.ts';
import type { Schema } from '../resources.ts';
import type { Schemas } from '../schemas/schemas.ts';
import { page } from './page.ts';
import type { PageRequest } from './page.ts';

type View = 'SCHEMA_VIEW_UNSPECIFIED' | 'BASIC' | 'FULL';

interface Named {
  name: string;
  view?: View;
}

interface ValidateMessageRequest {
  name?: string;
  schema?: Schema;
  message?: Buffer;
  encoding?: string;
}

/** BASIC leaves the definition out. */
function seen(schema: Schema, view: View | undefined): Schema {
  if (view !== 'BASIC') return schema;
  const { definition: _definition, ...basic } = schema;
  return basic;
}

/** The service google.pubsub.v1.SchemaService. */
export function schemaService(schemas: Schemas) {
  return {
    createSchema: unary(({ parent, schema, schemaId }: { parent: string; schema: Schema; schemaId: string }) =>
      schemas.create(parent, schemaId, schema),
    ),
    getSchema: unary(({ name, view }: Named) => seen(schemas.get(name), view)),
    listSchemas: unary((request: { parent: string; view?: View } & PageRequest) => {
      const { items, nextPageToken } = page(schemas.list(request.parent), request);
      return { schemas: items.map((schema) => seen(schema, request.view)), nextPageToken };
    }),
    listSchemaRevisions: unary((request: Named & PageRequest) => {
      const { items, nextPageToken } = page(schemas.revisions(request.name).toReversed(), request);
      return { schemas: items.map((schema) => seen(schema, request.view)), nextPageToken };
    }),
    commitSchema: unary(({ name, schema }: { name: string; schema: Schema }) => schemas.commit(name, schema)),
    rollbackSchema: unary(({ name, revisionId }: { name: string; revisionId: string }) =>
      schemas.rollback(name, revisionId),
    ),
    deleteSchemaRevision: unary(({ name, revisionId }: { name: string; revisionId?: string }) => {
      // `name@revision`; the field of its own is the older form.
      const [schema = '', revision = ''] = name.split('@');
      return schemas.deleteRevision(schema, revision || (revisionId ?? ''));
    }),
    deleteSchema: unary(({ name }: Named) => {
      schemas.delete(name);
      return {};
    }),
    validateSchema: unary(({ schema }: { schema: Schema }) => {
      schemas.codecOf(schema);
      return {};
    }),
    validateMessage: unary(({ name = '', schema, message, encoding }: ValidateMessageRequest) => {
      schemas.validate(schema ?? schemas.get(name), message ?? Buffer.alloc(0), encoding);
      return {};
    }),
  };
}
