import type { Resource } from '#fhir'
import type { Namesakes } from '../../outcome.ts'
import { applied } from '../applied.ts'
import { combined } from '../drafts.ts'
import { emit } from '../emit.ts'
import { field, part, type Segment, value } from '../message.ts'
import type { Elements, Mapper, Scene } from '../scene.ts'
import { type Group, groupsOf, segmentOf } from '../structure.ts'
import { lookUp } from '../tables.ts'
import { join, tell } from '../telling.ts'
import { later } from '../times.ts'
import { notesOf, noteText } from './notes.ts'
import { ofNumber } from './numbered.ts'
import { timingsOf } from './request.ts'

/** Segments of what an appointment needs, with their group, and where they say how much later it begins and for how long it is. */
const needs: Readonly<Record<string, Row>> = {
  APPOINTMENT_SERVICE: { segment: 'AIS', each: [], offset: 5, duration: 7 },
  APPOINTMENT_THING: { segment: 'AIG', each: [3], offset: 9, duration: 11 },
  APPOINTMENT_PLACE: { segment: 'AIL', each: [3], offset: 7, duration: 9 },
  APPOINTMENT_PERSON: { segment: 'AIP', each: [3], offset: 7, duration: 9 },
}

/** The fields of SCH each of whose repetitions is one who takes part. */
const contacts = [12, 16, 20]

interface Row {
  readonly segment: string
  /** The field each of whose repetitions comes by itself. */
  readonly each: readonly number[]
  readonly offset: number
  readonly duration: number
}

/**
 * SCH and TQ1, AIS, AIG, AIL, AIP, with the patient → Appointment
 *
 * @see https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-sch-to-appointment.html
 */
export const mapAppointment: Mapper = (scene, group) => {
  const sch = segmentOf(group, 'SCH')
  if (sch === undefined) return
  const timed = timingsOf(scene, group, sch).map(tq1 => applied(scene, tq1, 'Appointment'))
  const needed = neededBy(scene, sch)
  const noted = [notedIn(scene, group, sch), ...needed.map(({ note }) => note)]
  const comment = noted
    .map(({ text }) => text)
    .filter(text => text !== '')
    .join('\n')
  const { start, end, status, participant, ...elements } = combined(
    applied(scene, sch, 'Appointment', [], contacts),
    ...timed,
    ...needed.map(one => one.elements),
    ...noted.map(one => one.elements),
  ) as Said
  const times = timesOf(scene, sch, { start, end, minutes: kept(scene, minutesOf(sch, 9)) ?? longest(scene, needed) })
  const standing = status ?? scene.row.appointment ?? 'booked'
  const others = [
    ...(participant ?? []),
    ...needed.flatMap(one => one.participants).map(one => attending(scene, one, start)),
  ]
  const isTimed = 'start' in times
  if (!isTimed && timeless[standing] === undefined)
    tell(scene, sch, 'SCH-11', 'SCH-11: an appointment without a time is proposed until it has one.')
  const said = {
    // What stands has a time perhaps, and then the status that is said.
    status: isTimed ? standing : (timeless[standing] ?? 'proposed'),
    ...elements,
    ...reasonOf(scene, sch, standing),
    ...times,
    ...(comment === '' ? {} : { comment }),
    participant: [...patientsOf(scene).map(actor => ({ actor, status: 'accepted' })), ...others.map(accepted)],
  }
  const updates = [sch, ...needed.map(one => one.segment)]
  const isKept = (stored: Resource) => status === undefined && scene.row.keeps === true && isNone(stored)
  const over = (stored: Resource, whole: Resource) =>
    stored.start === undefined ? whole : { ...whole, status: isKept(stored) ? stored.status : standing }
  const namesakes = ofNumbers(sch)
  emit(scene, sch, 'Appointment', keyOf(scene, sch), said, { updates, over, namesakes })
}

/** What was cancelled is not booked again by what only changes it: HL7 v2.5.1, 10.4.3. */
function isNone({ status }: Resource): boolean {
  return ['cancelled', 'noshow', 'entered-in-error'].includes(String(status))
}

