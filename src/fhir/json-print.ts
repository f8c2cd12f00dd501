import { joinedOf, type Steps } from '#kernel'
import { Decimal } from './decimal.ts'

/** So many values are read or printed in one go. */
export const valuesAtATime = 1_024
/** The same of the letters of a long text: no copy of the whole of it is made on the way. */
export const lettersAtATime = 1024 * 1024

/** The JSON text of a value; a `Decimal` keeps its digits, `undefined` properties are left out. */
export function printJson(value: unknown): string {
  return JSON.stringify(value) ?? 'null'
}

/** How what is printed is to look, and who is told of it. */
export interface PrintLook {
  /** In lines, for people. */
  readonly isPretty?: boolean
  /** Told how many bytes each piece has, before the next one is made; throws the Problem with which printing ends. */
  grow?(bytes: number): void
}

/** UTF-8 of what `printJson` gives, or `JSON.stringify` in lines of two spaces, made bit by bit: for what has many values. */
export function* encodeJsonInSteps(value: unknown, look: PrintLook = {}): Steps<Buffer> {
  const printer = new JsonPrinter(look)
  yield* printer.print(value, 0)
  return yield* printer.end()
}

/** Gathers what is printed, in pieces of so many texts or letters. */
export class Printing {
  readonly #grow: (bytes: number) => void
  readonly #done: Buffer[] = []
  #texts: string[] = []
  #letters = 0

  constructor({ grow = () => undefined }: PrintLook) {
    this.#grow = grow
  }

  push(text: string): void {
    this.#texts.push(text)
    this.#letters += text.length
  }

  /** Whether a piece is full: then it is to be ended, and others should have their turn. */
  isFull(): boolean {
    return this.#texts.length > valuesAtATime || this.#letters > lettersAtATime
  }

  endPiece(): void {
    const bytes = Buffer.from(this.#texts.join(''), 'utf8')
    this.#texts = []
    this.#letters = 0
    this.#grow(bytes.length)
    this.#done.push(bytes)
  }

  *end(): Steps<Buffer> {
    this.endPiece()
    return yield* joinedOf(this.#done)
  }
}

class JsonPrinter {
  private readonly printing: Printing
  private readonly isPretty: boolean

  constructor(look: PrintLook) {
    this.printing = new Printing(look)
    this.isPretty = look.isPretty === true
  }

  end(): Steps<Buffer> {
    return this.printing.end()
  }

  *print(value: unknown, level: number): Steps<void> {
    if (this.printing.isFull()) {
      this.printing.endPiece()
      yield
    }
    if (Array.isArray(value)) yield* this.list(value, level)
    else if (typeof value === 'object' && value !== null && !(value instanceof Decimal))
      yield* this.object(value, level)
    else if (typeof value === 'string' && value.length > lettersAtATime) yield* this.longText(value)
    else this.printing.push(printJson(value))
  }

  private *longText(text: string): Steps<void> {
    this.printing.push('"')
    for (const slice of slicesOf(text, lettersAtATime)) {
      this.printing.push(printJson(slice).slice(1, -1))
      this.printing.endPiece()
      yield
    }
    this.printing.push('"')
  }

  private *list(items: readonly unknown[], level: number): Steps<void> {
    let before = '['
    for (const item of items) {
      this.printing.push(before + this.line(level + 1))
      before = ','
      yield* this.print(item, level + 1)
    }
    this.printing.push(before === '[' ? '[]' : `${this.line(level)}]`)
  }

  private *object(node: object, level: number): Steps<void> {
    let before = '{'
    for (const [key, value] of Object.entries(node)) {
      if (value === undefined) continue
      this.printing.push(`${before}${this.line(level + 1)}${JSON.stringify(key)}:${this.isPretty ? ' ' : ''}`)
      before = ','
      yield* this.print(value, level + 1)
    }
    this.printing.push(before === '{' ? '{}' : `${this.line(level)}}`)
  }

  private line(level: number): string {
    return this.isPretty ? `\n${'  '.repeat(level)}` : ''
  }
}

/** A text in slices of so many letters, none of which ends within one. */
export function* slicesOf(text: string, letters: number): Generator<string, void, void> {
  for (let from = 0; from < text.length; ) {
    const until = wholeLetters(text, from + letters)
    yield text.slice(from, until)
    from = until
  }
}

/** Not between the two halves of a letter, which by themselves are none. */
function wholeLetters(text: string, at: number): number {
  const isBetween = /^[\ud800-\udbff][\udc00-\udfff]/.test(text.slice(at - 1, at + 1))
  return isBetween ? at + 1 : Math.min(at, text.length)
}
