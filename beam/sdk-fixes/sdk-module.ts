import './node-24.ts';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** A module inside the SDK. The whole SDK comes first: its parts import each other in circles. */
export function sdkModule<Module>(path: string): Module {
  require('apache-beam');
  return require(`apache-beam/${path}`) as Module;
}

/** A package that the SDK depends on, in the SDK's version of it. */
export function sdkDependency<Module>(name: string): Module {
  return require(require.resolve(name, { paths: [require.resolve('apache-beam')] })) as Module;
}
