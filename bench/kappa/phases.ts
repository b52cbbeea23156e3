import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** What the job's time is told apart into, in order. */
export const PHASES = [
  'start',
  'read',
  'parse and normalise',
  'reduce and hash',
  'stage',
  'merge',
  'encode',
  'upload',
  'garbage collection',
] as const;
export type Phase = (typeof PHASES)[number];

/** Seconds of CPU by phase. */
export type Phases = Record<Phase, number>;

interface CallFrame {
  functionName: string;
  url: string;
}

/** A profile as V8 writes it: samples are ids of nodes, with microseconds between them. */
interface Profile {
  nodes: { id: number; callFrame: CallFrame; children?: number[] }[];
  samples: number[];
  timeDeltas: number[];
}

/** First rule that any frame of a stack meets: outer work counts before what it calls. */
const RULES: [Phase, (frame: CallFrame) => boolean][] = [
  ['encode', ({ url }) => url.endsWith('/encode-delta.ts')],
  ['merge', ({ url, functionName }) => url.endsWith('/merge-blocks.ts') || functionName === 'decodeBlock'],
  ['reduce and hash', ({ url }) => url.endsWith('/reducer.ts')],
  ['stage', ({ functionName }) => ['#makeBlocks', 'encodeBlock', 'keepBlock'].includes(functionName)],
  ['parse and normalise', ({ url }) => /\/(rules|sources)\/.*\.ts$/.test(url)],
  [
    'start',
    ({ functionName, url }) => /^node:internal\/modules\//.test(url) || functionName === 'compileSourceTextModule',
  ],
];

/** What a thread that only moves bytes does: it follows from what it has computed last. */
const MOVES: Partial<Record<Phase, Phase>> = { stage: 'stage', merge: 'merge', encode: 'upload' };

function phaseOfStack(stack: CallFrame[]): Phase | 'idle' | undefined {
  const [leaf] = stack;
  if (leaf?.functionName === '(idle)') return 'idle';
  if (leaf?.functionName === '(garbage collector)') return 'garbage collection';
  return RULES.find(([, meets]) => stack.some(meets))?.[0];
}

function stacksOf({ nodes }: Profile): Map<number, CallFrame[]> {
  const stacks = new Map<number, CallFrame[]>();
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const open = nodes.slice(0, 1).map((node) => ({ node, above: [] as CallFrame[] }));
  for (let next = open.pop(); next; next = open.pop()) {
    const stack = [next.node.callFrame, ...next.above];
    stacks.set(next.node.id, stack);
    for (const id of next.node.children ?? []) {
      const node = byId.get(id);
      if (node) open.push({ node, above: stack });
    }
  }
  return stacks;
}

/** Adds up the profiles that a run left in a folder, one per thread. */
export function phasesOf(folder: string): Phases {
  const phases = Object.fromEntries(PHASES.map((name) => [name, 0])) as Phases;
  for (const file of globSync(path.join(folder, '*.cpuprofile'))) {
    const profile = JSON.parse(readFileSync(file, 'utf8')) as Profile;
    const phaseOf = new Map([...stacksOf(profile)].map(([id, stack]) => [id, phaseOfStack(stack)]));
    let moving: Phase = 'start';
    for (const [index, sample] of profile.samples.entries()) {
      const phase = phaseOf.get(sample);
      if (phase === 'idle') continue;
      if (phase === 'parse and normalise' && moving === 'start') moving = 'read';
      if (phase) moving = MOVES[phase] ?? moving;
      phases[phase ?? moving] += (profile.timeDeltas[index] ?? 0) / 1e6;
    }
  }
  return phases;
}
