import type { Resource } from '#fhir'
import { appendAll } from '#kernel'
import type { Foretold, Left, MapContext, Namesakes, Outcome } from '../outcome.ts'
import { notTaken } from '../standing.ts'
import type { Steps } from '../turns.ts'
import { applyRules } from './apply-rules.ts'
import { stands, withFieldTimes } from './field-times.ts'
import { allOf, fieldOf, type Given, type Unheard, unheard } from './given.ts'
import { Ledger } from './ledger.ts'
import { field, isNull, type Message, parsePlace, part, type Repetition, type Segment, value } from './message.ts'
import { isWithdrawn } from './resources/action.ts'
import { type Nulls, nullsOf, placesIn } from './resources/nulls.ts'
import { codedElements } from './resources/removals.ts'
import { newer, saidAtMs, withSender, withStamps } from './said-at.ts'
import { processingMeta, type Sending } from './senders.ts'
import { type Group, groupsOf, segmentOf } from './structure.ts'
import { type MessageRow, rulesOf } from './tables.ts'
import { fallenAway, laidLate, laidOver } from './updates.ts'

export type Elements = Readonly<Record<string, unknown>>

/** What the segments of one patient's group are mapped with. */
export interface Scene {
  readonly message: Message
  readonly row: MessageRow
  /** The group of one PID: nothing of another patient is in reach. */
  readonly patient: Group
  readonly context: MapContext
  readonly zone: string
  /** When the sender said it, Unix milliseconds. */
  readonly saidAtMs: number | undefined
  /** The sending facility: its numbers are its own, whichever of its systems sends them. */
  readonly sender: string
  /** `Encounter/…` of this group's visit, once it is mapped. */
  readonly encounter: string | undefined
  readonly ledger: Ledger
  readonly outcomes: Outcome[]
  /** Segments that have an outcome of their own, with the place of the first among `outcomes`. */
  readonly said: Map<Segment, number>
  /** Segments that went into the resource of another segment. */
  readonly joined: Map<Segment, Segment>
  /** How often each key was met, to number what nothing else tells apart. */
  readonly met: Map<string, number>
  /** What became of each `""`, by its place as ERR-2 has it: a field may be one of several resources. */
  readonly nulls: Map<string, 'carried out' | Outcome>
  /** What rules gave for resources that are not made yet. */
  readonly given: Given[]
  /** Fields that were read, and are in no resource. */
  readonly unheard: Unheard[]
  /** Segments of which a resource was made. */
  readonly made: Set<Segment>
}

/** Makes what a group of segments says into outcomes; what may be long yields. */
export type Mapper = (scene: Scene, group: Group) => Steps<void> | void

/** A message that is read, and how. */
interface Sent {
  readonly message: Message
  readonly row: MessageRow
  readonly sending: Sending
}

/** A scene of one patient group, with nothing said yet. */
export function openScene({ message, row, sending }: Sent, patient: Group, context: MapContext): Scene {
  const { zone } = sending
  return {
    message,
    row,
    patient,
    context,
    zone,
    saidAtMs: saidAtMs(message, zone),
    sender: value(message.msh, 4) || value(message.msh, 3),
    encounter: undefined,
    ledger: new Ledger(),
    outcomes: [],
    said: new Map(),
    joined: new Map(),
    met: new Map(),
    nulls: new Map(),
    given: [],
    unheard: [],
    made: new Set(),
  }
}

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
function takeGiven(scene: Scene, first: Segment, resourceType: string, beside: readonly (Segment | undefined)[] = []) {
  const isOf = ({ segment, resource }: Given) =>
    resource === resourceType && (beside.includes(segment) || isJoined(scene, segment, first))
  const taken = scene.given.filter(isOf)
  const left = scene.given.filter(one => !isOf(one))
  scene.given.splice(0, scene.given.length, ...left)
  return taken
}

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

/** How a resource comes to stand where none is, or one is. */
interface Meeting {
  /** What is written where none is. */
  readonly first?: (resource: Resource) => Resource
  readonly over?: (stored: Resource, anew: Resource) => Resource | undefined
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
  const { first = same, keptBy = scene.sender, updates } = meeting
  const nulls = nullsOf(updates ?? [], resourceType)
  noteNulls(scene, updates ?? [], nulls)
  const over = overOf(meeting, nulls, said)
  const id = context.fingerprint('hl7v2', keptBy, resourceType, ...key)
  const meta = {
    source: context.source,
    ...processingMeta(scene.message).meta,
    ...(elements.meta as object | undefined),
  }
  const plain = { resourceType, id, ...elements, ...containedOf(scene, elements), meta }
  const whole = { ...first(stamped(scene, plain)), id }
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
  const losing = { ...meeting, updates: updates ?? [segment] }
  const dropped = (before: Resource, standing: Resource) => droppedOf(losing, before, standing)
  const { namesakes, foretold } = meeting
  const sought = {
    ...(namesakes === undefined ? {} : { namesakes }),
    ...(foretold === undefined ? {} : { foretold }),
  }
  const told = { over, untaken, dropped, isValid, ...rows, ...sought }
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
    const next = laidOver(stored, anew)
    if (next === undefined) return isDeletion === true ? undefined : laidLate(stored, anew, { places, saidMs })
    const whole = withFieldTimes(remove(next), { stood: stored, places, saidMs })
    return over === undefined ? whole : over(stored, whole)
  }
}

