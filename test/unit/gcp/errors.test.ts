import { expect, test } from 'vitest';
import { cupelError } from '../../../src/errors.ts';
import { googleError, isNotFound, isTransient } from '../../../src/gcp/errors.ts';

const error = (fields: object) => Object.assign(new Error('it said so'), fields);

test.each([
  ['gRPC UNAVAILABLE', { code: 14 }, true],
  ['gRPC INVALID_ARGUMENT', { code: 3 }, false],
  ['gRPC ALREADY_EXISTS', { code: 6 }, false],
  ['HTTP 503', { code: 503 }, true],
  ['HTTP 429', { code: '429' }, true],
  ['HTTP 403', { code: 403 }, false],
  ['a lost connection', { code: 'ECONNRESET' }, true],
  ['a BigQuery job that failed inside', { errors: [{ reason: 'backendError' }] }, true],
  ['a BigQuery job with a wrong query', { errors: [{ reason: 'invalidQuery' }] }, false],
])('%s', (_, fields, transient) => {
  expect(isTransient(error(fields))).toBe(transient);
  const coded = googleError('Service', 'request', error(fields));
  expect(coded).toMatchObject({
    code: transient ? 'CUP_GOOGLE_UNAVAILABLE' : 'CUP_GOOGLE_REFUSED',
    retryable: transient,
  });
  expect(coded.message).toContain('it said so');
});

test('what does not exist is told by HTTP, by gRPC and by a job', () => {
  for (const fields of [{ code: 404 }, { code: 5 }, { errors: [{ reason: 'notFound' }] }])
    expect(isNotFound(error(fields))).toBe(true);
  expect(isNotFound(error({ code: 403 }))).toBe(false);
});

test('an error that is coded already stays as it is', () => {
  const coded = cupelError('CUP_OBJECT_NOT_FOUND');
  expect(googleError('Service', 'request', coded)).toBe(coded);
});
