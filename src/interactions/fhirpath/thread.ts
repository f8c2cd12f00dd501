/** Runs in a thread of its own (`evaluator.ts`): HL7's library knows neither turns nor limits. */
import { createRequire } from 'node:module'
import type { Model } from 'fhirpath'
import { serveBeside } from '#kernel'

type Library = typeof import('fhirpath')

const require = createRequire(import.meta.url)
const fhirpath = require('fhirpath') as Library
const model = require('fhirpath/fhir-context/r4') as Model

/** Elements of one list, of each of which an expression is asked. */
export interface ItemsTask {
  readonly kind: 'items'
  readonly expression: string
  /** What the items are: `Patient.name`, or a type. */
  readonly base: string
  /** A JSON array. */
  readonly items: string
}

/** An expression that is asked of a resource, or of each element that `context` finds in it. */
export interface WholeTask {
  readonly kind: 'whole'
  readonly expression: string
  readonly context: string | undefined
  /** JSON; undefined for nothing. */
  readonly resource: string | undefined
  /** Values by name, as JSON. */
  readonly variables: string
}

export type PathTask = ItemsTask | WholeTask

/** What an expression found: an element, or a value that was computed. */
export interface Found {
  /** FHIR or System type with its namespace, e.g. `FHIR.HumanName`. */
  readonly type: string
  /** JSON with the digits of decimals; undefined for a primitive that has extensions alone. */
  readonly value: string | undefined
  /** JSON of the id and extensions of a primitive. */
  readonly beside: string | undefined
}

/** What `trace()` was called with. */
export interface Traced {
  readonly label: string
  readonly found: readonly Found[]
}

/** What came of one element of the context. */
export interface Result {
  /** Where that element stands, e.g. `Patient.name[0]`; undefined where no context was given. */
  readonly place: string | undefined
  readonly found: readonly Found[]
  readonly traced: readonly Traced[]
}

type Part = 'expression' | 'context'

/** What a task comes to. `faulty`: the expression is none; `failed`: it cannot be evaluated here; `size`: more than can be answered. */
export type PathOutcome =
  | { readonly items: readonly (boolean | string | undefined)[] }
  | { readonly results: readonly Result[] }
  | { readonly wrong: 'faulty' | 'failed'; readonly part: Part }
  | { readonly size: number }

class Wrong extends Error {
  readonly outcome: PathOutcome
  constructor(outcome: PathOutcome) {
    super('wrong')
    this.outcome = outcome
  }
}

/** More than this is not handed over. */
const mostCharacters = 32 * 1024 * 1024

const options = { resolveInternalTypes: false, async: false, preciseMath: true } as const
type Evaluate = (data: unknown, variables: Record<string, unknown>, more: object) => readonly unknown[]

/** What the library takes the children of. */
interface Parent {
  readonly data?: unknown
  /** The id and extensions of a primitive. */
  readonly _data?: object | null
}

/** What the library shows and does not declare. */
interface Undeclared {
  makeChildResNodes(context: unknown, parent: Parent, name: string, model: unknown): readonly unknown[]
}

const { util }: { readonly util: object } = fhirpath
const library = util as Undeclared
const { makeChildResNodes } = library
/** The library finds what JavaScript gives to every object and text as well: no element is called so. */
library.makeChildResNodes = (context, parent, name, more) =>
  canHave(parent, name) ? makeChildResNodes(context, parent, name, more) : []

function canHave({ data, _data }: Parent, name: string): boolean {
  if (name in Object.prototype) return false
  if (data === null || data === undefined) return true
  if (Object.hasOwn(_data ?? {}, name)) return true
  return typeof data === 'object' && (Object.getPrototypeOf(data) === Object.prototype || Object.hasOwn(data, name))
}

/** As variables these are unknown, as any other that was not given. */
const inherited: object = Object.defineProperties(
  {},
  Object.fromEntries(Object.getOwnPropertyNames(Object.prototype).map(name => [name, { get: refuse }])),
)

function refuse(): never {
  throw new Error('no variable')
}

serveBeside(outcomeOf)

function outcomeOf(task: PathTask): PathOutcome {
  try {
    return task.kind === 'items' ? { items: ofItems(task) } : { results: ofWhole(task) }
  } catch (error) {
    if (error instanceof Wrong) return error.outcome
    throw error
  }
}

/** The first thing found for each item: a truth, or a text. */
function ofItems({ expression, base, items }: ItemsTask): readonly (boolean | string | undefined)[] {
  const evaluate = compiled({ base, expression }, 'expression')
  return (parse(items) as readonly unknown[]).map(item => {
    const [first] = evaluate(item, {}, { traceFn: () => {} })
    const value: unknown = first === undefined ? undefined : fhirpath.util.valData(first)
    return typeof value === 'boolean' || value === undefined ? value : String(value)
  })
}

