import { covers } from '../standing.ts'
import { field, isEmpty, parsePlace, type Segment } from './message.ts'
import { type FieldRule, rulesOf } from './tables.ts'

type Elements = Readonly<Record<string, unknown>>

/** What the rules of a segment gave for a type of resource, before it is put together with what other segments gave. */
export interface Given {
  readonly segment: Segment
  readonly resource: string
  readonly elements: Elements
}

/** What a resource is made of besides, and what is named after its own content. */
const apart = new Set(['contained', 'status', 'meta', 'extension'])

/** An element says something else than what stands there, by the field that said it. */
export interface Unheard {
  readonly segment: Segment
  readonly place: string
}

/**
 * The fields whose elements are not in the resource that was made, because another segment has said something else of
 * the same element. What is not there at all went somewhere else, by another name.
 */
export function unheard(given: readonly Given[], made: Elements): readonly Unheard[] {
  return given.flatMap(({ segment, resource, elements }) =>
    Object.keys(elements)
      .filter(name => !apart.has(name) && made[name] !== undefined && !covers(made[name], elements[name]))
      .flatMap(name => differing(made[name], elements[name], name))
      .flatMap(path => fieldsOf(segment, resource, path))
      .map(place => ({ segment, place })),
  )
}

/** All fields that gave something, of a resource that could not be made. */
export function allOf(given: readonly Given[]): readonly Unheard[] {
  return given.flatMap(({ segment, resource }) =>
    valued(segment, rulesOf(segment.name, resource)).map(({ from }) => ({ segment, place: from })),
  )
}

/**
 * The field of several segments that gave an element: the one whose path has most of it; undefined where no rule tells.
 *
 * @param expression  `MedicationRequest.dosageInstruction[0].timing.repeat`
 */
export function fieldOf(segments: readonly Segment[], resource: string, expression: string): Unheard | undefined {
  const steps = plain(expression).split('.').slice(1)
  let best: Unheard | undefined
  let most = 0
  for (const segment of segments)
    for (const { from, to } of valued(segment, rulesOf(segment.name, resource))) {
      const path = plain(to).split('.')
      const alike = steps.findIndex((step, at) => step !== path[at])
      const common = alike < 0 ? steps.length : alike
      if (common <= most) continue
      most = common
      best = { segment, place: from }
    }
  return best
}

/** `requester.reference`: the parts in which one differs from the other, or which it lacks. */
function differing(made: unknown, said: unknown, path: string): readonly string[] {
  if (!isObject(made) || !isObject(said)) return [path]
  const names = Object.keys(said).filter(one => !covers(made[one], said[one]))
  return names.length === 0 ? [path] : names.flatMap(name => differing(made[name], said[name], `${path}.${name}`))
}

function isObject(value: unknown): value is Elements {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The valued fields that give an element: by the whole path where a rule has it, else by its first step. */
function fieldsOf(segment: Segment, resource: string, path: string): readonly string[] {
  const rules = valued(segment, rulesOf(segment.name, resource))
  const of = rules.filter(({ to }) => begins(plain(to), path) || begins(path, plain(to)))
  const [head = ''] = path.split('.')
  const byHead = rules.filter(({ to }) => begins(plain(to), head))
  // A data type that is the resource itself may give any element of it.
  const named = [of, byHead, rules.filter(({ to }) => to === '$this')].find(some => some.length > 0) ?? []
  return [...new Set(named.map(({ from }) => from))]
}

function valued(segment: Segment, rules: readonly FieldRule[]): readonly FieldRule[] {
  return rules.filter(({ from, to }) => to !== '$said' && !isEmpty(field(segment, parsePlace(from).number)))
}

/** A path without its indices and types of resources. */
function plain(to: string): string {
  return to.replace(/[[(][^\])]*[\])]/g, '')
}

function begins(path: string, start: string): boolean {
  return `${path}.`.startsWith(`${start}.`)
}
