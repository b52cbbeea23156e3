import type { Column, CompiledContract, FieldRule } from '../contracts/types.ts';

/** A member of the message: a value that rules read, or an object or array around such ones, or both. */
interface Member {
  /** What the rules that read it take. */
  types: string[];
  docs: string[];
  /** Whether every accepted message has it. */
  required: boolean;
  members: Map<string, Member>;
}

/** What a conversion takes, as TypeScript has it, and what a reader must know of it. */
const TAKES: Record<Exclude<FieldRule['as'], 'as-is'>, { type: string; note?: string }> = {
  'epoch-millis': { type: 'number', note: 'Milliseconds since 1970.' },
  rfc3339: { type: 'string', note: 'RFC 3339, with its offset.' },
  'lower-case': { type: 'string' },
  'zero-one': { type: '0 | 1' },
  'decimal-text': { type: 'string', note: 'A decimal number.' },
  'integer-text': { type: 'string', note: 'A whole number.' },
  'boolean-text': { type: 'string', note: '`true` or `false`.' },
  json: { type: 'unknown', note: 'Any value of JSON.' },
};

function takes(rule: FieldRule, column: Column): { type: string; note?: string } {
  if (rule.as !== 'as-is') return TAKES[rule.as];
  if (column.type === 'long') return { type: 'number', note: 'A whole number.' };
  if (column.type === 'double') return { type: 'number' };
  return { type: column.type };
}

const member = (): Member => ({ types: [], docs: [], required: false, members: new Map() });

function memberAt(root: Member, path: string[], required: boolean): Member {
  let at = root;
  for (const part of path) {
    const next = at.members.get(part) ?? member();
    at.members.set(part, next);
    next.required ||= required;
    at = next;
  }
  return at;
}

function addRule(root: Member, rule: FieldRule, column: Column): void {
  const { type, note } = takes(rule, column);
  const doc = [column.doc, note].filter(Boolean).join('. ').replaceAll('..', '.');
  // Where either of two members will do, TypeScript cannot ask for one of them: the contract's rules still do.
  const required = column.required && !rule.orLastPathSegmentOf;
  const [carrier, ...path] = rule.from;
  if (carrier === 'data' && path.length) add(memberAt(root, path, required), type, doc);
  const [other, ...url] = rule.orLastPathSegmentOf ?? [];
  if (other === 'data' && url.length) add(memberAt(root, url, false), 'string', 'A URL.');
}

function add(to: Member, type: string, doc: string): void {
  if (!to.types.includes(type)) to.types.push(type);
  if (doc && !to.docs.includes(doc)) to.docs.push(doc);
}

const indented = (text: string, indent: string): string => text.replaceAll('\n', `\n${indent}`);

function docComment(docs: string[]): string {
  const lines = docs.flatMap((doc) => doc.split(/\r?\n/)).map((line) => line.replaceAll('*/', '*\\/').trim());
  if (lines.length === 0) return '';
  return lines.length === 1 ? `/** ${lines[0]} */\n` : `/**\n${lines.map((line) => ` * ${line}\n`).join('')} */\n`;
}

const propertyName = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name));

function objectType(members: Map<string, Member>): string {
  const properties = [...members].map(([name, of]) => {
    const text = `${docComment(of.docs)}${propertyName(name)}${of.required ? '' : '?'}: ${typeOf(of)};`;
    return `  ${indented(text, '  ')}\n`;
  });
  return `{\n${properties.join('')}}`;
}

/** An array whose members are read by their numbers. */
function tupleType(members: Map<string, Member>): string {
  const length = Math.max(...[...members.keys()].map(Number)) + 1;
  const types = Array.from({ length }, (_, index) => {
    const of = members.get(String(index));
    return of ? typeOf(of) : 'unknown';
  });
  return `[${types.join(', ')}, ...unknown[]]`;
}

function typeOf({ types, required, members }: Member): string {
  const numbered = members.size > 0 && [...members.keys()].every((name) => /^(0|[1-9]\d{0,2})$/.test(name));
  const inner = members.size === 0 ? [] : [numbered ? tupleType(members) : objectType(members)];
  const all = [...types, ...inner];
  const type = all.length === 1 ? String(all[0]) : all.map((one) => `(${one})`).join(' & ');
  return required || type === 'unknown' ? type : `${type} | null`;
}

/**
 * The type of a source's messages, as the text of a TypeScript object type: each member that the contract's mapping reads, in the
 * order of the columns. Members that a message may lack are optional and may be null.
 */
export function messageType({ columns, mapping }: Pick<CompiledContract, 'columns' | 'mapping'>): string {
  const root = member();
  for (const column of columns) {
    const rule = mapping.find((candidate) => candidate.column === column.name);
    if (rule) addRule(root, rule, column);
  }
  return objectType(root.members);
}