/** An appointment is known by its filler's number, and first perhaps by its placer's alone. Of a series each has a number of its own (SCH-3). */
function ofNumbers(sch: Segment): Namesakes {
  const text = 'SCH-1: several appointments have the number; none of them was changed.'
  const found = ofNumber({ isChange: true, parts: [], mayDiffer: 0, several: { text, location: `SCH^${sch.nth}^1` } })
  return {
    ...found,
    isLikely: (...given) => value(sch, 3) === '' && found.isLikely(...given),
  }
}

/** What an appointment without a time can be: https://hl7.org/fhir/R4/appointment.html#invs, app-3. */
const timeless: Readonly<Record<string, string>> = {
  proposed: 'proposed',
  waitlist: 'waitlist',
  cancelled: 'cancelled',
  noshow: 'cancelled',
  'entered-in-error': 'cancelled',
}

interface Said extends Elements {
  readonly start?: string
  readonly end?: string
  readonly status?: string
  readonly participant?: readonly Elements[]
}

/** Somebody or something that comes, with the minutes after the start and how many. */
interface Attending {
  readonly elements: Elements & { readonly period?: { readonly start?: string } }
  readonly offset: Minutes | undefined
  readonly minutes: Minutes | undefined
}

/** Notes in words, for clients of R4, and as what they are. */
interface Noted {
  readonly text: string
  readonly elements: Elements
}

interface Needed {
  readonly segment: Segment
  readonly elements: Elements
  readonly participants: readonly Attending[]
  readonly note: Noted
  readonly minutes: Minutes | undefined
}

/** What is needed, from wherever the sender put it; what is deleted (table 0206, D) is needed no more. */
function neededBy(scene: Scene, sch: Segment): readonly Needed[] {
  const sets = groupsOf(scene.patient, 'APPOINTMENT_RESOURCES')
  for (const set of sets) join(scene, segmentOf(set, 'RGS'), sch)
  return Object.entries(needs).flatMap(([name, row]) =>
    [scene.patient, ...sets].flatMap(from => groupsOf(from, name)).flatMap(one => needOf(scene, sch, one, row)),
  )
}

function needOf(scene: Scene, sch: Segment, group: Group, row: Row): readonly Needed[] {
  const segment = segmentOf(group, row.segment)
  if (segment === undefined) return []
  join(scene, segment, sch)
  if (/^[ADUX]$/.test(value(segment, 2))) scene.ledger.keep(segment, 2)
  const note = notedIn(scene, group, sch)
  const [offset, minutes] = [row.offset, row.duration].map(number => minutesOf(segment, number))
  const { participant = [], ...elements } = applied(scene, segment, 'Appointment', [], row.each) as Said
  if (value(segment, 2) === 'D') return []
  const participants = participant.map(one => ({ elements: one, offset, minutes }))
  return [{ segment, elements, note, minutes, participants }]
}

/** R4 has no notes of an appointment; R5 has: https://hl7.org/fhir/R5/appointment-definitions.html#Appointment.note */
const noteOfR5 = 'http://hl7.org/fhir/5.0/StructureDefinition/extension-Appointment.note'

/**
 * NTE behind SCH and what it needs: the words are Appointment.comment, and each note with its author, time and kind is an extension.
 *
 * @see https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-segment-nte-to-appointment.html
 */
function notedIn(scene: Scene, group: Group, sch: Segment): Noted {
  const text = noteText(scene, group, sch)
  const { note = [], ...others } = notesOf(scene, group, sch) as { note?: readonly Elements[] }
  const extension = note.map(valueAnnotation => ({ url: noteOfR5, valueAnnotation }))
  return { text, elements: extension.length === 0 ? others : { ...others, extension } }
}

/** When somebody comes and how long they stay, where it is said. */
function attending(scene: Scene, { elements, offset, minutes }: Attending, from: string | undefined): Elements {
  const said = elements.period?.start
  const start = said ?? (from === undefined || offset === undefined ? undefined : later(from, offset.count))
  if (start === undefined) return elements
  if (said === undefined) kept(scene, offset)
  const lasts = kept(scene, minutes)
  return { ...elements, period: { start, ...(lasts === undefined ? {} : { end: later(start, lasts) }) } }
}

