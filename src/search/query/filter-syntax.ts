import { Problem } from '#kernel'
import { limits, tooCostly } from './limits.ts'

/** A filter as it is written, before its names are looked up. */
export type Filter =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Filter[] }
  | { readonly kind: 'not'; readonly part: Filter }
  | FilterTest

/** `subject[filter].name co "pet"`. */
export interface FilterTest {
  readonly kind: 'test'
  readonly path: readonly PathStep[]
  readonly operator: FilterOperator
  readonly value: string
}

interface PathStep {
  readonly name: string
  /** What the resource must fulfil through which the path leads. */
  readonly filter: Filter | undefined
}

/** @see https://hl7.org/fhir/R4/search_filter.html#ops */
const filterOperators = [
  'eq',
  'ne',
  'co',
  'sw',
  'ew',
  'gt',
  'lt',
  'ge',
  'le',
  'ap',
  'sa',
  'eb',
  'pr',
  'po',
  'ss',
  'sb',
  'in',
  'ni',
  're',
] as const

export type FilterOperator = (typeof filterOperators)[number]

const space = /\s*/y
const name = /[_A-Za-z][\w-]*(?::[A-Za-z]+)?/y
const word = /[A-Za-z]+/y
const token = /[^\s)\]]+/y
const string = /"(?:[^"\\]|\\.)*"/y

/** Reads a filter from left to right; `and` and `or` bind alike. */
class FilterReading {
  readonly #text: string
  #at = 0
  #depth = 0
  #tests = 0

  constructor(text: string) {
    this.#text = text
  }

  whole(): Filter {
    const filter = this.#filter()
    if (this.#at < this.#text.length) throw this.#malformed('the filter should end, or go on with and or or')
    return filter
  }

  #filter(): Filter {
    if (++this.#depth > limits.nesting) throw tooCostly('nesting', '_filter')
    let left = this.#part()
    for (let kind = this.#joining(); kind !== undefined; kind = this.#joining()) left = joined(left, kind, this.#part())
    this.#depth--
    return left
  }

  #joining(): 'and' | 'or' | undefined {
    const from = this.#at
    const found = this.#take(word)
    if (found === 'and' || found === 'or') return found
    this.#at = from
    return undefined
  }

  #part(): Filter {
    const from = this.#at
    if (this.#take(word) === 'not' && this.#next() === '(') return { kind: 'not', part: this.#within('(', ')') }
    this.#at = from
    return this.#next() === '(' ? this.#within('(', ')') : this.#test()
  }

  #within(open: string, close: string): Filter {
    this.#expect(open)
    const filter = this.#filter()
    this.#expect(close)
    return filter
  }

  #test(): FilterTest {
    if (++this.#tests > limits.tests) throw tooCostly('tests', '_filter')
    const path = [this.#step()]
    while (this.#text[this.#at] === '.') {
      this.#at++
      path.push(this.#step())
    }
    if (path.at(-1)?.filter !== undefined)
      throw this.#malformed('a filter in brackets is followed by a point and a name')
    return { kind: 'test', path, operator: this.#operator(), value: this.#value() }
  }

  #step(): PathStep {
    const found = this.#take(name)
    if (found === undefined) throw this.#malformed('the name of a search parameter is missing')
    return { name: found, filter: this.#text[this.#at] === '[' ? this.#within('[', ']') : undefined }
  }

  #operator(): FilterOperator {
    const from = this.#at
    const found = this.#take(word)?.toLowerCase()
    const operator = filterOperators.find(each => each === found)
    if (operator !== undefined && this.#at > from) return operator
    this.#at = from
    throw this.#malformed(`an operator is missing: ${filterOperators.join(', ')}`)
  }

  #value(): string {
    if (this.#next() !== '"') {
      const found = this.#take(token)
      if (found === undefined) throw this.#malformed('a value is missing')
      return found
    }
    const quoted = this.#take(string)
    const value = quoted === undefined ? undefined : unquoted(quoted)
    if (value === undefined) throw this.#malformed('a text in quotes does not end, or has an unknown escape')
    if (value === '') throw this.#malformed('a value is empty')
    return value
  }

  /** The character that comes next, spaces apart. */
  #next(): string | undefined {
    space.lastIndex = this.#at
    space.exec(this.#text)
    return this.#text[space.lastIndex]
  }

  /** What comes next, spaces apart; spaces after it are passed over only by the next. */
  #take(pattern: RegExp): string | undefined {
    space.lastIndex = this.#at
    space.exec(this.#text)
    pattern.lastIndex = space.lastIndex
    const [found] = pattern.exec(this.#text) ?? []
    if (found === undefined) return undefined
    this.#at = pattern.lastIndex
    return found
  }

  #expect(character: string): void {
    if (this.#next() !== character) throw this.#malformed(`${character} is missing`)
    this.#at = space.lastIndex + 1
    if (character === ')') this.#skip()
  }

  #skip(): void {
    space.lastIndex = this.#at
    space.exec(this.#text)
    this.#at = space.lastIndex
  }

  #malformed(what: string): Problem {
    const text = `_filter is not understood at character ${this.#at + 1}: ${what}.`
    return new Problem('invalid', 'search.filter-malformed', text, { expression: '_filter' })
  }
}

/** From left to right: `a and b or c` is `(a and b) or c`. */
function joined(left: Filter, kind: 'and' | 'or', right: Filter): Filter {
  return { kind, parts: left.kind === kind ? [...left.parts, right] : [left, right] }
}

function unquoted(quoted: string): string | undefined {
  try {
    return JSON.parse(quoted) as string
  } catch {
    return undefined
  }
}

/**
 * @throws Problem `invalid` · `search.filter-malformed`, which names the place; `too-costly` · `search.too-costly`
 * @see https://hl7.org/fhir/R4/search_filter.html
 */
export function parseFilter(text: string): Filter {
  return new FilterReading(text.trim()).whole()
}
