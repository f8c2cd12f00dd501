import { applyRules } from './apply-rules.ts'
import { combined } from './drafts.ts'
import type { Given } from './given.ts'
import { field, isEmpty, type Segment } from './message.ts'
import type { Elements, Scene } from './scene.ts'
import { rulesOf } from './tables.ts'
import { tellUncoded, warn } from './telling.ts'

/**
 * The elements that a segment's rules give. What could not be read is named to the sender.
 *
 * @param beside  segments that the rules' conditions name too
 * @param each    fields each of whose repetitions is somebody of their own: the segment is read once for each
 */
export function applied(
  scene: Scene,
  segment: Segment | undefined,
  resource: string,
  beside: readonly (Segment | undefined)[] = [],
  each: readonly number[] = [],
): Elements {
  if (segment === undefined) return {}
  const others = beside.filter(other => other !== undefined)
  const rules = rulesOf(segment.name, resource)
  const parts = turnsOf(segment, each).map(turn => applyRules(rules, segment, { ...scene, beside: others, turn }))
  for (const place of new Set(parts.flatMap(({ lost }) => lost))) warn(scene, segment, place)
  for (const place of new Set(parts.flatMap(({ uncoded }) => uncoded))) tellUncoded(scene, segment, place)
  for (const { elements } of parts) scene.given.push({ segment, resource, elements })
  const [first] = parts
  return first !== undefined && parts.length === 1 ? first.elements : combined(...parts.map(({ elements }) => elements))
}

/** Which repetition of each field is read when; what is there once is of all of them. */
function turnsOf(segment: Segment, each: readonly number[]): readonly ReadonlyMap<number, number>[] {
  const repeating = each.filter(number => field(segment, number).length > 1)
  const isSaid = (number: number, at: number) => !isEmpty(field(segment, number).slice(at, at + 1))
  return Array.from(
    { length: Math.max(1, ...repeating.map(number => field(segment, number).length)) },
    (_, at) => new Map(repeating.map(number => [number, at])),
  ).filter((_, at) => repeating.length === 0 || repeating.some(number => isSaid(number, at)))
}

/** What a segment gave, in the form in which it goes into its resource. */
export function givenAs(scene: Scene, segment: Segment, resource: string, elements: Elements): Elements {
  const at = scene.given.findLastIndex(one => one.segment === segment && one.resource === resource)
  if (at >= 0) scene.given[at] = { segment, resource, elements }
  return elements
}

/** Whether a segment went into the resource of another, by itself or with one that did. */
function isJoined({ joined }: Scene, segment: Segment, into: Segment): boolean {
  for (let one: Segment | undefined = segment; one !== undefined; one = joined.get(one)) if (one === into) return true
  return false
}

/** Takes what segments gave for a resource that is made of them, and of what was joined to the first. */
export function takeGiven(
  scene: Scene,
  first: Segment,
  resourceType: string,
  beside: readonly (Segment | undefined)[] = [],
) {
  const isOf = ({ segment, resource }: Given) =>
    resource === resourceType && (beside.includes(segment) || isJoined(scene, segment, first))
  const taken = scene.given.filter(isOf)
  const left = scene.given.filter(one => !isOf(one))
  scene.given.splice(0, scene.given.length, ...left)
  return taken
}
