import grpc from '@grpc/grpc-js';
import { GrpcError } from '../grpc.ts';

/** Whether a message with these attributes is wanted. */
export type Filter = (attributes: Record<string, string>) => boolean;

const TERM =
  /^\s*(NOT\s+|-)?(?:attributes\.([\w-]+)\s*(=|!=)\s*"((?:[^"\\]|\\.)*)"|hasPrefix\(\s*attributes\.([\w-]+)\s*,\s*"((?:[^"\\]|\\.)*)"\s*\)|attributes\s*:\s*([\w-]+))\s*$/;

function term(text: string): Filter {
  const match = TERM.exec(text);
  if (!match) throw new GrpcError(grpc.status.INVALID_ARGUMENT, `Invalid filter expression: ${text}`);
  const [, not, name, operator, value, prefixed, prefix, has] = match;
  const holds: Filter = (attributes) => {
    if (has) return Object.hasOwn(attributes, has);
    if (prefixed) return attributes[prefixed]?.startsWith(prefix ?? '') ?? false;
    return (attributes[name ?? ''] === value) === (operator === '=');
  };
  return not ? (attributes) => !holds(attributes) : holds;
}

/** Pub/Sub's filter syntax: comparisons, `hasPrefix`, presence, joined by either AND or OR. */
export function compileFilter(text: string | undefined): Filter {
  if (!text?.trim()) return () => true;
  if (/\sOR\s/.test(text)) {
    const any = text.split(/\sOR\s/).map(term);
    return (attributes) => any.some((holds) => holds(attributes));
  }
  const all = text.split(/\sAND\s/).map(term);
  return (attributes) => all.every((holds) => holds(attributes));
}
