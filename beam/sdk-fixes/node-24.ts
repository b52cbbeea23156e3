import util from 'node:util';

// apache-beam 2.49.0 loads serialize-closures, which calls util.isPrimitive as it loads; Node 23 took that function out.
// Import this before apache-beam.
const legacy = util as unknown as { isPrimitive?: (value: unknown) => boolean };
legacy.isPrimitive ??= (value) => value === null || (typeof value !== 'object' && typeof value !== 'function');
