import grpc from '@grpc/grpc-js';
import { GrpcError } from '../../grpc.ts';

/** Whether a message with these attributes is wanted. */
export type Filter = (attributes: Record<string, string>) => boolean;

// A quoted string, a name, or an operator; whatever else stands there is an error.
const TOKEN = /\s*(?:("(?:[^"\\]|\\.)*")|([\w-]+)|(!=|[=:.,()]))/y;

function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const match = TOKEN.exec(text);
    if (!match) throw invalid(text);
    tokens.push(match[1] ?? match[2] ?? match[3] ?? '');
  }
  return tokens;
}

function invalid(text: string): GrpcError {
  return new GrpcError(grpc.status.INVALID_ARGUMENT, `Invalid filter expression: ${text}`);
}

/** A recursive descent over Pub/Sub's filter grammar. */
class Parser {
  readonly #text: string;
  readonly #tokens: string[];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokensOf(text);
  }

  parse(): Filter {
    const filter = this.#expression();
    if (this.#at < this.#tokens.length) throw invalid(this.#text);
    return filter;
  }

  /** Terms joined by either AND or OR: Pub/Sub refuses a mix without parentheses. */
  #expression(): Filter {
    const terms = [this.#term()];
    const joint = this.#tokens[this.#at];
    if (joint !== 'AND' && joint !== 'OR') return terms[0]!;
    while (this.#take(joint)) terms.push(this.#term());
    return joint === 'AND'
      ? (attributes) => terms.every((holds) => holds(attributes))
      : (attributes) => terms.some((holds) => holds(attributes));
  }

  #term(): Filter {
    if (this.#take('NOT') || this.#take('-')) {
      const holds = this.#term();
      return (attributes) => !holds(attributes);
    }
    if (this.#take('(')) {
      const inner = this.#expression();
      this.#expect(')');
      return inner;
    }
    return this.#take('hasPrefix') ? this.#hasPrefix() : this.#comparison();
  }

  #hasPrefix(): Filter {
    this.#expect('(');
    this.#expect('attributes');
    this.#expect('.');
    const name = this.#word();
    this.#expect(',');
    const prefix = this.#string();
    this.#expect(')');
    return (attributes) => attributes[name]?.startsWith(prefix) ?? false;
  }

  #comparison(): Filter {
    this.#expect('attributes');
    if (this.#take(':')) {
      const name = this.#word();
      return (attributes) => Object.hasOwn(attributes, name);
    }
    this.#expect('.');
    const name = this.#word();
    const equal = this.#take('=');
    if (!equal) this.#expect('!=');
    const value = this.#string();
    return (attributes) => (attributes[name] === value) === equal;
  }

  #take(token: string): boolean {
    if (this.#tokens[this.#at] !== token) return false;
    this.#at += 1;
    return true;
  }

  #expect(token: string): void {
    if (!this.#take(token)) throw invalid(this.#text);
  }

  /** The name of an attribute, quoted or not. */
  #word(): string {
    const token = this.#tokens[this.#at] ?? '';
    if (token.startsWith('"')) return this.#string();
    if (!/^[\w-]+$/.test(token)) throw invalid(this.#text);
    this.#at += 1;
    return token;
  }

  #string(): string {
    const token = this.#tokens[this.#at] ?? '';
    if (!token.startsWith('"')) throw invalid(this.#text);
    this.#at += 1;
    return token.slice(1, -1).replace(/\\(.)/g, '$1');
  }
}

/**
 * Pub/Sub's filter syntax: comparisons, `hasPrefix`, presence, NOT, AND, OR, parentheses.
 *
 * @throws GrpcError INVALID_ARGUMENT for any other text
 */
export function compileFilter(text: string | undefined): Filter {
  return text?.trim() ? new Parser(text).parse() : () => true;
}
