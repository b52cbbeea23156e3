import { expect, test, vi } from 'vitest';
import { withFixes } from '../../support/sdk-process.ts';

// Each test starts processes, one with the fix and one without.
vi.setConfig({ testTimeout: 150_000 });

// Each fix of the SDK's worker against a runner that speaks Beam's Fn API: what happens without it, and what with it.

const ECHO = 'class Step { *process(text) { yield text; } }';
const runner = (step: string, body: string) => `
  ${step}
  const runner = await startRunner(new Step(), { Step });
  ${body}`;

test('worker-id: the descriptor of a bundle is asked for with the id of the worker', () => {
  const body = runner(ECHO, "await runner.bundle('b', [['a']]); tell(runner.workerIds);");
  expect(withFixes({}, body).told).toEqual([]);
  expect(withFixes({ 'worker-id': 'installWorkerId' }, body).told).toEqual(['worker-1']);
});

test('message-size: a message over 4 MB reaches the bundle whole', () => {
  const body = runner(
    ECHO,
    `const texts = Array.from({ length: 6 }, (_, i) => String(i).repeat(1_000_000));
     const bundle = runner.bundle('b', [texts]).then((of) => of.texts.filter((text, i) => text === texts[i]).length);
     tell(await Promise.race([bundle, runner.refused]));`,
  );
  const without = withFixes({}, body);
  expect(without.told).not.toBe(6);
  expect(without.stderr).toContain('RESOURCE_EXHAUSTED');
  expect(withFixes({ 'message-size': 'installMessageSize' }, body).told).toBe(6);
});

test('message-size: after the SDK was loaded it says so instead of doing nothing', () => {
  const body = `
    require('apache-beam');
    const { installMessageSize } = await import('./beam/sdk-fixes/message-size.ts');
    try { installMessageSize(); tell('installed'); } catch (error) { tell(error.message); }`;
  expect(withFixes({}, body).told).toContain('import beam/sdk-fixes first');
});

test('data-order: the end of a bundle waits for the elements before it', () => {
  const slow = 'class Step { *process(text) { const end = Date.now() + 60; while (Date.now() < end); yield text; } }';
  const body = runner(slow, "tell((await runner.bundle('b', [['a', 'b', 'c', 'd'], ['e']])).texts);");
  expect(withFixes({}, body).told).not.toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(withFixes({ 'data-order': 'installDataOrder' }, body).told).toEqual(['a', 'b', 'c', 'd', 'e']);
});

test('data-order: of a bundle that has ended nothing is kept', () => {
  const body = runner(
    ECHO,
    `await runner.bundle('one', [['a']]);
     await runner.bundle('two', [['b']]);
     tell([...runner.worker.dataChannels.values()].map(({ consumers }) => consumers.size));`,
  );
  expect(withFixes({}, body).told).toEqual([2]);
  expect(withFixes({ 'data-order': 'installDataOrder' }, body).told).toEqual([0]);
});

test('flush-buffer: a step that emits more than 1 MB at once sends each element once', () => {
  const many =
    "class Step { *process(text) { for (let i = 0; i < 300; i += 1) yield text + i + 'x'.repeat(10_000); } }";
  const body = runner(
    many,
    "const { texts } = await runner.bundle('b', [['a']]); tell([texts.length, new Set(texts).size]);",
  );
  const [sent, distinct] = withFixes({}, body).told as number[];
  expect(sent).toBeGreaterThan(300);
  expect(distinct).toBe(300);
  expect(withFixes({ 'flush-buffer': 'installFlushBuffer' }, body).told).toEqual([300, 300]);
});

test('metric-reset: the second bundle of a step counts its own elements only', () => {
  const body = runner(
    ECHO,
    `const counts = async (id, texts) => {
       const { response } = await runner.bundle(id, [texts]);
       const infos = response.response.processBundle.monitoringInfos;
       return infos.filter((info) => info.urn === 'beam:metric:element_count:v1').map((info) => info.payload[0]);
     };
     tell([await counts('one', ['a', 'b', 'c']), await counts('two', ['d', 'e'])]);`,
  );
  expect(withFixes({}, body).told).toEqual([
    [3, 3],
    [5, 5],
  ]);
  expect(withFixes({ 'metric-reset': 'installMetricReset' }, body).told).toEqual([
    [3, 3],
    [2, 2],
  ]);
});

test('metric-label: a counter names its step as Beam does', () => {
  const body = `
    require('apache-beam');
    const { MetricsContainer } = require('apache-beam/worker/metrics');
    const spec = { metricType: 'beam:metric:user:sum_int64:v1', name: 'seen' };
    tell(new MetricsContainer().getMetric('step', undefined, spec).toEmptyMonitoringInfo().labels);`;
  expect(withFixes({}, body).told).toEqual({ NAME: 'seen', NAMESPACE: '', TRANSFORM: 'step' });
  expect(withFixes({ 'metric-label': 'installMetricLabel' }, body).told).toEqual({
    NAME: 'seen',
    NAMESPACE: '',
    PTRANSFORM: 'step',
  });
});

test('split-declined: to split a bundle that has ended is declined, not an error', () => {
  const body = runner(
    ECHO,
    "const { error, response } = await runner.instruct('s', 'processBundleSplit', { instructionId: 'b', desiredSplits: {} }); tell({ error, kind: response.oneofKind });",
  );
  expect(withFixes({}, body).told).toMatchObject({
    error: expect.stringContaining('Unknown process bundle') as string,
  });
  expect(withFixes({ 'split-declined': 'installSplitDeclined' }, body).told).toEqual({
    error: '',
    kind: 'processBundleSplit',
  });
});

test.each([
  ['processBundleProgress', "{ instructionId: 'b' }"],
  ['monitoringInfos', '{ monitoringInfoId: [] }'],
  ['finalizeBundle', "{ instructionId: 'b' }"],
])('progress: %s is answered', (kind, asked) => {
  const body = runner(
    ECHO,
    `const { error, response } = await runner.instruct('p', '${kind}', ${asked}); tell({ error, kind: response.oneofKind ?? '' });`,
  );
  expect(withFixes({}, body).told).toMatchObject({ error: expect.stringMatching(/Error handling|Unknown/) as string });
  expect(withFixes({ progress: 'installProgress' }, body).told).toEqual({ error: '', kind });
});

test('quiet-control: instructions are not printed', () => {
  const body = runner(ECHO, "await runner.bundle('my-bundle', [['a']]); tell('done');");
  expect(withFixes({}, body).stdout).toContain("instructionId: 'my-bundle'");
  const { told, stdout } = withFixes({ 'quiet-control': 'installQuietControl' }, body);
  expect(told).toBe('done');
  expect(stdout).not.toContain('instructionId');
});

test('channel-errors: a runner that goes away does not take the process with it', () => {
  const body = runner(
    ECHO,
    "await runner.bundle('b', [['a']]); await runner.vanish(); setTimeout(() => tell('alive'), 200);",
  );
  const without = withFixes({}, body);
  expect(without.told).toBe('ended with 1');
  expect(without.stderr).toMatch(/UNAVAILABLE|CANCELLED/);
  const { told, stderr } = withFixes({ 'channel-errors': 'installChannelErrors' }, body);
  expect(told).toBe('alive');
  expect(stderr).not.toContain('Data channel error');
});