/** What was known and is not said any more, by the fields that would say it; what a `""` takes away was asked for. */
function droppedOf({ updates = [], takesFrom = [] }: Meeting, before: Resource, standing: Resource): readonly Left[] {
  const segments = updates.filter(segment => segment !== undefined)
  return fallenAway(before, standing).flatMap(path => {
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

/** The id under which a resource stands that its sender knows by `key`. */
export function idOf({ context, sender }: Scene, resourceType: string, key: readonly string[]): string {
  return context.fingerprint('hl7v2', sender, resourceType, ...key)
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

/** Numbers what has the same key as something before it in the message: 0, 1, 2. */
export function nth(scene: Scene, key: string): number {
  const number = scene.met.get(key) ?? 0
  scene.met.set(key, number + 1)
  return number
}

/** PV1-19, else PV1-50, with its authority: what an encounter is known by. */
export function visitNumber(scene: Scene): string | undefined {
  const visit = visitId(scene)
  return visit && `${part(visit, 1)}|${part(visit, 4)}|${part(visit, 4, 2)}`
}

/** Who gave the visit its number: a laboratory repeats that of the hospital, and means the same visit. */
export function visitAuthority(scene: Scene): string | undefined {
  const visit = visitId(scene)
  return [2, 1].map(subcomponent => part(visit, 4, subcomponent)).find(text => text !== '')
}

function visitId({ patient }: Scene): Repetition | undefined {
  const pv1 = segmentOf(groupsOf(patient, 'VISIT')[0], 'PV1')
  return [19, 50].flatMap(number => field(pv1, number)).find(cx => part(cx, 1) !== '')
}

/** `{ encounter: … }` for what happened in the group's visit. */
export function inEncounter({ encounter }: Scene): Elements {
  return encounter === undefined ? {} : { encounter: { reference: encounter } }
}

/**
 * All that was said of the segments, each counted once: those that joined another with that one, and what nothing was
 * made of as unmapped. The fields that nothing read are named.
 */
export function* closing(scene: Scene, segments: readonly Segment[]): Steps<readonly Outcome[]> {
  const ignored = [...scene.nulls.values()].filter(one => one !== 'carried out')
  const outcomes = [...scene.outcomes.map(one => dated(one, scene)), ...ignored]
  for (const segment of segments) {
    yield
    if (scene.said.has(segment) || countedWith(scene, segment, outcomes)) appendAll(outcomes, unread(scene, segment))
    else outcomes.push({ kind: 'unmapped', row: segment.name, location: `${segment.name}^${segment.nth}` })
  }
  return outcomes
}

/** What is written was said when the message was. */
function dated(outcome: Outcome, { saidAtMs: saidMs }: Scene): Outcome {
  return outcome.kind === 'mapped' || outcome.kind === 'amend' ? { ...outcome, saidMs } : outcome
}

/** Adds a segment to the rows of the outcome that it went into. */
function countedWith({ said, joined }: Scene, segment: Segment, outcomes: Outcome[]): boolean {
  const into = joined.get(segment)
  const place = into === undefined ? undefined : said.get(into)
  const outcome = place === undefined ? undefined : outcomes[place]
  if (place === undefined || (outcome?.kind !== 'mapped' && outcome?.kind !== 'amend')) return false
  outcomes[place] = { ...outcome, rows: (outcome.rows ?? 1) + 1 }
  return true
}

function unread(scene: Scene, segment: Segment): readonly Outcome[] {
  const lost = scene.unheard.filter(one => one.segment === segment).map(({ place }) => place)
  const read = isLeftOut(scene, segment) ? valuedBeside(scene, segment) : scene.ledger.unread(segment)
  const places = new Set([...read, ...lost])
  return [...places].map(place => ({ kind: 'unread', place, location: locationOf(segment, place) }))
}

/** Whether nothing was made of a segment: what its fields say is in no resource, whoever looked at them. */
function isLeftOut({ said, outcomes, made }: Scene, segment: Segment): boolean {
  return !made.has(segment) && outcomes[said.get(segment) ?? -1]?.kind === 'rejected'
}

/** All fields of a segment that have a value, but for the one for which it is left out. */
function valuedBeside({ said, outcomes }: Scene, segment: Segment): readonly string[] {
  const first = outcomes[said.get(segment) ?? -1]
  const why = first?.kind === 'rejected' ? first.expression : undefined
  return new Ledger().unread(segment).filter(place => place !== why)
}

/** `PID-5.14` → `PID^1^5^1^14`, `PID-5.1.3` → `PID^1^5^1^1^3` */
export function locationOf({ name, nth: at }: Segment, place: string): string {
  const [, number, repetition, component, below] =
    /-(\d+)(?:\[(\d+)\])?(?:\.(\d+))?(?:\.(\d+))?(?:\.\d+)*$/.exec(place) ?? []
  const inside = component === undefined ? [repetition] : [repetition ?? 1, component, below]
  return [name, at, number, ...inside].filter(part => part !== undefined).join('^')
}
