import { createRequire } from 'node:module'
import type { Model } from 'fhirpath'
import { Decimal } from '#fhir'

/** Whether an expression is true of something: undefined when that cannot be told. */
export type Predicate = (context: unknown, resource: object, container: object) => boolean | undefined

type Library = typeof import('fhirpath')

let loaded: { readonly fhirpath: Library; readonly model: Model } | undefined

/** Most processes never meet an invariant that needs it, and it takes a tenth of a second to load. */
function library(): { readonly fhirpath: Library; readonly model: Model } {
  const require = createRequire(import.meta.url)
  loaded ??= { fhirpath: require('fhirpath') as Library, model: require('fhirpath/fhir-context/r4') as Model }
  return loaded
}

const options = {
  // Some of R4's rules trace; the library would print what it traces.
  traceFn: () => {},
  // The library compares each with each: two minutes for 32,000. Whatever R4 wants distinct is text.
  userInvocationTable: {
    isDistinct: {
      fn: (inputs: readonly unknown[]) => [new Set(inputs.map(textOf)).size === inputs.length],
      arity: { 0: [] },
    },
  },
}

/** The objects that an expression finds in a resource; undefined where it cannot be evaluated. */
export function foundBy(expression: string, resource: object): readonly unknown[] | undefined {
  const { fhirpath, model } = library()
  try {
    const found = fhirpath.evaluate(readable(resource), expression, { resource: readable(resource) }, model, options)
    return (found as readonly unknown[]).map(each => fhirpath.util.valData(each))
  } catch {
    return undefined
  }
}

/** The places of what an expression finds in a resource, primitives among them: `Patient.name[0].family`; undefined as `foundBy`. */
export function placesFoundBy(expression: string, resource: object): ReadonlySet<string> | undefined {
  const { fhirpath, model } = library()
  try {
    const found = fhirpath.evaluate(readable(resource), expression, { resource: readable(resource) }, model, {
      ...options,
      resolveInternalTypes: false,
    }) as readonly { fullPropertyName?(): string }[]
    return new Set(found.map(each => each.fullPropertyName?.() ?? ''))
  } catch {
    return undefined
  }
}

/** Whether an object is one of those that `foundBy` has. */
export function isAmongFound(found: readonly unknown[] | undefined, node: object): boolean | undefined {
  return found?.includes(readable(node))
}

/** Functions of FHIRPath beside the library's own, or instead of them. */
export type Functions = NonNullable<Parameters<Library['compile']>[2]>['userInvocationTable'] & object

/** What an item of the library is, as JSON. */
export function dataOf(item: unknown): unknown {
  return library().fhirpath.util.valData(item)
}

function textOf(item: unknown): string {
  return JSON.stringify(library().fhirpath.util.valData(item))
}

/**
 * Compiles an expression of R4 by HL7's library, once it is first evaluated.
 *
 * @param base  path of what it is evaluated on, e.g. `Observation.component`; undefined for a resource
 * @see         https://hl7.org/fhir/R4/fhirpath.html#variables
 */
export function predicateOf(expression: string, base: string | undefined, functions: Functions = {}): Predicate {
  let evaluate: ReturnType<Library['compile']> | undefined
  // Numbers of elements can always be compared.
  const isComparison = /[<>]/.test(expression) && !expression.includes('count()')
  return (context, resource, container) => {
    const { fhirpath, model } = library()
    try {
      evaluate ??= fhirpath.compile(base === undefined ? expression : { base, expression }, model, {
        ...options,
        userInvocationTable: { ...options.userInvocationTable, ...functions },
      })
      const [result, more] = evaluate(readable(context), {
        resource: readable(resource),
        rootResource: readable(container),
      }) as readonly unknown[]
      if (more !== undefined) return undefined
      // What is not there is not as it should be; only what cannot be compared is not known, as days with years.
      return typeof result === 'boolean' ? result : isComparison ? undefined : false
    } catch {
      return undefined
    }
  }
}

/** The rules of R4 have a few brackets in one another; of very many the library takes seconds to see that they have no end. */
const deepestBrackets = 50

/** Whether a text is FHIRPath at all; undefined for one that is nested too deeply to be told. */
export function isPath(expression: string): boolean | undefined {
  if (isNestedDeeply(expression)) return undefined
  try {
    library().fhirpath.parse(expression)
    return true
  } catch {
    return false
  }
}

/** Brackets in texts and comments count as well: of them nobody writes so many either. */
function isNestedDeeply(expression: string): boolean {
  let depth = 0
  for (const [bracket] of expression.matchAll(/[()[\]{}]/g)) {
    depth += '([{'.includes(bracket) ? 1 : -1
    if (depth > deepestBrackets) return true
  }
  return false
}

const copies = new WeakMap<object, unknown>()

/** The library reads numbers of JavaScript; no rule of R4 turns on digits beyond them. What has none other is itself. */
function readable(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const known = copies.get(value)
  if (known !== undefined) return known
  const made = withoutDecimals(value)
  copies.set(value, made)
  return made
}

function withoutDecimals(value: unknown): unknown {
  if (value instanceof Decimal) return Number(value)
  if (Array.isArray(value)) {
    const items = value.map(withoutDecimals)
    return items.every((item, at) => item === value[at]) ? value : items
  }
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([name, child]) => [name, child, withoutDecimals(child)] as const)
  return entries.every(([, child, plain]) => child === plain)
    ? value
    : Object.fromEntries(entries.map(([name, , plain]) => [name, plain]))
}
