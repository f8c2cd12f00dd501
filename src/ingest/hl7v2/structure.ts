import { Problem } from '#kernel'
import { lazyTable, perEdition } from '../tables.ts'
import type { Steps } from '../turns.ts'
import type { Message, Segment } from './message.ts'
import { lookUp } from './tables.ts'

/** Segments that stand together, and the groups among them: a patient, a visit, an order, one observation. */
export interface Group {
  readonly name: string
  /** Its own segments as they came, the one that began it first. */
  readonly segments: readonly Segment[]
  readonly groups: readonly Group[]
}

/** A message by its structure. */
export interface Structured {
  /** What stands before the first patient and speaks of the message: MSH, EVN, SFT. */
  readonly header: readonly Segment[]
  /** One group `PATIENT` for each PID. */
  readonly patients: readonly Group[]
}

interface GroupRow {
  readonly starts: readonly string[]
  readonly holds: readonly string[]
  readonly groups?: readonly string[]
  /** The segments that begin it stand in any order, one behind the other. */
  readonly anyOrder?: true
}

interface Structures {
  readonly header: readonly string[]
  readonly setIds: readonly string[]
  readonly groups: Readonly<Record<string, GroupRow>>
  readonly structures: Readonly<
    Record<
      string,
      { readonly repeats: boolean; readonly shared?: readonly string[]; readonly patient: readonly string[] }
    >
  >
}

/** `mappings/hl7v2/structures.json` */
const structures = lazyTable<Structures>('hl7v2/structures.json')

/** Whether the segment's first field only numbers it within its message. */
export function isNumbered(segment: string): boolean {
  return structures().setIds.includes(segment)
}

/** Whether any message that is read may have a segment of this name. */
export function isKnownSegment(name: string): boolean {
  return knownSegments().has(name)
}

const knownSegments = perEdition(() => {
  const { header, groups } = structures()
  return new Set([...header, ...Object.values(groups).flatMap(({ starts, holds }) => [...starts, ...holds])])
})

/** The first segment of a name in a group itself. */
export function segmentOf(group: Group | undefined, name: string): Segment | undefined {
  return group?.segments.find(segment => segment.name === name)
}

/** All segments of a name in a group itself. */
export function segmentsOf(group: Group, name: string): readonly Segment[] {
  return group.segments.filter(segment => segment.name === name)
}

/** The groups of those that are complete, sorted once: a patient's visit is asked for at each of ten thousand results. */
const sorted = new WeakMap<Group, ReadonlyMap<string, readonly Group[]>>()
const none: readonly Group[] = []

/** The groups of a name that stand directly in a group. */
export function groupsOf(group: Group, name: string): readonly Group[] {
  let byName = sorted.get(group)
  if (byName === undefined) {
    byName = Map.groupBy(group.groups, child => child.name)
    sorted.set(group, byName)
  }
  return byName.get(name) ?? none
}

/** Every segment below a group, its own first. */
export function allSegments(group: Group): readonly Segment[] {
  return [...group.segments, ...group.groups.flatMap(allSegments)]
}

/** Segments that are put into their groups in one go. */
const segmentsAtATime = 128

/**
 * A message as groups, in the way its structure says. Senders leave segments out, repeat them, put them elsewhere and add
 * their own: what has no place goes to the nearest group of the same patient that has one for it, or to the patient, but
 * never to another patient.
 *
 * @param structure  MSH-9.3 as the standard has it for the event, `ADT_A01`
 * @throws Problem `unprocessable` · `ingest.hl7-segment-missing` without PID; `ingest.hl7-segment-misplaced` for a second
 *   PID where the structure has one, and for what stands before the first of several
 */
export function* structured(message: Message, structure: string): Steps<Structured> {
  const { repeats = false, shared = [], patient = [] } = lookUp(structures().structures, structure) ?? {}
  const header: Segment[] = []
  const early: Segment[] = []
  const patients: OpenGroup[] = []
  let path: OpenGroup[] = []
  for (const [at, segment] of message.segments.entries()) {
    if (at % segmentsAtATime === segmentsAtATime - 1) yield
    const [current] = path
    if (segment.name === 'PID') {
      if (!repeats && current !== undefined) throw misplaced(segment)
      path = [openGroup('PATIENT', segment, new Map(), patient)]
      patients.push(...path)
    } else if (isOfHeader(segment, current, early)) header.push(segment)
    else if (current === undefined) early.push(segment)
    else path = placed(segment, homeOf(segment, path, { patients, shared }))
  }
  yield* placeEarly(early, patients, shared)
  return { header, patients }
}

const messageWide = new Set(['MSH', 'SFT', 'UAC', 'EVN', 'DSC'])

/** A note is of the message as long as nothing else has come: behind SCH it is the appointment's. */
function isOfHeader({ name }: Segment, patient: OpenGroup | undefined, early: readonly Segment[]): boolean {
  if (messageWide.has(name)) return true
  return patient === undefined && early.length === 0 && structures().header.includes(name)
}

/** What all patients share stands with the first of them. */
function homeOf(
  { name }: Segment,
  path: readonly OpenGroup[],
  { patients, shared }: { readonly patients: readonly OpenGroup[]; readonly shared: readonly string[] },
): readonly OpenGroup[] {
  const [first] = patients
  return first !== undefined && path[0] !== first && shared.includes(name) ? [first] : path
}

