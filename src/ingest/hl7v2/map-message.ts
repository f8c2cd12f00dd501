import { Problem } from '#kernel'
import type { MapContext, Outcome } from '../outcome.ts'
import type { Steps } from '../turns.ts'
import { closing } from './closing.ts'
import { type Message, value } from './message.ts'
import { mapVisit } from './resources/encounter.ts'
import { mapNotes } from './resources/notes.ts'
import { mapPatient } from './resources/patient.ts'
import { mapEvent } from './resources/provenance.ts'
import { mapGroups } from './resources/table.ts'
import { openScene, type Scene } from './scene.ts'
import { nobody, type Senders, type Sending, sendingOf, zoneRemark } from './senders.ts'
import { allSegments, type Group, type Structured, structured } from './structure.ts'
import { isMessageType, type MessageRow, messageRow, refusalOf } from './tables.ts'
import { join } from './telling.ts'

/** Whether it only answers another message: nothing is made of it, and nobody answers an answer. */
export function isAcknowledgement({ msh }: Message): boolean {
  return value(msh, 9, 1) === 'ACK'
}

/** Types of queries: HL7 v2.5.1, chapter 5. */
const queries = new Set(['QBP', 'QRY', 'QSB', 'QVR', 'VXQ'])

/** @throws Problem `unsupported` · `ingest.hl7-type-unsupported`, `ingest.hl7-event-unsupported`, `ingest.hl7-query-unanswered` */
export function messageRowOf(message: Message): MessageRow {
  const type = value(message.msh, 9, 1)
  const row = messageRow(type, value(message.msh, 9, 2))
  if (row !== undefined) return row
  if (queries.has(type))
    throw new Problem(
      'unsupported',
      'ingest.hl7-query-unanswered',
      'Queries are not answered: what is kept is read by FHIR.',
      {
        expression: 'MSH-9.1',
      },
    )
  const why = refusalOf(type, value(message.msh, 9, 2)) ?? 'Messages of this event are not taken in.'
  if (isMessageType(type))
    throw new Problem('unsupported', 'ingest.hl7-event-unsupported', why, { expression: 'MSH-9.2' })
  throw new Problem('unsupported', 'ingest.hl7-type-unsupported', 'Messages of this type are not taken in.', {
    expression: 'MSH-9.1',
  })
}

/** A message of a kind that is taken in, by its groups. */
export interface Read extends Structured {
  readonly message: Message
  readonly row: MessageRow
  readonly sending: Sending
}

/**
 * Sorts a message's segments to its patients.
 *
 * @throws Problem `unsupported` · `ingest.hl7-type-unsupported`, `ingest.hl7-event-unsupported`, `ingest.hl7-query-unanswered`;
 *   `unprocessable` · `ingest.hl7-segment-missing`, `ingest.hl7-segment-misplaced`
 */
export function* readMessage(message: Message, senders: Senders = nobody): Steps<Read> {
  const row = messageRowOf(message)
  yield
  return { message, row, sending: sendingOf(message, senders), ...(yield* structured(message, row.structure)) }
}

/** What a message says about one of its patients, who is the patient of `context`. Yields between its groups. */
export function* mapPatientGroup(read: Read, group: Group, context: MapContext): Steps<readonly Outcome[]> {
  const { header, patients } = read
  const scene = openScene(read, group, context)
  mapPatient(scene, group)
  yield
  const encounter = mapVisit(scene)
  yield* mapGroups({ ...scene, encounter }, group)
  if (group !== patients[0]) return yield* closing(scene, allSegments(group))
  readHeader(scene, read)
  yield* mapNotes(scene, { name: 'HEADER', segments: header, groups: [] })
  return yield* closing(scene, [...header, ...allSegments(group)])
}

/** Fields of MSH and EVN that receiving reads: who sends what, when, in which version and character set. */
const headerFields: Readonly<Record<string, readonly number[]>> = {
  MSH: [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 18],
  EVN: [1, 2, 6],
  // Which question it answers, and how: nobody waits for it here.
  MSA: [1, 2],
  QAK: [1, 2],
}

/** Notes what receiving reads of the segments that are about the message; they count with the first patient's. */
function readHeader(scene: Scene, { header }: Read): void {
  const [pid] = scene.patient.segments
  for (const segment of header) {
    const fields = headerFields[segment.name]
    if (fields === undefined || pid === undefined) continue
    scene.ledger.keep(segment, ...fields)
    join(scene, segment, pid)
    if (segment.name === 'EVN') mapEvent(scene, segment)
  }
}

/**
 * What one message says, patient by patient.
 *
 * @param contextOf  the context of the patient whom a group is about
 */
export function* mapMessage(read: Read, contextOf: (group: Group) => MapContext): Steps<readonly Outcome[]> {
  const outcomes: (readonly Outcome[])[] = [remarks(read)]
  for (const group of read.patients) outcomes.push(yield* mapPatientGroup(read, group, contextOf(group)))
  return outcomes.flat()
}

/** What is to be said of the message as a whole: how its times were read, and which characters could not be kept. */
export function remarks({ message, sending }: Read): readonly Outcome[] {
  const zone = zoneRemark(message, sending)
  return [
    ...(zone === undefined ? [] : [{ kind: 'warning', text: zone } as const]),
    ...message.replaced.map(location => {
      const [segment, , number] = location.split('^')
      const text = `${segment}-${number} has a character that FHIR does not hold, or bytes that are none; they were replaced.`
      return { kind: 'warning', text, location } as const
    }),
  ]
}

/** The place (ERR-2) of the first value that could not be taken over; undefined when all were. */
export function firstFault(outcomes: readonly Outcome[]): string | undefined {
  for (const outcome of outcomes)
    if ((outcome.kind === 'warning' || outcome.kind === 'rejected') && outcome.location !== undefined)
      return outcome.location
  return undefined
}
