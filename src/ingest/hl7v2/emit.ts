import type { Resource } from '#fhir'
import { appendAll } from '#kernel'
import { withContained } from '../contained.ts'
import type { Foretold, Left, Namesakes } from '../outcome.ts'
import { notTaken } from '../standing.ts'
import { takeGiven } from './applied.ts'
import { stands, withFieldTimes } from './field-times.ts'
import { allOf, fieldOf, type Given, unheard } from './given.ts'
import { field, isNull, parsePlace, type Segment } from './message.ts'
import { isWithdrawn } from './resources/action.ts'
import { type Nulls, nullsOf, placesIn } from './resources/nulls.ts'
import { codedElements, elementsOf } from './resources/removals.ts'
import { newer, withSender, withStamps } from './said-at.ts'
import type { Elements, Scene } from './scene.ts'
import { processingMeta } from './senders.ts'
import { rulesOf } from './tables.ts'
import { locationOf, noteNulls, say, warn } from './telling.ts'
import { fallenAway, laidLate, laidOver } from './updates.ts'

/** How a resource comes to stand where none is, or one is. */
interface Meeting {
  /** What is written where none is. */
  readonly first?: (resource: Resource) => Resource
  readonly over?: (stored: Resource, anew: Resource) => Resource | undefined
  /** Says of what is wanted and was not said that it is unknown, and takes that back: it is laid over nothing. */
  readonly unsaid?: { told(resource: Resource): Resource; untold(resource: Resource): Resource }
  /** Whose key it is, where the sender only repeats it: the authority of a visit number. */
  readonly keptBy?: string
  /**
   * The segments of which it is made, where they say one by one what they change: what they leave unsaid stays, and their `""` deletes.
   * What is not named so is sent as a whole, and takes the place of what stands: the snapshot mode of HL7 v2.5.1, 2.10.4.
   */
  readonly updates?: readonly (Segment | undefined)[]
  /** Elements of which the message itself says that something is taken away. */
  readonly takesFrom?: readonly string[]
  /** The fields whose `""` `over` carries out. */
  readonly nulls?: readonly string[]
  /** All of it is taken back: what is beside that was known before. */
  readonly isDeletion?: boolean
  /** What it may be known by besides its key. */
  readonly namesakes?: Namesakes
  /** What may have been said of it before it came. */
  readonly foretold?: Foretold
}

/**
 * Puts a resource among the outcomes.
 *
 * @param segment  which it is made of first
 * @param key      what it is known by to the sender
 * @param meeting  where more is to be looked at than which was said later
 * @returns        `Type/id`; undefined when it could not be made valid: then nothing may refer to it
 */
export function emit(
  scene: Scene,
  segment: Segment,
  resourceType: string,
  key: readonly string[],
  elements: Elements,
  meeting: Meeting = {},
): string | undefined {
  const { context, saidAtMs: said } = scene
  const { first = same, keptBy = scene.sender, updates, unsaid = { told: same, untold: same } } = meeting
  const nulls = nullsOf(updates ?? [], resourceType)
  noteNulls(scene, updates ?? [], nulls)
  const laid = overOf(meeting, nulls, said)
  const over = (stored: Resource, anew: Resource) => {
    const next = laid(unsaid.untold(stored), unsaid.untold(anew))
    return next && unsaid.told(next)
  }
  const id = context.fingerprint('hl7v2', keptBy, resourceType, ...key)
  const meta = {
    source: context.source,
    ...processingMeta(scene.message).meta,
    ...(elements.meta as object | undefined),
  }
  const plain = { resourceType, id, ...elements, ...containedOf(scene, elements), meta }
  // Whoever another segment has said otherwise of is not in the resource, and is named: dom-3.
  const whole = { ...unsaid.told(first(stamped(scene, withContained(plain, plain)))), id }
  const given = takeGiven(scene, segment, resourceType, updates)
  const resource = validated(scene, segment, whole, given)
  appendAll(scene.unheard, resource === undefined ? allOf(given) : unheard(given, elements))
  if (resource === undefined) return undefined
  scene.made.add(segment)
  const rows = scene.said.has(segment) ? { rows: 0 } : {}
  const asked = [...nulls.places, ...(meeting.nulls ?? [])]
  const untaken = (standing: Resource) => [
    ...takenBackBefore(segment, standing, resource),
    ...untakenOf(segment, standing, elements),
    ...untakenNulls(updates ?? [segment], standing, asked),
  ]
  const isValid = context.validPart !== undefined
  const losing = { ...meeting, updates: updates ?? [segment], nulls: asked }
  const dropped = (before: Resource, standing: Resource) => droppedOf(losing, before, standing)
  const { namesakes, foretold } = meeting
  const sought = {
    ...(namesakes === undefined ? {} : { namesakes }),
    ...(foretold === undefined ? {} : { foretold }),
  }
  const ofSeveral = keptBy !== scene.sender || numbered.has(resourceType)
  const told = { over, untaken, dropped, isValid, ofSeveral, ...rows, ...sought }
  say(scene, segment, { kind: 'mapped', row: segment.name, resource, mode: 'upsert', ...told })
  return `${resourceType}/${id}`
}

/** Types of what may be known by the number of an order, an appointment or a document. */
const numbered: ReadonlySet<string> = new Set([
  'Appointment',
  'DocumentReference',
  'Immunization',
  'MedicationAdministration',
  'MedicationRequest',
  'ServiceRequest',
])

/** What says when it was said says by whom, too, where that is asked for. */
function stamped({ saidAtMs: said, sender }: Scene, resource: Resource): Resource {
  if (said === undefined) return resource
  const dated = withStamps(resource, { said })
  return numbered.has(resource.resourceType) ? withSender(dated, sender) : dated
}

