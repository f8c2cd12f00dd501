import { type Resource, shapeOf } from '#fhir'
import { atOnce, type Steps } from '#kernel'
import type { Validator } from '#validation'
import { formsOfChoice } from './choices.ts'

type Node = Readonly<Record<string, unknown>>
type Step = string | number

const mostRounds = 20

/**
 * A resource without the elements that make it invalid, each alone: a list loses one entry, an object one member, and
 * what is empty then goes too. Faults that were there before the change stay what they were.
 *
 * @param before  the resource before the change; all of it when what is left cannot be made valid
 * @returns       `left`: what was left out, e.g. `Patient.telecom[1].system`
 */
export function* withoutInvalid(
  wanted: Resource,
  before: Resource,
  validator: Validator,
): Steps<{ readonly resource: Resource; readonly left: readonly string[] }> {
  const tolerated = new Set(faultsOf(before, validator))
  yield
  const { resource, left } = yield* mended(wanted, tolerated, validator)
  return { resource: resource ?? before, left }
}

/**
 * A new resource without the elements that make it invalid, each alone.
 *
 * @returns `resource` undefined when what is left cannot be made valid
 */
export function validPart(wanted: Resource, validator: Validator): Mended {
  return atOnce(mended(wanted, new Set(), validator))
}

interface Mended {
  readonly resource: Resource | undefined
  readonly left: readonly string[]
}

function* mended(wanted: Resource, tolerated: ReadonlySet<string>, validator: Validator): Steps<Mended> {
  const left: string[] = []
  let resource = wanted
  for (let round = 0; round < mostRounds; round++) {
    const faults = faultsOf(resource, validator).filter(fault => !tolerated.has(fault))
    yield
    if (faults.length === 0) return { resource, left }
    left.push(...faults)
    // From the end, so that the places of those before stay what they are.
    const next = faults.toSorted(inOrder).reduceRight<Resource>(withoutFault, resource)
    if (next === resource) break
    resource = next
  }
  return { resource: undefined, left }
}

function faultsOf(resource: Resource, validator: Validator): readonly string[] {
  const errors = validator.validate(resource).filter(({ severity }) => severity === 'error')
  return [...new Set(errors.map(({ expression }) => expression ?? resource.resourceType))]
}

function inOrder(one: string, other: string): number {
  return one.localeCompare(other, 'en', { numeric: true })
}

function withoutFault(resource: Resource, fault: string): Resource {
  const steps = stepsOf(fault)
  const forms = formsAt(resource, steps)
  if (forms.length > 0) return omit(resource, forms)
  // What is missing costs what it is missing in.
  while (steps.length > 1 && !isThere(resource, steps)) steps.pop()
  // A part of the resource itself that is missing cannot be mended.
  return steps.length === 0 || !isThere(resource, steps) ? resource : (without(resource, steps) as Resource)
}

/** A choice of which there are several forms is none of them. */
function formsAt(resource: Resource, [choice, ...rest]: readonly Step[]): readonly string[] {
  if (typeof choice !== 'string' || rest.length > 0 || isThere(resource, [choice])) return []
  return formsOfChoice(shapeOf(resource.resourceType), choice).filter(name => resource[name] !== undefined)
}

function omit(resource: Resource, names: readonly string[]): Resource {
  return Object.fromEntries(Object.entries(resource).filter(([name]) => !names.includes(name))) as Resource
}

/** `Patient.contact[0].deceased.ofType(boolean)` → contact, 0, deceasedBoolean */
function stepsOf(expression: string): Step[] {
  const typed = expression.replace(
    /\.ofType\((\w)(\w*)\)/g,
    (_, first: string, rest: string) => first.toUpperCase() + rest,
  )
  return [...typed.matchAll(/\.([A-Za-z_]\w*)|\[(\d+)\]/g)].map(([, name, index]) => name ?? Number(index))
}

function isThere(node: unknown, [step, ...rest]: readonly Step[]): boolean {
  if (step === undefined) return true
  return memberNames(step).some(name => {
    const child = isNode(node) ? node[name] : undefined
    return child !== undefined && isThere(child, rest)
  })
}

/** An expression names a primitive's twin by the name of the primitive. */
function memberNames(step: Step): readonly string[] {
  return typeof step === 'number' ? [String(step)] : [step, `_${step}`]
}

/** Copies along the way and shares the rest. */
function without(node: unknown, [step, ...rest]: readonly Step[]): unknown {
  if (step === undefined) return undefined
  if (Array.isArray(node)) return withoutEntry(node, Number(step), rest)
  if (!isNode(node)) return node
  const copy: Record<string, unknown> = { ...node }
  for (const name of memberNames(step)) if (copy[name] !== undefined) copy[name] = without(copy[name], rest)
  const kept = Object.entries(copy).filter(([, child]) => child !== undefined)
  return kept.length === 0 ? undefined : Object.fromEntries(kept)
}

function withoutEntry(list: readonly unknown[], at: number, rest: readonly Step[]): unknown {
  const kept = list.flatMap((item, index) => {
    const next = index === at ? without(item, rest) : item
    return next === undefined ? [] : [next]
  })
  return kept.length === 0 ? undefined : kept
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null
}
