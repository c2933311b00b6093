/**
 * Nested lists and objects beyond this depth are refused: no record of a file needs them, and recursive code would
 * overflow.
 */
const DEPTH = 64;

/**
 * The value of a JSON text from an untrusted file.
 * @throws SyntaxError if the text is not JSON, nests more than 64 deep, or holds an object with the same key twice.
 * `JSON.parse` alone keeps the last value and drops the others.
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  checkNesting(text);
  return value;
}

/**
 * Walks over a valid JSON text. A loop and not a regular expression: those run out of stack on strings of some
 * megabytes.
 */
function checkNesting(text: string): void {
  const open: (Set<string> | null)[] = []; // the keys of each open object; null for a list
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (letter === "{" || letter === "[") {
      if (open.push(letter === "{" ? new Set() : null) > DEPTH) throw new SyntaxError(`nests more than ${DEPTH} deep`);
    } else if (letter === "}" || letter === "]") {
      open.pop();
    } else if (letter === '"') {
      const begin = at++;
      while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
      const keys = open.at(-1);
      if (keys != null && isKey(text, at + 1)) addKey(keys, JSON.parse(text.slice(begin, at + 1)));
    }
  }
}

function isKey(text: string, after: number): boolean {
  let at = after;
  while (text[at] === " " || text[at] === "\n" || text[at] === "\r" || text[at] === "\t") at++;
  return text[at] === ":";
}

function addKey(keys: Set<string>, key: string): void {
  if (keys.has(key)) throw new SyntaxError(`has the name ${JSON.stringify(key.slice(0, 60))} twice`);
  keys.add(key);
}

/** Whether a value is an object with keys, and not a list or null. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