function overOf(
  { over, updates, isDeletion }: Meeting,
  { remove }: Nulls,
  saidMs: number | undefined,
): NonNullable<Meeting['over']> {
  if (updates === undefined) return over ?? newer
  const places = placesIn(updates)
  return (stored, anew) => {
    const next = laidOver(stored, anew, places)
    if (next === undefined) return isDeletion === true ? undefined : laidLate(stored, anew, { places, saidMs })
    const whole = withFieldTimes(remove(next), { stood: stored, places, saidMs })
    return over === undefined ? whole : over(stored, whole)
  }
}

/** What was known and is not said any more, by the fields that would say it; what a `""` takes away was asked for. */
export function droppedOf(
  { updates = [], takesFrom = [], nulls = [] }: Pick<Meeting, 'updates' | 'takesFrom' | 'nulls'>,
  before: Resource,
  standing: Resource,
): readonly Left[] {
  const segments = updates.filter(segment => segment !== undefined)
  const asked = new Set(nulls.flatMap(place => elementsOf(before.resourceType, place)))
  return fallenAway(before, standing).flatMap(path => {
    if (asked.has(path)) return []
    const fields = segments.flatMap(segment => fieldsOf(segment, before.resourceType, path))
    const isNulled = fields.some(({ segment, place }) => isNull(field(segment, parsePlace(place).number)))
    const [first] = fields
    if (first === undefined || isNulled || takesFrom.includes(path)) return []
    const text = `${first.place}: ${before.resourceType}.${path} is not said any more, and was taken away.`
    return [{ text, location: locationOf(first.segment, first.place) }]
  })
}

/** The fields that give an element, though they do not now; the segment where none is known. */
function fieldsOf(segment: Segment, resourceType: string, path: string) {
  const isOf = ({ to }: { readonly to: string }) => `${to.replace(/[[(][^\])]*[\])]/g, '')}.`.startsWith(`${path}.`)
  const byRule = rulesOf(segment.name, resourceType).filter(isOf)
  const byCode = resourceType === 'Observation' ? Object.entries(codedElements) : []
  const coded = byCode.flatMap(([place, elements]) => (elements.includes(path) ? [place] : []))
  const places = [...byRule.map(({ from }) => from), ...coded, segment.name]
  return places.map(place => ({ segment, place }))
}

/** What a segment says that is not in what stands, by the fields that say it. */
export function untakenOf(segment: Segment, standing: Resource, said: Elements): readonly Left[] {
  const places = notTaken(standing, said).map(name => placeOf(segment, standing.resourceType, `.${name}`))
  return [...new Set(places)].map(place => ({
    text: `${place} says something else than what stands, which stays.`,
    location: locationOf(segment, place),
  }))
}

/** What was taken back since it was said stays taken back. */
function takenBackBefore(segment: Segment, standing: Resource, said: Resource): readonly Left[] {
  if (!isWithdrawn(standing) || isWithdrawn(said)) return []
  const text = `${segment.name}: what it says was taken back since, and stays so.`
  return [{ text, location: locationOf(segment, segment.name) }]
}

/** The `""` that came too late: what stands was said since. */
export function untakenNulls(
  segments: readonly (Segment | undefined)[],
  standing: Resource,
  places: readonly string[],
): readonly Left[] {
  return places.flatMap(place => {
    const segment = segments.find(one => one?.name === parsePlace(place).segment)
    if (segment === undefined || !stands(standing, place)) return []
    return [
      { text: `${place} (null) deletes nothing: what stands was said since.`, location: locationOf(segment, place) },
    ]
  })
}

type Known = Resource & { id: string }

/** One bad value costs itself; a resource that is nothing without it costs its segment. */
function validated(scene: Scene, segment: Segment, whole: Known, given: readonly Given[]): Known | undefined {
  const { resource, left } = scene.context.validPart?.(whole) ?? { resource: whole, left: [] }
  const beside = [segment, ...given.map(one => one.segment)]
  const places = left.map(expression => ({
    place: placeOf(segment, whole.resourceType, expression),
    segment,
    ...(isValue(segment, expression) ? {} : fieldOf(beside, whole.resourceType, expression)),
  }))
  if (resource !== undefined) {
    const warned = new Map(places.map(one => [`${one.place} ${one.segment.nth}`, one]))
    for (const one of warned.values()) warn(scene, one.segment, one.place)
    return { ...resource, id: whole.id }
  }
  const [first = { place: segment.name, segment }] = places
  const expression = first.segment === segment ? first.place : segment.name
  say(scene, segment, {
    kind: 'rejected',
    row: segment.name,
    reason: 'not-valid',
    expression,
    location: locationOf(segment, expression),
  })
  return undefined
}

/** Whether it is the value of an OBX, which no rule gives. */
function isValue({ name }: Pick<Segment, 'name'>, expression: string): boolean {
  return name === 'OBX' && /^\w*\.value/.test(expression)
}

/** The field that gave an element: `Observation.valueString` → `OBX-5`; the segment where no rule tells. */
function placeOf({ name, fields }: Segment, resourceType: string, expression: string): string {
  const [, element = ''] = expression.split(/[.[]/)
  if (isValue({ name }, expression)) return 'OBX-5'
  const rules = rulesOf(name, resourceType).filter(({ to }) => to.split(/[.[]/)[0] === element)
  return rules.find(({ from }) => fields[parsePlace(from).number] !== undefined)?.from ?? name
}

/** A relative who is contained is the patient's. */
function containedOf({ context }: Scene, { contained }: Elements): Elements {
  if (!Array.isArray(contained)) return {}
  const isRelative = (one: Elements) => one.resourceType === 'RelatedPerson'
  return { contained: contained.map(one => (isRelative(one) ? { ...one, patient: context.subject } : one)) }
}

function same(resource: Resource): Resource {
  return resource
}
