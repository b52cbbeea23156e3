import type { ContractChange } from '../../../contracts/index.ts';

const HEAD = { path: 'path', what: 'what', impact: 'impact', needs: 'needs' };

/** Changes as lines of columns, with a head. */
export function changesTable(changes: ContractChange[]): string[] {
  const lines = [HEAD, ...changes];
  const widthOf = (column: keyof ContractChange): number => Math.max(...lines.map((line) => line[column].length));
  const [path, what, impact] = [widthOf('path'), widthOf('what'), widthOf('impact')];
  return lines.map((line) =>
    [line.path.padEnd(path), line.what.padEnd(what), line.impact.padEnd(impact), line.needs].join('  ').trimEnd(),
  );
}
