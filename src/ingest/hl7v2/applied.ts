import { applyRules } from './apply-rules.ts'
import { combined, isReference, undoubled } from './drafts.ts'
import { Elements as ElementsByPath } from './element-paths.ts'
import type { Given } from './given.ts'
import { Ledger } from './ledger.ts'
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
  const told = new Set<string>()
  const others = beside.filter(other => other !== undefined)
  const parts = turnsOf(segment, each).map(turn => appliedInTurn(scene, segment, resource, turn, others, told))
  const [first = {}] = parts
  return parts.length > 1 ? combined(...parts) : first
}

/**
 * The elements that several segments give together, by the rules of each, one after the other: the one who orders of one segment and
 * the place of another are one. What the first of them says stands.
 */
export function appliedTogether(scene: Scene, segments: readonly (Segment | undefined)[], resource: string): Elements {
  const all = segments.filter(segment => segment !== undefined)
  const together = new ElementsByPath()
  const alone: (readonly [Segment, Elements])[] = []
  let whole: Elements = {}
  for (const segment of all) {
    const beside = all.filter(other => other !== segment)
    const rules = rulesOf(segment.name, resource)
    const { elements, lost, uncoded } = applyRules(rules, segment, { ...scene, beside }, together)
    for (const place of lost) warn(scene, segment, place)
    for (const place of uncoded) tellUncoded(scene, segment, place)
    alone.push([segment, applyRules(rules, segment, { ...scene, beside, ledger: new Ledger() }).elements])
    whole = undoubled(elements)
  }
  for (const [segment, elements] of alone) scene.given.push({ segment, resource, elements: joinedIn(whole, elements) })
  return whole
}

/** What a segment says by itself, but for those who are one with whom another segment means: what had no room there was not read. */
function joinedIn(whole: Elements, elements: Elements): Elements {
  const entries = Object.entries(elements)
  return Object.fromEntries(entries.map(([name, value]) => [name, isReference(value) ? whole[name] : value]))
}

/**
 * What a segment gives in one turn, as `applied`.
 *
 * @param told  places that were named in the turns before
 */
export function appliedInTurn(
  scene: Scene,
  segment: Segment,
  resource: string,
  turn: Turn,
  beside: readonly Segment[] = [],
  told = new Set<string>(),
): Elements {
  const { elements, lost, uncoded } = applyRules(rulesOf(segment.name, resource), segment, { ...scene, beside, turn })
  for (const place of lost) if (!told.has(place)) warn(scene, segment, place)
  for (const place of uncoded) if (!told.has(place)) tellUncoded(scene, segment, place)
  for (const place of [...lost, ...uncoded]) told.add(place)
  scene.given.push({ segment, resource, elements })
  return elements
}

/** The repetition of each field that is read in a turn. */
type Turn = ReadonlyMap<number, number>

/** Which repetition of each field is read when; what is there once is of all of them. */
export function turnsOf(segment: Segment, each: readonly number[]): readonly Turn[] {
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
