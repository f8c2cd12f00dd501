import { applyRules } from './apply-rules.ts'
import type { Given } from './given.ts'
import type { Segment } from './message.ts'
import type { Elements, Scene } from './scene.ts'
import { rulesOf } from './tables.ts'
import { tellUncoded, warn } from './telling.ts'

/**
 * The elements that a segment's rules give. What could not be read is named to the sender.
 *
 * @param beside  segments that the rules' conditions name too
 */
export function applied(
  scene: Scene,
  segment: Segment | undefined,
  resource: string,
  beside: readonly (Segment | undefined)[] = [],
): Elements {
  if (segment === undefined) return {}
  const others = beside.filter(other => other !== undefined)
  const { elements, lost, uncoded } = applyRules(rulesOf(segment.name, resource), segment, { ...scene, beside: others })
  for (const place of lost) warn(scene, segment, place)
  for (const place of uncoded) tellUncoded(scene, segment, place)
  scene.given.push({ segment, resource, elements })
  return elements
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