/** Mother and child come together. */
function patientsOf({ context }: Scene): readonly { readonly reference: string }[] {
  return [context.subject, ...(context.beside ?? [])]
}

function accepted(participant: Elements): Elements {
  return participant.status === undefined && participant._status === undefined
    ? { ...participant, status: 'accepted' }
    : participant
}

/** For how long what is needed longest is needed, and who says so. */
function longest(scene: Scene, needed: readonly Needed[]): number | undefined {
  const all = needed.flatMap(({ minutes }) => minutes ?? [])
  if (all.length === 0) return undefined
  const most = Math.max(...all.map(({ count }) => count))
  for (const one of all) if (one.count === most) kept(scene, one)
  return most
}

/** Units of a duration as senders write them, in minutes: ISO+, UCUM and words. */
const unitMinutes: Readonly<Record<string, number>> = {
  s: 1 / 60,
  sec: 1 / 60,
  second: 1 / 60,
  seconds: 1 / 60,
  m: 1,
  min: 1,
  mins: 1,
  minute: 1,
  minutes: 1,
  h: 60,
  hr: 60,
  hrs: 60,
  hour: 60,
  hours: 60,
  d: 1440,
  day: 1440,
  days: 1440,
}

/** A span in minutes, and the field that says it. */
interface Minutes {
  readonly count: number
  readonly segment: Segment
  readonly number: number
}

/** A number and the unit in the field behind it as whole minutes; a number without a unit is minutes: HL7 v2.5.1, 10.6.1.10. */
function minutesOf(segment: Segment, number: number): Minutes | undefined {
  const unit = number + 1
  const amount = Number(value(segment, number))
  const name = (value(segment, unit) || value(segment, unit, 2)).toLowerCase()
  const each = name === '' ? 1 : lookUp(unitMinutes, name)
  if (each === undefined || value(segment, number) === '' || !(amount > 0) || amount * each < 1) return undefined
  return { count: Math.round(amount * each), segment, number }
}

/** The span, which goes somewhere: what does not is named. */
function kept({ ledger }: Scene, minutes: Minutes | undefined): number | undefined {
  if (minutes === undefined) return undefined
  ledger.keep(minutes.segment, minutes.number, minutes.number + 1)
  return minutes.count
}

/**
 * Start and end stand together, or neither does, and what is booked has both: https://hl7.org/fhir/R4/appointment.html#invs, app-2 and
 * app-3. Where nobody says for how long, it ends when it begins, and the sender is told.
 */
function timesOf(
  scene: Scene,
  sch: Segment,
  { start, end, minutes }: { start: string | undefined; end: string | undefined; minutes: number | undefined },
): Elements {
  const lasts = minutes === undefined ? {} : { minutesDuration: minutes }
  if (start === undefined) return lasts
  const until = end ?? (minutes === undefined ? undefined : later(start, minutes))
  if (until === undefined)
    tell(scene, sch, 'SCH-9', 'SCH-9: nothing says for how long the appointment is; its end is its start.')
  return { ...lasts, start, end: until ?? start }
}

/** SCH-6 says why something happened; R4 has a place for why an appointment is none any more. */
function reasonOf(scene: Scene, sch: Segment, status: string): Elements {
  if (status !== 'cancelled' && status !== 'noshow') return {}
  const { field: given, keep } = scene.ledger.look(sch, 6)
  const text = part(given[0], 2) || part(given[0], 1)
  if (text === '') return {}
  keep()
  return { cancelationReason: { text } }
}

/** The filler's number, else the placer's, and which of a series it is. */
function keyOf(scene: Scene, sch: Segment): readonly string[] {
  const [placer, filler] = [1, 2].map(number => {
    const [first] = field(sch, number)
    return part(first, 1) === '' ? '' : [1, 2, 3].map(component => part(first, component)).join('|')
  })
  return [filler || placer || value(scene.message.msh, 10), value(sch, 3)]
}
