import type { Resource } from '#fhir'
import { appendAll } from '#kernel'
import { hasOwnNotes } from '#record'
import type { Outcome } from '../../outcome.ts'
import { merge } from '../../patient-merge.ts'
import { saysTheSame } from '../../same.ts'
import { applied } from '../applied.ts'
import { applyRules } from '../apply-rules.ts'
import { combined } from '../drafts.ts'
import { droppedOf, untakenNulls, untakenOf } from '../emit.ts'
import { outdated, stands, withFieldTimes } from '../field-times.ts'
import { Ledger } from '../ledger.ts'
import { mergedLists } from '../lists.ts'
import { field, isEmpty, isNull, type Message, type Segment, value } from '../message.ts'
import { isLate, withStamps } from '../said-at.ts'
import type { Elements, Scene } from '../scene.ts'
import { withAuthority } from '../sender.ts'
import { type Group, groupsOf, segmentOf } from '../structure.ts'
import { rulesOf } from '../tables.ts'
import { takenBackSince, withTakenBack } from '../taken-back.ts'
import { join, noteNulls, say, tellUncoded, warn } from '../telling.ts'
import { type Nulls, nullRepetitions, nullsOf, placesIn, withoutFields } from './nulls.ts'
import { ownElements, ownOf } from './own-segments.ts'
import { familyDoctors } from './participants.ts'
import { isOrganization } from './related-person.ts'

/**
 * PID and PD1 → Patient. An update (A08, A31) replaces what it names and deletes what it says is null; any other message
 * fills what is absent. Identifiers are added in either case, never lost.
 */
export function mapPatient(scene: Scene, group: Group): void {
  const whole = wholePatient(scene, group)
  const [pid] = group.segments
  if (pid === undefined) return
  const pd1 = segmentOf(group, 'PD1')
  const segments = saying(group)
  const nulls = nullsOf(segments, 'Patient')
  noteNulls(scene, segments, scene.row.patient === 'replace' ? nulls : { places: [], ignored: nullPlaces(...segments) })
  join(scene, pd1, pid)
  if (isForbidden(scene)) say(scene, pid, { kind: 'rejected', row: 'PID', reason: 'not-permitted' })
  else {
    const places = placesIn(segments)
    const told = { untaken: untakenBy(scene, pid, whole, nulls), ...droppedBy(scene, segments, nulls) }
    say(scene, pid, { ...amendment(scene, whole, nulls, places), ...told })
  }
  if (scene.row.merges === true) joinMerged(scene, segmentOf(group, 'MRG'), pid)
}

/** The segments whose fields say what is known of the Patient, and whose `""` take away. */
function saying(group: Group): readonly (Segment | undefined)[] {
  return [...['PID', 'PD1'].map(name => segmentOf(group, name)), ...ownOf(group, 'Patient')]
}

/**
 * All that a group says of its Patient: PID and PD1, the family doctors behind them, the organizations among the next of kin, and the
 * sender's own segments.
 */
export function wholePatient(scene: Scene, group: Group): Elements {
  const { elements, lost, uncoded } = patientElements(group, scene, scene.ledger)
  for (const { segment, place } of lost) warn(scene, segment, place)
  for (const { segment, place } of uncoded) tellUncoded(scene, segment, place)
  const [pid] = group.segments
  if (pid === undefined) return combined(elements, organizations(scene, group))
  const doctors = familyDoctors(scene, group, pid)
  return combined(elements, doctors, organizations(scene, group), ownElements(scene, group, pid, 'Patient'))
}

/** Only an update deletes: an admission must not take from what the person has written. */
function nullPlaces(...segments: readonly (Segment | undefined)[]): readonly string[] {
  return segments.flatMap(segment =>
    (segment?.fields ?? []).flatMap((given, number) => {
      const place = `${segment?.name}-${number}`
      return given === undefined ? [] : isNull(given) ? [place] : nullRepetitions(place, given)
    }),
  )
}

/** Who is given up was merged before the rest of the message is read. */
function joinMerged(scene: Scene, mrg: Segment | undefined, pid: Segment): void {
  if (mrg === undefined) return
  scene.ledger.keep(mrg, 1, 4, 7)
  join(scene, mrg, pid)
}

/** NK1 that is an employer, an agency, an insurer, or a person of one → Patient.contact; the person is a RelatedPerson besides. */
function organizations(scene: Scene, patient: Group): Elements {
  const segments = groupsOf(patient, 'NEXT_OF_KIN').flatMap(({ segments: [nk1] }) => nk1 ?? [])
  const [pid] = patient.segments
  if (pid !== undefined) for (const nk1 of segments.filter(isOrganization)) join(scene, nk1, pid)
  const contacts = segments.filter(nk1 => !isEmpty(field(nk1, 13)))
  return combined(...contacts.map(nk1 => applied(scene, nk1, 'Patient')))
}

interface Lost {
  readonly segment: Segment
  readonly place: string
}

/**
 * What PID and PD1 of a group say about its patient, and which fields could not be read. A bare number is the sender's.
 *
 * @param zone  offset for times that carry none
 */
