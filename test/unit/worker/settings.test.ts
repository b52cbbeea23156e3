import { expect, test } from 'vitest';
import { limitsOf } from '../../../src/worker/limits.ts';
import { addressText, workerSettings } from '../../../src/worker/settings.ts';

const LIMITS = { cpuTarget: 0.9, memoryTarget: 0.8, minActivities: 50, maxActivities: 200, backfillActivities: 50 };

test('without variables: both queues, nothing listens', () =>
  expect(workerSettings({})).toEqual({
    queues: ['cupel', 'cupel-backfill'],
    logLevel: 'INFO',
    shutdownGraceSeconds: 10,
    limits: LIMITS,
  }));

test('every setting has a variable', () =>
  expect(
    workerSettings({
      CUPEL_WORKER_QUEUES: ' cupel-backfill ,',
      CUPEL_LOG_LEVEL: 'DEBUG',
      CUPEL_SHUTDOWN_GRACE_SECONDS: '0',
      CUPEL_HEALTH_ADDRESS: '0.0.0.0:8081',
      CUPEL_METRICS_ADDRESS: '[::1]:9090',
      CUPEL_CONTROL_SUBSCRIPTION: 'cupel-control-worker',
      CUPEL_WORKER_CPU_TARGET: '0.7',
      CUPEL_WORKER_MEMORY_TARGET: '0.6',
      CUPEL_WORKER_MIN_ACTIVITIES: '300',
      CUPEL_WORKER_BACKFILL_ACTIVITIES: '5',
    }),
  ).toEqual({
    queues: ['cupel-backfill'],
    logLevel: 'DEBUG',
    shutdownGraceSeconds: 0,
    health: { host: '0.0.0.0', port: 8081 },
    metrics: { host: '::1', port: 9090 },
    controlSubscription: 'cupel-control-worker',
    limits: { cpuTarget: 0.7, memoryTarget: 0.6, minActivities: 300, maxActivities: 300, backfillActivities: 5 },
  }));

test.each([
  ['CUPEL_WORKER_QUEUES', 'cupel,nightly'],
  ['CUPEL_SHUTDOWN_GRACE_SECONDS', '-1'],
  ['CUPEL_HEALTH_ADDRESS', 'localhost:80'],
  ['CUPEL_HEALTH_ADDRESS', '8080'],
  ['CUPEL_METRICS_ADDRESS', '127.0.0.1:99999'],
  ['CUPEL_WORKER_CPU_TARGET', '90'],
  ['CUPEL_WORKER_MEMORY_TARGET', 'much'],
  ['CUPEL_WORKER_MAX_ACTIVITIES', '10'],
  ['CUPEL_WORKER_BACKFILL_ACTIVITIES', '1.5'],
])('%s=%s is refused by name', (variable, value) =>
  expect(() => workerSettings({ [variable]: value })).toThrow(
    expect.objectContaining({ code: 'CUP_ENVIRONMENT_INVALID', details: expect.objectContaining({ variable }) }),
  ),
);

test('an address is written as it is read', () => {
  expect(addressText({ host: '::1', port: 1 })).toBe('[::1]:1');
  expect(addressText({ host: '127.0.0.1', port: 1 })).toBe('127.0.0.1:1');
});

test("a backfill's slots are fixed, the nightly run's follow the machine", () => {
  expect(limitsOf('cupel-backfill', LIMITS)).toMatchObject({
    tuner: { activityTaskSlotSupplier: { type: 'fixed-size', numSlots: 50 } },
  });
  expect(limitsOf('cupel', LIMITS)).toMatchObject({
    tuner: {
      activityTaskSlotSupplier: {
        type: 'resource-based',
        minimumSlots: 50,
        maximumSlots: 200,
        tunerOptions: { targetCpuUsage: 0.9, targetMemoryUsage: 0.8 },
      },
    },
  });
});
