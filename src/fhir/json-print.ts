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

/** UTF-8 of what `printJson` gives, made bit by bit: for what has many values. */
export function* encodeJsonInSteps(value: unknown): Steps<Buffer> {
  const printer = new JsonPrinter()
  yield* printer.print(value)
  return printer.end()
}

class JsonPrinter {
  private readonly done: Buffer[] = []
  private pieces: string[] = []

  end(): Buffer {
    this.encode()
    return joinedOf(this.done)
  }

  *print(value: unknown): Steps<void> {
    if (this.pieces.length > valuesAtATime) {
      this.encode()
      yield
    }
    if (Array.isArray(value)) yield* this.list(value)
    else if (typeof value === 'object' && value !== null && !(value instanceof Decimal)) yield* this.object(value)
    else if (typeof value === 'string' && value.length > lettersAtATime) yield* this.longText(value)
    else this.pieces.push(printJson(value))
  }

  private *longText(text: string): Steps<void> {
    this.pieces.push('"')
    for (let from = 0; from < text.length; ) {
      const until = wholeLetters(text, from + lettersAtATime)
      this.pieces.push(printJson(text.slice(from, until)).slice(1, -1))
      this.encode()
      yield
      from = until
    }
    this.pieces.push('"')
  }

  private encode(): void {
    this.done.push(Buffer.from(this.pieces.join(''), 'utf8'))
    this.pieces = []
  }

  private *list(items: readonly unknown[]): Steps<void> {
    let before = '['
    for (const item of items) {
      this.pieces.push(before)
      before = ','
      yield* this.print(item)
    }
    this.pieces.push(before === '[' ? '[]' : ']')
  }

  private *object(node: object): Steps<void> {
    let before = '{'
    for (const [key, value] of Object.entries(node)) {
      if (value === undefined) continue
      this.pieces.push(`${before}${JSON.stringify(key)}:`)
      before = ','
      yield* this.print(value)
    }
    this.pieces.push(before === '{' ? '{}' : '}')
  }
}

/** Not between the two halves of a letter, which by themselves are none. */
function wholeLetters(text: string, at: number): number {
  const isBetween = /^[\ud800-\udbff][\udc00-\udfff]/.test(text.slice(at - 1, at + 1))
  return isBetween ? at + 1 : Math.min(at, text.length)
}
