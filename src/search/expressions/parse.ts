import { Problem } from '#kernel'

/**
 * The part of FHIRPath that the R4 SearchParameters use, as a tree.
 *
 * @see https://hl7.org/fhirpath/N1/ and https://hl7.org/fhir/R4/searchparameter.html#SearchParameter.expression
 */
export type Expression =
  | { readonly op: 'name'; readonly name: string }
  | { readonly op: 'resource' }
  | { readonly op: 'child'; readonly of: Expression; readonly name: string }
  | { readonly op: 'as'; readonly of: Expression; readonly type: string }
  | { readonly op: 'index'; readonly of: Expression; readonly index: number }
  | { readonly op: 'equals'; readonly of: Expression; readonly name: string; readonly value: string }
  | { readonly op: 'resolves'; readonly of: Expression; readonly type: string }
  | { readonly op: 'extension'; readonly of: Expression; readonly url: string }
  | { readonly op: 'union'; readonly items: readonly Expression[] }
  | { readonly op: 'and'; readonly items: readonly Expression[] }
  | { readonly op: 'exists'; readonly of: Expression }
  | { readonly op: 'differs'; readonly of: Expression; readonly value: string }

const tokenPattern = /\s+|([A-Za-z_][A-Za-z0-9_]*|%resource|'(?:[^'\\]|\\.)*'|[0-9]+|!=|[.()|[\]=])/gy

function tokensOf(text: string): string[] {
  const tokens: string[] = []
  tokenPattern.lastIndex = 0
  while (tokenPattern.lastIndex < text.length) {
    const match = tokenPattern.exec(text)
    if (match === null) throw beyond(text)
    if (match[1] !== undefined) tokens.push(match[1])
  }
  return tokens
}

function beyond(text: string): Problem {
  return new Problem(
    'fault',
    'search.expression-unknown',
    'A search parameter uses FHIRPath that is not compiled here.',
    {
      detail: text,
    },
  )
}

class ExpressionParser {
  readonly #text: string
  readonly #tokens: readonly string[]
  #at = 0

  constructor(text: string) {
    this.#text = text
    this.#tokens = tokensOf(text)
  }

  parse(): Expression {
    const expression = this.#and()
    if (this.#peek() !== undefined) throw beyond(this.#text)
    return expression
  }

  #peek(ahead = 0): string | undefined {
    return this.#tokens[this.#at + ahead]
  }

  #next(): string {
    const token = this.#tokens[this.#at++]
    if (token === undefined) throw beyond(this.#text)
    return token
  }

  #expect(...tokens: string[]): void {
    for (const token of tokens) if (this.#next() !== token) throw beyond(this.#text)
  }

  #accept(token: string): boolean {
    if (this.#peek() !== token) return false
    this.#at++
    return true
  }

  #and(): Expression {
    const items = [this.#union()]
    while (this.#accept('and')) items.push(this.#union())
    return items.length === 1 ? (items[0] as Expression) : { op: 'and', items }
  }

  #union(): Expression {
    const items = [this.#typed()]
    while (this.#accept('|')) items.push(this.#typed())
    return items.length === 1 ? (items[0] as Expression) : { op: 'union', items }
  }

  #typed(): Expression {
    const of = this.#path()
    if (this.#accept('as')) return { op: 'as', of, type: this.#next() }
    if (this.#accept('!=')) return { op: 'differs', of, value: this.#next() }
    return of
  }

  #path(): Expression {
    let of = this.#start()
    for (;;) {
      if (this.#accept('.')) of = this.#step(of)
      else if (this.#accept('[')) of = this.#indexed(of)
      else return of
    }
  }

  #start(): Expression {
    const token = this.#next()
    if (token === '(') {
      const inner = this.#and()
      this.#expect(')')
      return inner
    }
    if (token === '%resource') return { op: 'resource' }
    if (!/^[A-Za-z_]/.test(token)) throw beyond(this.#text)
    return { op: 'name', name: token }
  }

  #indexed(of: Expression): Expression {
    const index = Number(this.#next())
    this.#expect(']')
    return { op: 'index', of, index }
  }

  #step(of: Expression): Expression {
    const name = this.#next()
    if (!this.#accept('(')) return { op: 'child', of, name }
    const step = this.#call(of, name)
    this.#expect(')')
    return step
  }

  #call(of: Expression, name: string): Expression {
    if (name === 'as' || name === 'ofType') return { op: 'as', of, type: this.#next() }
    if (name === 'exists') return { op: 'exists', of }
    if (name === 'where') return this.#where(of)
    if (name === 'extension') return { op: 'extension', of, url: this.#literal() }
    throw beyond(this.#text)
  }

  #where(of: Expression): Expression {
    const name = this.#next()
    if (name === 'resolve') {
      this.#expect('(', ')', 'is')
      return { op: 'resolves', of, type: this.#next() }
    }
    this.#expect('=')
    return { op: 'equals', of, name, value: this.#literal() }
  }

  #literal(): string {
    const token = this.#next()
    return token.startsWith("'") ? token.slice(1, -1) : token
  }
}

/**
 * Parses a SearchParameter's expression.
 *
 * @throws Problem `fault` · `search.expression-unknown` when it goes beyond the subset
 */
export function parseExpression(text: string): Expression {
  return new ExpressionParser(text).parse()
}
