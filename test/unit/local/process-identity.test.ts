import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { beganAt, identityOf, runs } from '../../../local/process-identity.ts';

test('a process runs while it is the same one that began', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  try {
    await once(child, 'spawn');
    const identity = identityOf(child.pid ?? 0);
    expect(runs(identity)).toBe(true);
    expect(runs({ ...identity, began: 'another time' })).toBe(false); // its id was given to a later one
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(runs(identity)).toBe(false);
    expect(beganAt(identity.pid)).toBeUndefined();
  } finally {
    child.kill('SIGKILL');
  }
});

test('what was never seen running does not run', () => {
  expect(runs({ pid: process.pid, began: '' })).toBe(false);
  expect(runs(identityOf(process.pid))).toBe(true);
});
