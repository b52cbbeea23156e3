import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { PROJECT } from '../../scripts/tools.ts';
import type { DatasetName, Facet, LineageEvent } from '../../src/lineage/index.ts';

/** The specification, as OpenLineage publishes it. */
const SPEC = path.join(PROJECT, 'test/fixtures/openlineage');

const read = (file: string) => JSON.parse(readFileSync(path.join(SPEC, file), 'utf8')) as { $id: string };

const ajv = new Ajv2020({ allErrors: true, strict: false });
formats.default(ajv);
const core = read('OpenLineage.json');
ajv.addSchema(core);
/** Ids of the definitions of facets. */
const known = new Set<string>();
for (const file of readdirSync(path.join(SPEC, 'facets'))) {
  const schema = read(`facets/${file}`);
  ajv.addSchema(schema);
  known.add(`${schema.$id}#/$defs/${file.replace('.json', '')}`);
}

function errorsOf(id: string, value: unknown, where: string): string[] {
  const validate = ajv.getSchema(id);
  if (!validate) return [`${where}: no schema ${id}`];
  if (validate(value)) return [];
  return (validate.errors ?? []).map(({ instancePath, message }) => `${where}${instancePath}: ${message ?? ''}`);
}

/** The key under which a facet stands is that of its own definition. */
function keyErrors(key: string, { _schemaURL }: Facet, where: string): string[] {
  const file = _schemaURL.split('#', 1)[0] ?? '';
  const { properties = {} } = (ajv.getSchema(file)?.schema ?? {}) as { properties?: Record<string, unknown> };
  return key in properties ? [] : [`${where}.${key}: ${_schemaURL} defines ${Object.keys(properties).join()}`];
}

function facetErrors(facets: Record<string, Facet> | undefined, where: string): string[] {
  return Object.entries(facets ?? {}).flatMap(([key, facet]) => {
    if (!known.has(facet._schemaURL)) return [`${where}.${key}: unknown ${facet._schemaURL}`];
    return [...keyErrors(key, facet, where), ...errorsOf(facet._schemaURL, facet, `${where}.${key}`)];
  });
}

/** Everything that is wrong with an event by the specification, facets included; none: nothing is. */
export function lineageErrors(event: LineageEvent): string[] {
  const { run, job, inputs, outputs } = event;
  return [
    ...errorsOf(core.$id, event, 'event'),
    ...errorsOf(event.schemaURL, event, 'event'),
    ...facetErrors(run?.facets, 'run'),
    ...facetErrors(job.facets, 'job'),
    ...inputs.flatMap((of) => [...facetErrors(of.facets, of.name), ...facetErrors(of.inputFacets, of.name)]),
    ...outputs.flatMap((of) => [...facetErrors(of.facets, of.name), ...facetErrors(of.outputFacets, of.name)]),
  ];
}

export const nameOf = ({ namespace, name }: DatasetName): string => `${namespace} ${name}`;

/** All datasets that a dataset is made from, by walking from what jobs write to what they read. */
export function upstreamOf(events: readonly LineageEvent[], dataset: string): Set<string> {
  const seen = new Set<string>();
  const waiting = [dataset];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const { inputs, outputs } of events) {
      if (!outputs.some((of) => nameOf(of) === next)) continue;
      for (const input of inputs.map(nameOf)) if (!seen.has(input)) waiting.push((seen.add(input), input));
    }
  }
  return seen;
}
