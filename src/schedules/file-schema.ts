import { WEEKDAYS } from './types.ts';

/** `90s`, `15m`, `6h`, `1d`. */
const span = { type: 'string', pattern: '^[0-9]+[smhd]$' };
const clock = { type: 'string', pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$' };

const POLICIES = {
  timeZone: { type: 'string', minLength: 1 },
  overlap: { enum: ['skip', 'bufferOne', 'bufferAll', 'cancelOther', 'allowAll'] },
  catchupWindow: span,
  jitter: span,
  pauseOnFailure: { type: 'boolean' },
};

const TIMING = {
  every: span,
  offset: span,
  at: { anyOf: [clock, { type: 'array', items: clock, minItems: 1 }] },
  on: { type: 'array', items: { enum: WEEKDAYS.map((day) => day.slice(0, 3).toLowerCase()) }, minItems: 1 },
};

/** A job, or `false` for none; told apart first, so that an error speaks of what was meant. */
const job = (properties: object) => ({
  if: { type: 'boolean' },
  then: { const: false },
  else: { type: 'object', properties, additionalProperties: false },
});

const ofSource = { ingest: job(POLICIES) };
const timed = job({ ...POLICIES, ...TIMING });
const perSource = { ...ofSource, pipeline: timed, reconcile: timed, maintain: timed };

/** JSON Schema of schedules.yaml. */
export const FILE_SCHEMA = {
  type: 'object',
  properties: {
    defaults: { type: 'object', properties: POLICIES, additionalProperties: false },
    ...perSource,
    nightlyGold: timed,
    monitor: timed,
    sources: {
      type: 'object',
      additionalProperties: { type: 'object', properties: perSource, additionalProperties: false },
    },
  },
  additionalProperties: false,
};
