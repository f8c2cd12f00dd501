import { dataOf, type Functions, type Predicate, predicateOf } from '../library.ts'
import { isNode, type Node } from '../walk.ts'
import { isOfCore } from './build.ts'
import type { Item } from './items.ts'
import type { Constraint } from './rules.ts'

/** What an expression may ask of more than the resource that it is about. */
export interface Asked {
  isIn(valueSet: string, value: unknown): boolean | undefined
  conforms(resource: Node, canonical: string, item: Item): boolean | undefined
  resolve(reference: string, item: Item): Node | undefined
}

/** Of the expression that is being evaluated. */
interface Evaluation {
  readonly asked: Asked
  readonly item: Item
  /** Whether it asked what could not be told: what lies elsewhere, or is not held. */
  isUntold: boolean
}

let current: Evaluation | undefined

/** The library would look for them by HTTP, or not at all. @see https://hl7.org/fhir/R4/fhirpath.html#functions */
const functions: Functions = {
  memberOf: {
    fn: (inputs: readonly unknown[], valueSet: unknown) =>
      inputs.flatMap(input => answerOf(current?.asked.isIn(String(valueSet), dataOf(input)))),
    arity: { 1: ['String'] },
  },
  conformsTo: {
    fn: (inputs: readonly unknown[], canonical: unknown) =>
      inputs.map(dataOf).flatMap(input => {
        if (current === undefined || !isNode(input)) return []
        return answerOf(current.asked.conforms(input, String(canonical), current.item))
      }),
    arity: { 1: ['String'] },
  },
  resolve: {
    fn: (inputs: readonly unknown[]) =>
      inputs.map(dataOf).flatMap(input => {
        const reference = isNode(input) ? input.reference : input
        const found = typeof reference === 'string' ? current?.asked.resolve(reference, current.item) : undefined
        return answerOf(found)
      }),
    arity: { 0: [] },
  },
}

function answerOf<Answer>(answer: Answer | undefined): readonly Answer[] {
  if (answer !== undefined) return [answer]
  if (current !== undefined) current.isUntold = true
  return []
}

/** Compiled, an expression takes some hundred times its length. */
const mostCharacters = 200_000
const known = new Map<string, Predicate>()
let characters = 0

function predicateFor(expression: string, base: string | undefined): Predicate {
  const key = `${base ?? ''} ${expression}`
  const made = known.get(key)
  if (made !== undefined) return made
  characters += key.length
  if (characters > mostCharacters) {
    known.clear()
    characters = key.length
  }
  const predicate = predicateOf(expression, base, functions)
  known.set(key, predicate)
  return predicate
}

/** The library gives an element of a profile no type of its own, and cannot say it as another. @see https://hl7.org/fhir/R4/observation-vitalsigns.html */
const handmade: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ['($this as dateTime).toString().length() >= 8', value => typeof value !== 'string' || value.length >= 8],
])

/** An element's value `as String`: the public validators take FHIR's types for those of the language, and many profiles count on it. */
const systemTypes = /(\bas\s+|\b(?:as|ofType)\(\s*)(?:System\.)?(String|Boolean|Integer|Decimal|Date|DateTime|Time)\b/

function asFhir(expression: string): string {
  return expression.replace(
    new RegExp(systemTypes, 'g'),
    (_, before: string, type: string) => before + type.charAt(0).toLowerCase() + type.slice(1),
  )
}

/**
 * Whether a constraint of a profile holds: undefined where that cannot be told.
 *
 * @see https://hl7.org/fhir/R4/conformance-rules.html#constraints
 */
export function holds(constraint: Constraint, item: Item, asked: Asked): boolean | undefined {
  if (isOfCore(constraint, placeOf(item))) return true
  const byHand = handmade.get(constraint.expression)
  if (byHand !== undefined) return byHand(item.value)
  const before = current
  const evaluation = { asked, item, isUntold: false }
  current = evaluation
  try {
    const context = item.value ?? item.twin
    const { resource, container } = item.outside
    const ask = (expression: string) => predicateFor(expression, baseOf(item))(context, resource, container)
    const isFound = ask(constraint.expression)
    const isSo =
      isFound === false && systemTypes.test(constraint.expression) ? ask(asFhir(constraint.expression)) : isFound
    return isSo === false && evaluation.isUntold ? undefined : isSo
  } finally {
    current = before
  }
}

/** As `invariantsOf` has it. */
function placeOf(item: Item): string {
  return baseOf(item) ?? item.type
}

/** What HL7's library calls an element: a resource is one by itself. */
function baseOf({ element, within, type }: Item): string | undefined {
  if (element === undefined || within === undefined || element.type === 'Resource') return undefined
  const isNamed = element.nested === undefined && /^[A-Z]/.test(type)
  return isNamed ? type : `${within.type}.${element.nested ?? element.path}`
}
