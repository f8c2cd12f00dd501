/** One thing that is wrong with a table. */
export interface Finding {
  /** The table below its folder: `apple-health/units.json`. */
  readonly file: string
  /** Where in it, as RFC 6901 writes it; empty for all of it. */
  readonly pointer: string
  /** From 1. */
  readonly line: number
  /** From 1; only where the text is no JSON. */
  readonly column?: number
  /** What is wrong, in words. */
  readonly text: string
  /** The table in which something is not that this one refers to. */
  readonly missingIn?: string
}

/** A table as it was read. */
export interface Table {
  readonly value: unknown
  /** The line from 1 in which the value at a pointer stands. */
  lineOf(pointer: string): number
}

/** So many objects and lists may lie within one another; tables need eight. */
const deepest = 32
/** So many values a table may have; the largest of ours has 7000. */
const mostValues = 100_000
/** Keys by which a careless copy would change an object's prototype. */
const forbiddenKeys: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])
const numberGrammar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const literals = [
  ['true', true],
  ['false', false],
  ['null', null],
] as const

class Fault extends Error {
  readonly at: number

  constructor(at: number, text: string) {
    super(text)
    this.at = at
  }
}

/**
 * Reads the text of a table: strict JSON, in which no object says a name twice.
 *
 * @returns the table, or what is wrong; a name said twice is found in a table that is read all the same
 * @see     https://www.rfc-editor.org/rfc/rfc8259
 */
export function readTable(file: string, text: string): { readonly table?: Table; readonly findings: Finding[] } {
  const reader = new Reader(text)
  try {
    const value = reader.read()
    const lineOf = (pointer: string) => reader.placeOf(reader.offsetOf(pointer)).line
    const findings = reader.twice.map(pointer => ({
      file,
      pointer,
      line: lineOf(pointer),
      text: 'This name stands twice in its object; only the last would count.',
    }))
    return { table: { value, lineOf }, findings }
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault
    return { findings: [{ file, pointer: '', ...reader.placeOf(fault.at), text: fault.message }] }
  }
}

/** A pointer to a member or an entry: https://www.rfc-editor.org/rfc/rfc6901 */
export function below(pointer: string, name: string | number): string {
  return `${pointer}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`
}

class Reader {
  /** Pointers of names that stand a second time. */
  readonly twice: string[] = []
  readonly #text: string
  readonly #offsets = new Map<string, number>()
  #lines: readonly number[] | undefined
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  read(): unknown {
    const value = this.#value('', 0)
    this.#space()
    if (this.#at < this.#text.length) throw new Fault(this.#at, 'Something follows where the table has ended.')
    return value
  }

  /** Where the value at a pointer begins, or else what it would stand in. */
  offsetOf(pointer: string): number {
    return (
      this.#offsets.get(pointer) ?? (pointer === '' ? 0 : this.offsetOf(pointer.slice(0, pointer.lastIndexOf('/'))))
    )
  }

  placeOf(offset: number): { readonly line: number; readonly column: number } {
    this.#lines ??= [0, ...Array.from(this.#text.matchAll(/\n/g), ({ index }) => index + 1)]
    const line = this.#lines.findLastIndex(start => start <= offset)
    return { line: line + 1, column: offset - (this.#lines[line] ?? 0) + 1 }
  }

  #space(): void {
    while (' \n\r\t'.includes(this.#text[this.#at] ?? 'x')) this.#at++
  }

  #value(pointer: string, depth: number): unknown {
    this.#space()
    this.#offsets.set(pointer, this.#at)
    if (this.#offsets.size > mostValues)
      throw new Fault(this.#at, `The table has more than ${mostValues} values; none is as large.`)
    if (depth > deepest) throw new Fault(this.#at, `More than ${deepest} objects and lists lie within one another.`)
    const first = this.#text[this.#at]
    if (first === '{') return this.#object(pointer, depth)
    if (first === '[') return this.#list(pointer, depth)
    return first === '"' ? this.#string() : this.#plain()
  }

  #object(pointer: string, depth: number): unknown {
    const object: Record<string, unknown> = {}
    this.#entries('}', 'object', () => {
      const start = this.#at
      if (this.#text[start] !== '"') throw new Fault(start, 'A name in double quotes was expected here.')
      const name = this.#string()
      if (forbiddenKeys.has(name)) throw new Fault(start, `No table has a member of the name ${name}.`)
      this.#space()
      if (this.#text[this.#at] !== ':') throw new Fault(this.#at, 'A colon was expected here, behind a name.')
      this.#at++
      if (Object.hasOwn(object, name)) this.twice.push(below(pointer, name))
      object[name] = this.#value(below(pointer, name), depth + 1)
    })
    return object
  }

  #list(pointer: string, depth: number): unknown {
    const list: unknown[] = []
    this.#entries(']', 'list', () => void list.push(this.#value(below(pointer, list.length), depth + 1)))
    return list
  }

  /** What stands between brackets, with commas between. */
  #entries(end: string, what: string, read: () => void): void {
    this.#at++
    this.#space()
    if (this.#text[this.#at] === end) {
      this.#at++
      return
    }
    for (;;) {
      this.#space()
      read()
      this.#space()
      const next = this.#text[this.#at]
      if (next === undefined) throw new Fault(this.#at, `The text ends within an ${what}.`.replace('an list', 'a list'))
      if (next !== ',' && next !== end) throw new Fault(this.#at, `A comma or ${end} was expected here.`)
      this.#at++
      if (next === end) return
    }
  }

  #string(): string {
    const start = this.#at
    let end = start + 1
    for (let one = this.#text[end]; one !== '"'; one = this.#text[end]) {
      if (one === undefined) throw new Fault(start, 'A text begins here and does not end.')
      if (one < ' ') throw new Fault(end, 'A line break or another control character stands within a text.')
      end += one === '\\' ? 2 : 1
    }
    this.#at = end + 1
    try {
      return JSON.parse(this.#text.slice(start, this.#at)) as string
    } catch {
      throw new Fault(start, 'A text has a backslash before something that JSON does not know.')
    }
  }

  #plain(): unknown {
    const literal = literals.find(([word]) => this.#text.startsWith(word, this.#at))
    if (literal !== undefined) {
      this.#at += literal[0].length
      return literal[1]
    }
    numberGrammar.lastIndex = this.#at
    const [number] = numberGrammar.exec(this.#text) ?? []
    if (number === undefined)
      throw new Fault(
        this.#at,
        this.#at < this.#text.length ? 'A value was expected here.' : 'The text ends where a value was expected.',
      )
    if (!Number.isFinite(Number(number))) throw new Fault(this.#at, 'A number is larger than any that can be kept.')
    this.#at += number.length
    return Number(number)
  }
}
