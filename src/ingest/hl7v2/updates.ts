import { type Resource, type Shape, shapeOf, shapeOfElement } from '#fhir'
import { otherForms } from '../choices.ts'
import { withContained } from '../contained.ts'
import { overlaid } from '../overlay.ts'
import { covers } from '../standing.ts'
import { outdated, withFieldTimes } from './field-times.ts'
import { areAlike, isHeld, mergedLists } from './lists.ts'
import { withoutFields } from './resources/nulls.ts'
import { elementsOf, entriesOfOthers } from './resources/removals.ts'
import { newer } from './said-at.ts'

type Node = { readonly [element: string]: unknown }

/**
 * What stands after an update that leaves unsaid what it does not change; undefined when what is there was said later. That is how
 * a field without a value is meant (HL7 v2.5.1, 2.5.3), but where a group of segments is sent as a whole.
 *
 * @param places  the fields that it says: `OBR-35`
 */
export function laidOver(stored: Resource, anew: Resource, places: readonly string[]): Resource | undefined {
  const next = newer(stored, anew)
  if (next === undefined) return undefined
  const before = withoutOldValue(stored, next)
  const laid = { ...overlaid(before, next), ...besideSaid(before, next, places), ...mergedLists(before, next, true) }
  return withContained(laid, before, next)
}

/**
 * The lists of an update with the entries that fields have given of which it says nothing: by their marks, or because they are of
 * another kind than all that it says, a laboratory beside a doctor.
 */
function besideSaid(before: Resource, anew: Resource, places: readonly string[]): Node {
  const lists = Object.entries(anew).flatMap(([name, now]) => {
    const stood = before[name]
    if (!Array.isArray(now) || !Array.isArray(stood)) return []
    const others = new Set(entriesOfOthers(before, name, places))
    const isOther = (entry: unknown) => isNode(entry) && isHeld(entry) && !now.some(one => areAlike(one, entry))
    const kept = stood.filter(entry => others.has(entry) || isOther(entry))
    const missing = kept.filter(entry => !now.some(one => covers(one, entry)))
    return missing.length === 0 ? [] : [[name, [...missing, ...now]]]
  })
  return Object.fromEntries(lists)
}

/**
 * What stands after an update that came late: what it says of fields that were known from before it, and nothing else. Undefined when
 * there are none.
 *
 * @param places  the fields that it says: `ORC-12`
 * @param saidMs  when it was said, Unix milliseconds
 */
export function laidLate(
  stored: Resource,
  anew: Resource,
  { places, saidMs }: { readonly places: readonly string[]; readonly saidMs: number | undefined },
): Resource | undefined {
  const old = outdated(stored, saidMs, places)
  if (old.length === 0) return undefined
  const { resourceType } = stored
  const { id, meta, status, ...said } = withoutFields(
    anew,
    resourceType,
    places.filter(place => !old.includes(place)),
  )
  const names = new Set(old.flatMap(place => elementsOf(resourceType, place)))
  const told = Object.fromEntries(Object.entries(said).filter(([name]) => names.has(name)))
  const bare = withoutOldValue(withoutFields(stored, resourceType, old), told)
  const laid = { ...overlaid({ ...told, resourceType }, bare), ...mergedLists(bare, told, false) }
  return withFieldTimes(withContained(laid, stored, anew), { stood: stored, places: old, saidMs })
}

const valued = /^_?(value[A-Z]\w*|component|dataAbsentReason)$/
/** What is said of a value and not of what was measured. */
const ofValue = /^_?(interpretation|referenceRange)$/

/** A value that is said anew comes without the flags of the one before: "a correction … replaces" it (HL7 table 0085, C). */
function withoutOldValue(stored: Resource, anew: Node): Resource {
  if (!Object.keys(anew).some(name => valued.test(name))) return stored
  const kept = Object.entries(stored).filter(([name]) => !valued.test(name) && !ofValue.test(name))
  return Object.fromEntries(kept) as Resource
}

/** Elements of which something else tells what became of them. */
const apart = new Set(['id', 'meta', 'text', 'contained', 'status', 'clinicalStatus', 'verificationStatus', 'period'])

/**
 * The elements that a resource had and has no more, e.g. `reaction.severity`: all of it, or entries of a list. A value that another one
 * has taken the place of is not among them.
 */
export function fallenAway(before: Resource, after: Resource): readonly string[] {
  const shape = shapeOf(before.resourceType)
  const names = Object.keys(before).filter(name => !apart.has(name) && !name.startsWith('_'))
  return [...new Set(names.flatMap(name => fallenOf(name, before, after, shape)))]
}

function fallenOf(name: string, before: Node, after: Node, shape: Shape | undefined): readonly string[] {
  const [was, is] = [before[name], after[name]]
  if (is === undefined) return otherForms(shape, name).some(form => after[form] !== undefined) ? [] : [name]
  const [entries, left] = [listOf(was), listOf(is)]
  if (left.length < entries.length) return [name]
  const element = shape?.elements.get(name)
  const inside = element === undefined || shape === undefined ? undefined : shapeOfElement(shape, element)
  if (!isNested(element?.type)) return []
  // Entries change their places; what an entry says is there where another one says it.
  const changed = entries.filter(entry => !left.some(one => covers(one, entry)))
  const other = left.filter(one => !entries.some(entry => covers(one, entry)))
  return changed.flatMap((entry, at) => fallenWithin(entry, other[at], inside).map(below => `${name}.${below}`))
}

function fallenWithin(before: unknown, after: unknown, shape: Shape | undefined): readonly string[] {
  if (!isNode(before) || !isNode(after)) return []
  return Object.keys(before).flatMap(name => fallenOf(name, before, after, shape))
}

/** A data type is one value; the parts of an element are said one by one. */
function isNested(type: string | undefined): boolean {
  return type === 'BackboneElement' || type === 'Element'
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value]
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
}
