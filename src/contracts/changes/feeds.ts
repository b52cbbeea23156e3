import type { Feed } from '../feeds.ts';
import type { CompiledContract } from '../types.ts';
import { differences, matchByName } from './differences.ts';
import { breaking, compatible } from './types.ts';
import type { ChangeRule, ContractChange } from './types.ts';

const headersOf = (feed: Feed): string[] => (feed.kind === 'webhook' ? feed.headers : []);

/** Headers that a required column is read from. */
function requiredHeaders({ mapping, columns }: CompiledContract): string[] {
  const required = new Set(columns.filter((column) => column.required).map(({ name }) => name));
  return mapping.flatMap(({ column, from }) => {
    const [root, header] = from;
    return root === 'headers' && header && required.has(column) ? [header] : [];
  });
}

function changed(feed: Feed, now: Feed, to: CompiledContract): ContractChange[] {
  const read = requiredHeaders(to);
  const lost = headersOf(feed).filter((header) => read.includes(header) && !headersOf(now).includes(header));
  return differences(`feeds.${feed.name}`, feed, now).map((change) =>
    lost.length && change.path.endsWith('.headers')
      ? breaking(change, `a required column reads ${lost.join(', ')}`)
      : compatible(change),
  );
}

/** Feeds bring Bronze; none changes what an object there means. One that goes takes its objects out of every later run. */
export const feedChanges: ChangeRule = (from, to) => {
  const { added, removed, kept, moved } = matchByName(from.feeds, to.feeds, ({ name }) => name);
  return [
    ...added.map(({ name, kind = 'poll' }) => compatible({ path: `feeds.${name}`, what: `added, ${kind}` })),
    ...removed.map(({ name, kind = 'poll' }) =>
      breaking({ path: `feeds.${name}`, what: `removed, was ${kind}` }, 'its objects of Bronze would be read no more'),
    ),
    ...kept.flatMap((pair) => changed(pair.from, pair.to, to)),
    ...(moved ? [compatible({ path: 'feeds', what: 'another order' })] : []),
  ];
};
