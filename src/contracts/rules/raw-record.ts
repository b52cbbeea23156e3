/** Index after the JSON value that starts at `start`. The text is known to be valid JSON. */
function endOfValue(text: string, start: number): number {
  let depth = 0;
  let inString = false;
  for (let i = start; i < text.length; i += 1) {
    const c = text[i];
    if (inString) {
      if (c === '\\') i += 1;
      else if (c === '"') inString = false;
      if (!inString && depth === 0) return i + 1;
    } else if (c === '"') inString = true;
    else if (c === '{' || c === '[') depth += 1;
    else if (c === '}' || c === ']') {
      if (depth === 0) return i;
      depth -= 1;
      if (depth === 0) return i + 1;
    } else if (depth === 0 && (c === ',' || c === ':')) return i;
  }
  return text.length;
}

const skipSpace = (text: string, at: number): number => {
  let i = at;
  while (i < text.length && ' \t\r\n'.includes(text[i] ?? '')) i += 1;
  return i;
};

/** Index of the value of a member of the object that the text is; the last one of that name, as JSON.parse takes it. */
function memberStart(text: string, name: string): number {
  let at = skipSpace(text, skipSpace(text, 0) + 1);
  let found = -1;
  while (text[at] === '"') {
    const end = endOfValue(text, at);
    const value = skipSpace(text, skipSpace(text, end) + 1);
    if (JSON.parse(text.slice(at, end)) === name) found = value;
    at = skipSpace(text, skipSpace(text, endOfValue(text, value)) + 1);
  }
  return found;
}

/**
 * The exact text of one element of an array member of a JSON object, as the carrier sent it: what quarantine keeps.
 *
 * @param text valid JSON, an object
 * @param member name of the member that holds the array
 * @param offset index of the element
 */
export function rawElement(text: string, member: string, offset: number): string {
  let at = skipSpace(text, memberStart(text, member) + 1);
  for (let index = 0; index < offset; index += 1) at = skipSpace(text, skipSpace(text, endOfValue(text, at)) + 1);
  return text.slice(at, endOfValue(text, at)).trimEnd();
}
