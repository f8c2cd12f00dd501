import { type Resource, shapeOf } from '#fhir'
import { appendAll, giveWay, type ProblemIssue } from '#kernel'
import type { Validator } from '#validation'
import { formsOfChoice } from './choices.ts'

type Node = Readonly<Record<string, unknown>>
type Step = string | number

const mostRounds = 20

/** What makes an object keep a rule again, where that is less than to leave the object out. */
interface Remedy {
  readonly omitted?: string
  readonly added?: Node
}

const notKnown: Node = {
  extension: [{ url: 'http://hl7.org/fhir/StructureDefinition/data-absent-reason', valueCode: 'unknown' }],
}

const remedies: Readonly<Record<string, Remedy>> = {
  // A number to call, of which nobody said what it is.
  'cpt-2': { added: { _system: notKnown } },
  'obs-6': { omitted: 'dataAbsentReason' },
  'org-2': { omitted: 'use' },
  'org-3': { omitted: 'use' },
  'qty-3': { omitted: 'code' },
}

/**
 * A resource without the elements that make it invalid, each alone: a list loses one entry, an object one member, and
 * what is empty then goes too. Faults that were there before the change stay what they were.
 *
 * @param before  the resource before the change; all of it when what is left cannot be made valid
 * @param owner   on whose behalf, as `Validator.validateSent` has it
 * @returns       `left`: what was left out, e.g. `Patient.telecom[1].system`
 */
export async function withoutInvalid(
  wanted: Resource,
  before: Resource,
  validator: Validator,
  owner: string,
): Promise<{ readonly resource: Resource; readonly left: readonly string[] }> {
  const errorsOf = async (one: Resource) => errorsAmong(await validator.validateSent(one, 'errors', owner))
  const tolerated = new Set((await errorsOf(before)).map(error => placeOf(error, before)))
  await giveWay()
  const mending = mended(wanted, tolerated)
  for (let next = mending.next(); ; next = mending.next(await errorsOf(next.value))) {
    if (next.done === true) return { resource: next.value.resource ?? before, left: next.value.left }
    await giveWay()
  }
}

/**
 * A new resource without the elements that make it invalid, each alone.
 *
 * @returns `resource` undefined when what is left cannot be made valid
 */
export function validPart(wanted: Resource, validator: Validator): Mended {
  const mending = mended(wanted, new Set())
  for (let next = mending.next(); ; next = mending.next(errorsAmong(validator.validate(next.value))))
    if (next.done === true) return next.value
}

interface Mended {
  readonly resource: Resource | undefined
  readonly left: readonly string[]
}

/** Asks for the errors of what it would have next, until there are none. */
type Mending = Generator<Resource, Mended, readonly ProblemIssue[]>

function* mended(wanted: Resource, tolerated: ReadonlySet<string>): Mending {
  const left: string[] = []
  let resource = wanted
  for (let round = 0; round < mostRounds; round++) {
    const errors = (yield resource).filter(error => !tolerated.has(placeOf(error, resource)))
    if (errors.length === 0) return { resource, left }
    const next = withRemedies(resource, errors) ?? withoutFaults(resource, errors)
    appendAll(left, next.left)
    if (next.resource === resource) break
    resource = next.resource
  }
  return { resource: undefined, left }
}

interface Next {
  readonly resource: Resource
  readonly left: readonly string[]
}

function withoutFaults(resource: Resource, errors: readonly ProblemIssue[]): Next {
  const left = [...new Set(errors.map(error => placeOf(error, resource)))]
  // From the end, so that the places of those before stay what they are.
  return { resource: left.toSorted(inOrder).reduceRight<Resource>(withoutFault, resource), left }
}

/** What is left when those are remedied that can be; undefined when none can. */
function withRemedies(wanted: Resource, errors: readonly ProblemIssue[]): Next | undefined {
  const left: string[] = []
  let resource = wanted
  for (const { rule = '', expression = '' } of errors) {
    const remedy = Object.hasOwn(remedies, rule) ? remedies[rule] : undefined
    if (remedy === undefined) continue
    resource = remedied(resource, stepsOf(expression), remedy) as Resource
    if (remedy.omitted !== undefined) left.push(`${expression}.${remedy.omitted}`)
  }
  return resource === wanted ? undefined : { resource, left }
}

/** Copies along the way and shares the rest. */
function remedied(node: unknown, [step, ...rest]: readonly Step[], remedy: Remedy): unknown {
  if (!isNode(node)) return node
  if (Array.isArray(node)) return node.map((item, index) => (index === step ? remedied(item, rest, remedy) : item))
  if (step === undefined) {
    const kept = Object.entries(node).filter(([name]) => name !== remedy.omitted)
    return { ...Object.fromEntries(kept), ...remedy.added }
  }
  return { ...node, [step]: remedied(node[step], rest, remedy) }
}

function errorsAmong(issues: readonly ProblemIssue[]): readonly ProblemIssue[] {
  return issues.filter(({ severity }) => severity === 'error')
}

function placeOf({ expression }: ProblemIssue, { resourceType }: Resource): string {
  return expression ?? resourceType
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
