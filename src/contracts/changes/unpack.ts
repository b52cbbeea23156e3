import { differences, saysDefault } from './differences.ts';
import { breaking, compatible } from './types.ts';
import type { ChangeRule } from './types.ts';

const OF_NEW_OBJECTS = ['unpack.mediaType', 'unpack.extension'];

const DEFAULTS: Record<string, string> = { 'unpack.delimiter': ',', 'unpack.encoding': 'utf-8' };

/**
 * How objects of Bronze are opened, those that are there already included. Only new ones get another media type and extension.
 */
export const unpackChanges: ChangeRule = (from, to) =>
  differences('unpack', from.unpack, to.unpack).map((change) =>
    OF_NEW_OBJECTS.includes(change.path) || saysDefault(change, DEFAULTS[change.path])
      ? compatible(change)
      : breaking(change, 'Bronze that is there would be read otherwise, or not at all'),
  );
