import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isMap, isSeq, parseDocument } from 'yaml';
import type { YAMLMap, YAMLSeq } from 'yaml';
import { PROJECT } from '../../scripts/tools.ts';
import { listSources } from '../../src/lakehouse/contract-store.ts';

const RULES_VERSION = 'rulesVersion';

const COVERAGE: Record<string, number> = { hour: 3_600, day: 86_400, week: 604_800, month: 2_592_000 };

const URL_OF = (feed: string): string => `https://earthquake.usgs.gov/earthquakes/feed/v1.0/summary/${feed}.geojson`;

function coverageOf(feed: string): number {
  const seconds = COVERAGE[/_(hour|day|week|month)$/.exec(feed)?.[1] ?? ''];
  if (!seconds) throw new Error(`the feed ${feed}: expected a name that ends in _hour, _day, _week or _month`);
  return seconds;
}

function propertyOf(properties: YAMLSeq, name: string): YAMLMap | undefined {
  return properties.items.find((item) => isMap(item) && item.get('property') === name) as YAMLMap | undefined;
}

/** Batches soon and committed soon: nobody watches a demo for minutes. */
function hurry(properties: YAMLSeq): void {
  propertyOf(properties, 'stream')?.setIn(['value', 'maxLatencySeconds'], 2);
  propertyOf(properties, 'commit')?.setIn(['value', 'maxLatencySeconds'], 4);
}

function feedsOf(properties: YAMLSeq): YAMLSeq {
  const feeds = propertyOf(properties, 'feeds')?.get('value');
  if (!isSeq(feeds)) throw new Error('sources/earthquakes.yaml: expected the custom property feeds');
  return feeds;
}

/** A demo that goes on with kept data goes on with the rules that made it. */
async function keepRules(properties: YAMLSeq, file: string): Promise<void> {
  const before = await readFile(file, 'utf8').catch(() => undefined);
  if (before === undefined) return;
  const kept = propertyOf(parseDocument(before).get('customProperties') as YAMLSeq, RULES_VERSION)?.get('value');
  propertyOf(properties, RULES_VERSION)?.set('value', kept);
}

/**
 * Copies the contracts; that of the earthquakes with the feeds that it lacks, without a schedule. The same feeds give the same text, and so the same
 * hash.
 *
 * @param streamed whether streamed batches are to be made and committed sooner than the contract says
 * @returns the folder with the copies
 */
export async function copyContracts(
  stateDirectory: string,
  feedNames: Iterable<string>,
  streamed = false,
): Promise<string> {
  const document = parseDocument(await readFile(path.join(PROJECT, 'sources/earthquakes.yaml'), 'utf8'));
  const properties = document.get('customProperties') as YAMLSeq;
  const directory = path.join(stateDirectory, 'contracts');
  const file = path.join(directory, 'earthquakes.yaml');
  await keepRules(properties, file);
  if (streamed) hurry(properties);
  const feeds = feedsOf(properties);
  const known = new Set(feeds.items.map((item) => String((item as YAMLMap).get('name'))));
  for (const name of [...new Set(feedNames)].sort()) {
    if (!known.has(name))
      feeds.add(document.createNode({ name, url: URL_OF(name), coverageSeconds: coverageOf(name) }));
  }
  await mkdir(directory, { recursive: true });
  const sources = path.join(PROJECT, 'sources');
  for (const source of await listSources(sources))
    await copyFile(path.join(sources, `${source}.yaml`), path.join(directory, `${source}.yaml`));
  await writeFile(file, document.toString());
  return directory;
}