export function patientElements(
  group: Group,
  { message, zone }: { readonly message: Message; readonly zone: string },
  ledger = new Ledger(),
): { elements: Elements; lost: readonly Lost[]; uncoded: readonly Lost[] } {
  let elements: Record<string, unknown> = {}
  const lost: Lost[] = []
  const uncoded: Lost[] = []
  for (const name of ['PID', 'PD1']) {
    const segment = segmentOf(group, name)
    if (segment === undefined) continue
    const given = applyRules(rulesOf(name, 'Patient'), segment, { zone, ledger })
    elements = combined(elements, given.elements)
    appendAll(
      lost,
      given.lost.map(place => ({ segment, place })),
    )
    appendAll(
      uncoded,
      given.uncoded.map(place => ({ segment, place })),
    )
  }
  // A date of death says that the patient has died; both elements are one choice.
  if (elements.deceasedDateTime !== undefined) delete elements.deceasedBoolean
  const pid = segmentOf(group, 'PID')
  for (const { flag, from, exact, place } of flagged)
    if (value(pid, from) === 'Y' && elements[exact] === undefined && lost.some(one => one.place === place))
      elements[flag] = true
  return { elements: withAuthority(elements, pid, message), lost, uncoded }
}

/** Two forms of a choice, of which one says yes or no, and the other more exactly when, or as which: with the fields they come from. */
const flagged = [
  { flag: 'deceasedBoolean', from: 30, exact: 'deceasedDateTime', place: 'PID-29' },
  { flag: 'multipleBirthBoolean', from: 24, exact: 'multipleBirthInteger', place: 'PID-25' },
] as const

/** An empty field changes nothing: that somebody has died takes the known date away from nobody. */
function withoutLessExact(told: Elements, before: Resource): Elements {
  const less = flagged.filter(({ flag, exact }) => told[flag] === true && before[exact] !== undefined)
  return Object.fromEntries(Object.entries(told).filter(([name]) => !less.some(({ flag }) => flag === name)))
}

/** What differs is told to who may read it; to others only that there may be something. */
function untakenBy(
  { context, row, patient }: Scene,
  pid: Segment,
  said: Elements,
  nulls: Nulls,
): Required<Amendment>['untaken'] {
  if (context.mayReadPatient !== false) {
    const segments = saying(patient)
    const places = row.patient === 'replace' ? nulls.places : []
    return standing => [...untakenOf(pid, standing, said), ...untakenNulls(segments, standing, places)]
  }
  const text = 'PID fills what the record lacks; what it says otherwise is not taken.'
  return () => (row.patient === 'fill' ? [{ text, location: `PID^${pid.nth}` }] : [])
}

/** Only an update takes anything away. */
function droppedBy(
  { context, row }: Scene,
  updates: readonly (Segment | undefined)[],
  { places }: Nulls,
): Pick<Amendment, 'dropped'> {
  if (context.mayReadPatient === false || row.patient !== 'replace') return {}
  return { dropped: (before, standing) => droppedOf({ updates, nulls: places }, before, standing) }
}

type Amendment = Extract<Outcome, { kind: 'amend' }>

/** A result only fills, and a lab that may not change a Patient is still heard for the rest. */
function isForbidden({ row, context }: Scene): boolean {
  return row.moves === 'mention' && context.mayChangePatient === false
}

/** Of whom no import has noted anything, they are as somebody has written them, and what is older than that comes late. */
function writtenByHandMs(patient: Resource): number | undefined {
  const { lastUpdated } = patient.meta ?? {}
  return lastUpdated === undefined || hasOwnNotes(patient) ? undefined : Date.parse(lastUpdated)
}

function amendment(scene: Scene, elements: Elements, nulls: Nulls, places: readonly string[]): Amendment {
  const { row, context, saidAtMs } = scene
  const said: Resource = withStamps({ resourceType: 'Patient' }, { said: saidAtMs })
  const isUpdate = row.patient === 'replace'
  return {
    kind: 'amend',
    row: 'PID',
    type: 'Patient',
    id: context.patient,
    change: current => {
      // What comes late only fills what is absent, or was known from before it: time is not turned back.
      const byHandMs = writtenByHandMs(current)
      const isOld = byHandMs !== undefined && saidAtMs !== undefined && saidAtMs <= byHandMs
      const late = isOld || isLate(current, said)
      const replaces = isUpdate && !late
      const old = isUpdate ? outdated(current, saidAtMs, places) : []
      const before = replaces ? nulls.remove(current) : withoutFields(current, 'Patient', old)
      const told = withoutLessExact(withoutFields(elements, 'Patient', takenBackSince(current, said)), before)
      const { identifier, ...lists } = mergedLists(before, told, replaces)
      const rest = Object.fromEntries(Object.entries(told).filter(([name]) => !Object.hasOwn(lists, name)))
      const laid = { ...before, ...lists }
      const what = isUpdate ? nulls.places : []
      const next = withTakenBack(merge(laid, rest, replaces, []) ?? laid, { stood: current, what, atMs: saidAtMs })
      if (saysTheSame(next, current) && !replaces) return undefined
      const stamp = late ? byHandMs : saidAtMs
      const stamped = stamp === undefined ? next : withStamps(next, { said: stamp })
      const now = replaces ? places : places.filter(place => old.includes(place) || !stands(current, place))
      return withFieldTimes(stamped, { stood: current, places: now, saidMs: saidAtMs })
    },
  }
}
