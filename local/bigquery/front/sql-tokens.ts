/** A piece of a statement; white space and comments are left out. */
export interface Token {
  /** `name`: a word or number, `quoted`: in backticks, `string`: a string or bytes literal, `mark`: any other character. */
  kind: 'name' | 'quoted' | 'string' | 'mark';
  /** As it stands in the statement. */
  text: string;
  start: number;
  end: number;
}

// GoogleSQL's lexical structure: comments first, then literals with their prefixes, longest quotes first.
const PIECES = new RegExp(
  [
    String.raw`(?<skipped>\s+|--[^\n]*|#[^\n]*|/\*[\s\S]*?(?:\*/|$))`,
    String.raw`(?<string>(?:[rR][bB]|[bB][rR])(?:"""[\s\S]*?"""|'''[\s\S]*?'''|"[^"\n]*"|'[^'\n]*')` +
      String.raw`|[rRbB]?(?:"""(?:\\[\s\S]|[^\\])*?"""|'''(?:\\[\s\S]|[^\\])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))`,
    '(?<quoted>`(?:\\\\.|[^`\\\\])*`)',
    String.raw`(?<name>\w+)`,
    String.raw`(?<mark>[\s\S])`,
  ].join('|'),
  'gy',
);

/** Splits a statement or script of GoogleSQL, so that names in literals and comments are never taken for names. */
export function tokensOf(sql: string): Token[] {
  const tokens: Token[] = [];
  for (const match of sql.matchAll(PIECES)) {
    const { string, quoted, name, skipped } = match.groups ?? {};
    if (skipped !== undefined) continue;
    const kind =
      string !== undefined ? 'string' : quoted !== undefined ? 'quoted' : name !== undefined ? 'name' : 'mark';
    tokens.push({ kind, text: match[0], start: match.index, end: match.index + match[0].length });
  }
  return tokens;
}

/** Whether a token is that keyword, in any case, or that mark. */
export function isToken(token: Token | undefined, text: string): boolean {
  return (token?.kind === 'name' || token?.kind === 'mark') && token.text.toUpperCase() === text;
}
