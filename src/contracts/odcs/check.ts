import { readFileSync } from 'node:fs';
import { Ajv2019 } from 'ajv/dist/2019.js';
import type { ErrorObject, ValidateFunction } from 'ajv/dist/2019.js';
import type { Document, LineCounter } from 'yaml';
import { isNode } from 'yaml';

/** A property of a schema object, as far as Cupel reads it. */
export interface OdcsProperty {
  name: string;
  logicalType?: string;
  required?: boolean;
  primaryKey?: boolean;
  description?: string;
}

/** An ODCS contract, as far as Cupel reads it. */
export interface OdcsContract {
  id: string;
  version: string;
  schema: { name: string; properties: OdcsProperty[] }[];
  customProperties?: { property: string; value: unknown }[];
}

/** The file stands beside this module: code of the package, like an import, and read once. */
const SCHEMA = new URL('./odcs-json-schema-v3.1.0.json', import.meta.url);
let compiled: ValidateFunction | undefined;

function validator(): ValidateFunction {
  compiled ??= new Ajv2019({ allErrors: true, strict: false, validateFormats: false }).compile(
    JSON.parse(readFileSync(SCHEMA, 'utf8')) as object,
  );
  return compiled;
}

/** Line of the deepest node of the document that a path reaches, from 1. */
export function lineOf(document: Document, lines: LineCounter, path: (string | number)[]): number {
  for (let length = path.length; length >= 0; length--) {
    const node = length ? document.getIn(path.slice(0, length), true) : document.contents;
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return 1;
}

function pointer(text: string): (string | number)[] {
  const parts = text.split('/').slice(1).map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  return parts.map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

function describe(error: ErrorObject, document: Document, lines: LineCounter): string {
  const params = error.params as { additionalProperty?: string; unevaluatedProperty?: string; allowedValues?: unknown[] };
  const unknown = params.additionalProperty ?? params.unevaluatedProperty;
  const path = [...pointer(error.instancePath), ...(unknown ? [unknown] : [])];
  const allowed = params.allowedValues ? `: ${params.allowedValues.map(String).join(', ')}` : '';
  const what = unknown ? 'unknown key; keys of your own go under customProperties' : `${error.message ?? error.keyword}${allowed}`;
  return `line ${lineOf(document, lines, path)}, ${path.join('.') || 'contract'}: ${what}`;
}

/** Every fault of a document against the JSON Schema of ODCS v3.1, one line each; none: it is one. */
export function checkOdcs(document: Document, lines: LineCounter): string[] {
  const validate = validator();
  if (validate(document.toJS())) {
    const { schema } = document.toJS() as OdcsContract;
    return Array.isArray(schema) && schema.length === 1 ? [] : ['line 1, schema: expected exactly one object (one Silver table)'];
  }
  return [...new Set((validate.errors ?? []).map((error) => describe(error, document, lines)))];
}
