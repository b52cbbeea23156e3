import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { platform, tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CpuTree } from '../../../bench/meter/cpu-tree.ts';
import { ProcessGroup } from '../../../bench/meter/process-group.ts';
import { countSteps } from '../../../bench/meter/step-ledger.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'cupel-meter-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const process = (pid: number, parent: number, own: number, waited = 0) => ({
  pid,
  parent,
  startedAt: '1',
  own,
  waited,
});

describe('the ledger of steps', () => {
  it('tells a step that was cut off and ran again from one that ended twice', () => {
    const file = path.join(directory, 'steps.txt');
    const lines = [
      'S p1 validate 1 0',
      'E p1 validate 1 0',
      'S p1 commit 1 0', // cut off
      'S p1 commit 2 0',
      'E p1 commit 2 0',
      'S p2 validate 1 0',
      'E p2 validate 1 0',
      'S p2 validate 2 0', // had ended
      'E p2 validate 2 0',
      'S p2 com', // half a line
    ];
    writeFileSync(file, lines.join('\n'));
    const twice = { endedTwice: 1, endedTwiceBy: { validate: 1 } };
    expect(countSteps(file)).toEqual({ done: 1, startedAgain: 2, ...twice, partitionsAgain: 1 });
  });
});

describe('CPU time from looks at processes', () => {
  it('counts a child that ended once, whether its parent waited for it or not', () => {
    const tree = new CpuTree();
    tree.update([process(1, 0, 100), process(2, 1, 40), process(3, 1, 50)]);
    tree.update([process(1, 0, 110, 45)]); // it waited for 2, which ran on to 45, and never for 3
    expect(tree.total()).toBeCloseTo(2); // 110 + the 90 last seen of both
    tree.update([process(1, 0, 110, 105)]); // and now for 3 too
    expect(tree.total()).toBeCloseTo(2.15);
  });

  it('keeps what a process used that nobody waited for', () => {
    const tree = new CpuTree();
    tree.update([process(7, 99, 30)]);
    tree.update([]);
    expect(tree.total()).toBeCloseTo(0.3);
  });
});

describe.skipIf(platform() !== 'linux')('a group of processes', () => {
  it('counts and kills also what left its session and its parent', async () => {
    const group = new ProcessGroup('test', false);
    // The grandchild burns CPU in a session of its own after its parent has gone.
    group.spawn({
      command: 'sh',
      args: ['-c', 'setsid sh -c "while :; do :; done" & exit 0'],
      logFile: path.join(directory, 'group.log'),
    });
    for (let look = 0; look < 8; look++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      group.look();
    }
    expect(group.pids()).toHaveLength(1);
    expect(group.cpuSeconds()).toBeGreaterThan(0.1);
    expect(await group.kill9()).toBe(1);
    expect(group.pids()).toEqual([]);
    await group.close();
  });
});