function ofWhole({ expression, context, resource, variables }: WholeTask): readonly Result[] {
  const data = resource === undefined ? {} : parse(resource)
  const evaluate = compiled(expression, 'expression')
  const own = { resource: data, rootResource: data, ...standing(expression), ...standing(context ?? '') }
  const given = { ...own, ...(parse(variables) as Record<string, unknown>) }
  const foci: readonly unknown[] =
    context === undefined ? [data] : compiled(context, 'context')(data, given, { traceFn: () => {} })
  const seen = { characters: 0 }
  return foci.map(focus => {
    const traced: Traced[] = []
    const traceFn = (value: unknown, label: string) => {
      traced.push({ label: String(label), found: foundIn(Array.isArray(value) ? value : [value], seen) })
    }
    const found = foundIn(evaluate(focus, given, { traceFn }), seen)
    return { place: context === undefined ? undefined : placeOf(focus), found, traced }
  })
}

/**
 * What FHIR defines beside the library's own variables: `%sct`, `%loinc`, and names of value sets and extensions of the specification.
 *
 * @see https://hl7.org/fhir/R4/fhirpath.html#variables
 */
function standing(expression: string): Record<string, string> {
  const named = expression.matchAll(/%[`'"](vs|ext)-([\w.-]+)[`'"]/g)
  const urls = Array.from(named, ([, kind = '', name = '']) => [`${kind}-${name}`, `${folders[kind]}${name}`])
  return { sct: 'http://snomed.info/sct', loinc: 'http://loinc.org', ...Object.fromEntries(urls) }
}

const folders: Readonly<Record<string, string>> = {
  vs: 'http://hl7.org/fhir/ValueSet/',
  ext: 'http://hl7.org/fhir/StructureDefinition/',
}

function compiled(path: string | { readonly base: string; readonly expression: string }, part: Part): Evaluate {
  const evaluate = orWrong('faulty', part, () => fhirpath.compile(path, model, options))
  return (data, variables, more) => {
    const given = Object.setPrototypeOf({ ...variables }, inherited) as typeof variables
    return orWrong('failed', part, () => evaluate(data, given, more) as readonly unknown[])
  }
}

/** A stack that is too deep is the expression's fault as well. */
function orWrong<T>(wrong: 'faulty' | 'failed', part: Part, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw error instanceof Wrong ? error : new Wrong({ wrong, part })
  }
}

/** What decimals were written as: the library keeps their value, and not that they end with a zero. */
const digits = new WeakMap<object, string>()

/** Numbers that JavaScript would print otherwise keep their digits. */
function parse(text: string): unknown {
  return JSON.parse(text, (_key, value: unknown, context?: { readonly source?: string }) => {
    const source = context?.source
    if (typeof value !== 'number' || source === undefined || source === String(value)) return value
    const decimal = fhirpath.FP_Decimal.getDecimal(source)
    digits.set(decimal, source)
    return decimal
  })
}

function foundIn(all: readonly unknown[], seen: { characters: number }): readonly Found[] {
  const items = all.filter(isInReach)
  const types = fhirpath.types(items)
  return items.map((item, at) => {
    const { _data: own } = (typeof item === 'object' ? (item ?? {}) : {}) as { readonly _data?: unknown }
    const value = printed(fhirpath.util.valData(item))
    const beside = own === null || own === undefined ? undefined : printed(own)
    seen.characters += (value?.length ?? 0) + (beside?.length ?? 0)
    if (seen.characters > mostCharacters) throw new Wrong({ size: seen.characters })
    return { type: types[at] ?? '', value, beside }
  })
}

/** "Operations that cause arithmetic overflow or underflow will result in empty." @see http://hl7.org/fhirpath/N1/#math-2 */
function isInReach(item: unknown): boolean {
  const value: unknown = fhirpath.util.valData(item)
  if (!(value instanceof fhirpath.FP_Decimal) || digits.has(value)) return true
  const number = Number(value.toString())
  return Number.isFinite(number) && (number !== 0 || /^[-+]?[0.]*$/.test(value.toString()))
}

function placeOf(item: unknown): string | undefined {
  const { fullPropertyName } = (typeof item === 'object' ? (item ?? {}) : {}) as { fullPropertyName?: unknown }
  return typeof fullPropertyName === 'function' ? (fullPropertyName.call(item) as string | undefined) : undefined
}

// TypeScript's library does not know JSON.rawJSON yet. https://tc39.es/proposal-json-parse-with-source/
const { rawJSON } = JSON as typeof JSON & { rawJSON(text: string): unknown }

function printed(value: unknown): string | undefined {
  return JSON.stringify(
    value ?? undefined,
    function (this: { readonly [key: string]: unknown }, key: string, shown: unknown) {
      const own = this[key]
      return own instanceof fhirpath.FP_Decimal ? rawJSON(digits.get(own) ?? own.toString()) : shown
    },
  )
}
