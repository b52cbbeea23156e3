type Schema = Record<string, unknown>;

const name = { type: 'string', pattern: '^[a-z0-9][a-z0-9_.]*$' };
const text = { type: 'string', minLength: 1 };
const positive = { type: 'integer', minimum: 1 };
const bucketCount = { type: 'integer', minimum: 1, maximum: 4096 };

function object(properties: Schema, optional: string[] = []): Schema {
  const required = Object.keys(properties).filter((key) => !optional.includes(key));
  return { type: 'object', properties, required, additionalProperties: false };
}

/** An object whose `kind` says which of the schemas holds, so that a fault is told of that one only. */
function byKind(schemas: Record<string, Schema>, otherwise?: string): Schema {
  const is = (kind: string): Schema => ({ properties: { kind: { const: kind } }, required: ['kind'] });
  return {
    type: 'object',
    ...(otherwise ? {} : { required: ['kind'] }),
    properties: { kind: { enum: Object.keys(schemas) } },
    allOf: Object.entries(schemas).map(([kind, schema]) => ({
      if: kind === otherwise ? { anyOf: [is(kind), { not: { required: ['kind'] } }] } : is(kind),
      then: schema,
    })),
  };
}

const kind = { type: 'string' };

const rule = object(
  {
    from: text,
    orLastPathSegmentOf: text,
    as: {
      enum: [
        'as-is',
        'epoch-millis',
        'rfc3339',
        'lower-case',
        'zero-one',
        'decimal-text',
        'integer-text',
        'boolean-text',
        'json',
      ],
    },
  },
  ['orLastPathSegmentOf', 'as'],
);

const feed = byKind(
  {
    poll: object(
      {
        kind,
        name,
        url: { type: 'string', pattern: '^https://' },
        coverageSeconds: positive,
        intervalSeconds: positive,
      },
      ['kind', 'intervalSeconds'],
    ),
    webhook: object(
      {
        kind,
        name,
        scheme: { enum: ['github', 'standard-webhooks'] },
        secretsFrom: { type: 'string', pattern: '^[A-Z][A-Z0-9_]*$' },
        toleranceSeconds: positive,
        maxBytes: { type: 'integer', minimum: 1, maximum: 10_000_000 },
        maxDepth: positive,
        maxKeys: positive,
        headers: { type: 'array', items: { type: 'string', pattern: '^[a-z0-9-]+$', not: { pattern: 'signature' } } },
      },
      ['toleranceSeconds', 'maxBytes', 'maxDepth', 'maxKeys'],
    ),
    file: object({ kind, name, priority: { enum: ['high', 'normal'] } }, ['priority']),
    subscription: object({ kind, name: { const: '_sub' } }),
    pull: object(
      {
        kind,
        name,
        url: { type: 'string', pattern: '^https://[^?#]+$' },
        parameters: { type: 'object', additionalProperties: text },
        startParameter: text,
        endParameter: text,
        limitParameter: text,
        pageSize: { type: 'integer', minimum: 2 },
        windowSeconds: { type: 'integer', minimum: 3600, multipleOf: 3600 },
        repairs: { type: 'array', items: name, minItems: 1, uniqueItems: true },
        requestsPerMinute: positive,
      },
      ['parameters', 'requestsPerMinute'],
    ),
  },
  'poll',
);

const table = { kind, namespace: name, table: name, bucketCount };

const sink = byKind({
  iceberg: object(table),
  'append-log': object({ ...table, format: { enum: ['parquet', 'avro'] } }),
});

const opened = { kind, mediaType: text, extension: { type: 'string', pattern: '^[a-z0-9]+$' } };

const unpack = byKind({
  'geojson-feature-collection': object(opened),
  'webhook-envelope': object(opened),
  csv: object({ ...opened, delimiter: { type: 'string', minLength: 1, maxLength: 1 }, encoding: text }, [
    'delimiter',
    'encoding',
  ]),
  'pubsub-avro': object(opened),
});

const SNAPSHOT_LIMITS = ['allHours', 'hourlyDays', 'dailyDays', 'max'];

const maintenance = object(
  {
    compactAtFiles: { type: 'integer', minimum: 2 },
    snapshots: object(
      {
        allHours: positive,
        hourlyDays: positive,
        dailyDays: positive,
        max: { type: 'integer', minimum: 10, maximum: 400 },
      },
      SNAPSHOT_LIMITS,
    ),
    orphanAgeDays: positive,
  },
  ['compactAtFiles', 'snapshots', 'orphanAgeDays'],
);

const messaging = object(
  {
    topic: { type: 'string', pattern: '^[A-Za-z][A-Za-z0-9._~+%-]{2,254}$' },
    orderingKey: { type: 'string', pattern: '^[A-Za-z0-9_]+$' },
    rawTable: { type: 'string', pattern: '^[A-Za-z0-9_]+$' },
    rawColumns: { enum: ['message', 'contract'] },
  },
  ['topic', 'orderingKey', 'rawTable', 'rawColumns'],
);

/** Properties that a contract may leave out; one without a default is in no compiled form then, so that its hash stays. */
const OPTIONAL = [
  'versionField',
  'eventTime',
  'versionTies',
  'absence',
  'hosts',
  'timeZone',
  'dependsOnPast',
  'maintenance',
  'messaging',
  'unknownFields',
  'ignoredFields',
  'stream',
];

/** JSON Schema of a contract's `customProperties`, by name. */
export const CUSTOM_SCHEMA: Schema = object(
  {
    rulesVersion: positive,
    versionField: name,
    eventTime: name,
    carrierOrder: name,
    versionTies: { enum: ['possible', 'none'] },
    absence: { enum: ['never'] },
    sink,
    unpack,
    mapping: { type: 'object', additionalProperties: rule, minProperties: 1 },
    unknownFields: { enum: ['evolve', 'freeze', 'discard_row', 'discard_value'] },
    ignoredFields: { type: 'array', items: text, minItems: 1, uniqueItems: true },
    feeds: { type: 'array', items: feed, minItems: 1 },
    hosts: { type: 'array', items: text, minItems: 1 },
    messaging,
    lookbackHours: { type: 'integer', minimum: 0 },
    quarantine: object({ maxShare: { type: 'number', minimum: 0, maximum: 1 } }),
    commit: object({ maxLatencySeconds: positive }),
    stream: object({ maxBatch: { type: 'integer', minimum: 1, maximum: 50_000 }, maxLatencySeconds: positive }, [
      'maxBatch',
      'maxLatencySeconds',
    ]),
    timeZone: text,
    dependsOnPast: { type: 'boolean' },
    maintenance,
  },
  OPTIONAL,
);