/** What may stand behind what is shared, before the first patient. */
const followers = new Set(['NTE', 'TQ1', 'TQ2'])

/** What stands before the only patient is the patient's; before the first of several it is nobody's to tell, but for what they share. */
function* placeEarly(
  early: readonly Segment[],
  patients: readonly OpenGroup[],
  shared: readonly string[],
): Steps<void> {
  const [patient] = patients
  if (patient === undefined)
    throw new Problem('unprocessable', 'ingest.hl7-segment-missing', 'The message has no PID segment.', {
      expression: 'PID',
    })
  const isShared = ({ name }: Segment, at: number) => shared.includes(name) || (at > 0 && followers.has(name))
  const stranger = early.find((segment, at) => !isShared(segment, at))
  if (stranger !== undefined && patients.length > 1) throw misplaced(stranger)
  let path = [patient]
  for (const [at, segment] of early.entries()) {
    if (at % segmentsAtATime === segmentsAtATime - 1) yield
    path = placed(segment, path)
  }
}

function misplaced({ name, nth }: Segment): Problem {
  const text = 'A segment stands where it belongs to no one patient.'
  return new Problem('unprocessable', 'ingest.hl7-segment-misplaced', text, { expression: `${name}[${nth}]` })
}

/** A group that may still grow. */
interface OpenGroup extends Group {
  readonly segments: Segment[]
  readonly groups: OpenGroup[]
  /** Groups that may stand in it, in order. */
  readonly order: readonly string[]
  /** The latest group of each name directly in it, the latest of all last. */
  readonly latest: Map<string, OpenGroup>
  /** The same of all groups of its patient. */
  readonly ofPatient: Map<string, OpenGroup>
}

const bare: GroupRow = { starts: [], holds: [] }

function rowOf(name: string): GroupRow {
  return lookUp(structures().groups, name) ?? bare
}

function openGroup(
  name: string,
  segment: Segment,
  ofPatient: OpenGroup['ofPatient'],
  order = rowOf(name).groups ?? [],
): OpenGroup {
  const group = { name, segments: [segment], groups: [], order, latest: new Map(), ofPatient }
  putLast(ofPatient, group)
  return group
}

function putLast(latest: OpenGroup['latest'], group: OpenGroup): void {
  latest.delete(group.name)
  latest.set(group.name, group)
}

/** Opens a group within another one. */
function openWithin(parent: OpenGroup, name: string, segment: Segment): OpenGroup {
  const opened = openGroup(name, segment, parent.ofPatient)
  parent.groups.push(opened)
  putLast(parent.latest, opened)
  return opened
}

/** Puts a segment into the innermost open group that has a place for it; gives the groups that are open then. */
function placed(segment: Segment, path: readonly OpenGroup[]): OpenGroup[] {
  for (let depth = path.length; depth > 0; depth--) {
    const open = path.slice(0, depth)
    const found = placedIn(open.at(-1) as OpenGroup, segment)
    if (found !== undefined) return [...open, ...found]
  }
  return placedElsewhere(segment, path)
}

/** Puts a segment into a group, or opens one in it; gives the groups below it that are open then. */
function placedIn(group: OpenGroup, segment: Segment): OpenGroup[] | undefined {
  if (joins(group, segment.name)) {
    group.segments.push(segment)
    return []
  }
  const child = group.order.find(name => rowOf(name).starts.includes(segment.name))
  if (child === undefined) return undefined
  // An OBX behind an order is the order's, whatever stands between them.
  for (const later of [...group.latest.values()].toReversed()) {
    const below = group.order.indexOf(later.name) > group.order.indexOf(child) ? placedIn(later, segment) : undefined
    if (below !== undefined) return [later, ...below]
  }
  return [openWithin(group, child, segment)]
}

/** Whether a group has room for a segment: one that it holds, or that begins it and has not come yet (OBR after ORC). */
function joins(group: OpenGroup, name: string): boolean {
  const { starts, holds, anyOrder = false } = rowOf(group.name)
  if (holds.includes(name)) return true
  if (anyOrder) return group.groups.length === 0 && starts.includes(name) && !isThere(group, name)
  const place = starts.indexOf(name)
  return place > 0 && group.segments.every(segment => starts.indexOf(segment.name) < place)
}

function isThere({ segments }: Group, name: string): boolean {
  return segments.some(segment => segment.name === name)
}

/** The latest group of the patient that has room, else a group of its own, else the patient itself. */
function placedElsewhere(segment: Segment, path: readonly OpenGroup[]): OpenGroup[] {
  const patient = path[0] as OpenGroup
  const home = [...patient.ofPatient.values()].findLast(group => rowOf(group.name).holds.includes(segment.name))
  if (home !== undefined) {
    home.segments.push(segment)
    return [...path]
  }
  const own = Object.keys(structures().groups).find(name => rowOf(name).starts.includes(segment.name))
  if (own === undefined) {
    patient.segments.push(segment)
    return [...path]
  }
  return [patient, openWithin(patient, own, segment)]
}
