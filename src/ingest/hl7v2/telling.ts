import type { Outcome } from '../outcome.ts'
import { parsePlace, type Segment } from './message.ts'
import type { Nulls } from './resources/nulls.ts'
import type { Scene } from './scene.ts'

/** Says that a field could not be read. */
export function warn(scene: Scene, segment: Segment, place: string): void {
  const { number, component } = parsePlace(place)
  // A part that could not be read takes nothing from the parts that were.
  if (component === undefined && number > 0) scene.ledger.keep(segment, number)
  tell(scene, segment, place, `${place} could not be read and was left out.`)
}

/** Notes which `""` of segments one of their resources carries out, and which it has nothing for. */
export function noteNulls(
  { nulls }: Scene,
  segments: readonly (Segment | undefined)[],
  { places, ignored }: Pick<Nulls, 'places' | 'ignored'>,
): void {
  const located = (place: string) => {
    const segment = segments.find(one => one?.name === parsePlace(place).segment)
    return segment === undefined ? [] : [{ place, location: locationOf(segment, place) }]
  }
  for (const { location } of places.flatMap(located)) nulls.set(location, 'carried out')
  for (const { place, location } of ignored.flatMap(located))
    if (!nulls.has(location)) nulls.set(location, { kind: 'unread', place: `${place} (null)`, location })
}

/** Says that a code stands beside the element that has no word for it. */
export function tellUncoded(scene: Scene, segment: Segment, place: string): void {
  tell(scene, segment, place, `${place} has a code that R4 has no word for; it is kept beside.`)
}

/** Says something of a field, in words that quote nothing. */
export function tell(scene: Scene, segment: Segment, place: string, text: string): void {
  scene.outcomes.push({ kind: 'warning', text, location: locationOf(segment, place) })
}

/** Adds what became of a segment. */
export function say(scene: Scene, segment: Segment, outcome: Outcome): void {
  if (!scene.said.has(segment)) scene.said.set(segment, scene.outcomes.length)
  scene.outcomes.push(outcome)
}

/** Counts a segment that gives nothing because a part of it is missing: `DG1-3`. */
export function reject(scene: Scene, segment: Segment, expression: string): void {
  const location = locationOf(segment, expression)
  say(scene, segment, { kind: 'rejected', row: segment.name, reason: 'element-missing', expression, location })
}

/** Says that a segment went into the resource of another: it is counted with it. */
export function join(scene: Scene, segment: Segment | undefined, into: Segment): void {
  if (segment !== undefined && segment !== into) scene.joined.set(segment, into)
}

/** `PID-5.14` → `PID^1^5^1^14`, `PID-5.1.3` → `PID^1^5^1^1^3` */
export function locationOf({ name, nth: at }: Segment, place: string): string {
  const [, number, repetition, component, below] =
    /-(\d+)(?:\[(\d+)\])?(?:\.(\d+))?(?:\.(\d+))?(?:\.\d+)*$/.exec(place) ?? []
  const inside = component === undefined ? [repetition] : [repetition ?? 1, component, below]
  return [name, at, number, ...inside].filter(part => part !== undefined).join('^')
}
