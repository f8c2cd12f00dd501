import fhirpath from 'fhirpath'
import model from 'fhirpath/fhir-context/r4'
import type { Json } from '../examples.ts'

/** A search parameter as HL7 defines it. */
export interface Parameter {
  readonly code: string
  readonly type: string
  readonly base: readonly string[]
  readonly expression?: string
}

/** What a parameter's expression finds in a resource, as HL7's library reads it. */
export type Values = readonly unknown[]

const compiled = new Map<string, ReturnType<typeof fhirpath.compile>>()

function evaluate(expression: string, resource: Json): Values {
  const known = compiled.get(expression) ?? fhirpath.compile(expression, model, { traceFn: () => {} })
  compiled.set(expression, known)
  return (known as (resource: Json) => Values)(resource)
}

/** The alternatives of an expression, those within brackets left whole. */
function alternatives(expression: string): readonly string[] {
  const found: string[] = []
  let depth = 0
  let from = 0
  for (let at = 0; at <= expression.length; at++) {
    const sign = expression[at]
    if (sign === '(') depth++
    if (sign === ')') depth--
    if (sign !== undefined && (sign !== '|' || depth > 0)) continue
    found.push(expression.slice(from, at).trim())
    from = at + 1
  }
  return found
}

const abstract: ReadonlySet<string> = new Set(['Resource', 'DomainResource'])

/** What the expression of a parameter says of a type, each alternative with the type to which its references must lead. */
function readableFor(type: string, expression: string): readonly { path: string; leadsTo: string | undefined }[] {
  return alternatives(expression)
    .filter(each => {
      const [, named = type] = /^\(?([A-Z]\w+)/.exec(each) ?? []
      return named === type || abstract.has(named)
    })
    .map(each => {
      const [, leadsTo] = /\.where\(resolve\(\) is (\w+)\)$/.exec(each) ?? []
      const path = each
        .replace(/\.where\(resolve\(\) is \w+\)$/, '')
        .replace(/\(([A-Z][\w.]*) as (\w+)\)/g, '$1.ofType($2)')
        .replace(/([A-Z][\w.]*) as (\w+)$/, '$1.ofType($2)')
        .replace(/\.as\((\w+)\)/g, '.ofType($1)')
        .replace(/^(\(?)(?:Resource|DomainResource)\b/, `$1${type}`)
      return { path, leadsTo }
    })
}

/** @returns the type that a reference names */
function typeNamed(value: unknown): string | undefined {
  const { reference = '', type } = value as { readonly reference?: string; readonly type?: string }
  return /(?:^|\/)([A-Z][A-Za-z]+)\/[A-Za-z0-9.-]+(?:\/_history\/[^/]+)?$/.exec(reference)?.[1] ?? type
}

/** @returns undefined where HL7's library does not know what the expression says */
export function valuesOf({ expression = '' }: Parameter, type: string, resource: Json): Values | undefined {
  try {
    return readableFor(type, expression).flatMap(({ path, leadsTo }) =>
      evaluate(path, resource).filter(value => leadsTo === undefined || typeNamed(value) === leadsTo),
    )
  } catch {
    return undefined
  }
}
