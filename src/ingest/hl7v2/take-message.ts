import { type Grant, homeInReach } from '#access'
import { isProblem, Problem } from '#kernel'
import { mergedInto } from '../identity/merging/lineage.ts'
import type { Held } from '../identity/review/held.ts'
import { forgetFingerprintKey } from '../keys.ts'
import { checkMayAdd } from '../may-add.ts'
import { type ContextDeps, openContext } from '../open-context.ts'
import type { Left, Outcome } from '../outcome.ts'
import { inTurns, type Turns } from '../turns.ts'
import { accepted, acknowledge, type Remark, remarkOf } from './acknowledge.ts'
import { commitMessage, type PatientPart } from './commit-message.ts'
import { firstFault, isAcknowledgement, mapPatientGroup, type Read, readMessage, remarks } from './map-message.ts'
import { type MergedByMessage, mergeByMessage } from './merge-patients.ts'
import type { Message } from './message.ts'
import { messageSource } from './message-source.ts'
import { personOf } from './person.ts'
import { receiptOf, receiptWrite } from './receipts.ts'
import { checkHeader, checkProcessing, findPatient, type Subject } from './receive.ts'
import type { Group } from './structure.ts'

/** What receiving needs: admissions wait for each other. */
export interface ReceiveDeps extends ContextDeps {
  readonly admissions: Turns
}

/** A message that is to be taken in, for whom, and what a person has said of whom its groups are about. */
export interface Taking {
  readonly grant: Grant
  /** SHA-256 of the file or body that it came in, hex: its Provenance names it. */
  readonly digest: string
  /** SHA-256 of the message itself. */
  readonly contentDigest: string
  readonly choices?: Held['choices']
  /** Whoever sent it speaks for the house, whoever has decided whom it is about. */
  readonly isVouched?: boolean
  /** Told whom it is about, of those who are here, before anything is taken in. */
  found?(patient: string): void
  /** What is to be said of its envelope. */
  readonly remarks?: readonly Remark[]
}

/** A group of the message and whom it is about. */
interface About {
  readonly group: Group
  readonly subject: Subject
}

/**
 * Takes in a message, in one transaction, and answers it. What was taken in before gets the answer that it got then.
 *
 * @returns the acknowledgement
 * @throws Problem what refuses the message
 */
export async function takeMessage(
  message: Message,
  given: Taking,
  deps: ReceiveDeps,
  again = mostAgain,
): Promise<string> {
  checkHeader(message)
  if (isAcknowledgement(message)) return answer(message, [unmapped], given, deps)
  const read = await inTurns(readMessage(message, deps.senders))
  checkProcessing(read)
  const { grant, contentDigest: digest, choices = {} } = given
  const merged = read.row.merges === true ? await mergeByMessage(read, { grant, digest, choices }, deps) : nothingMerged
  const taking = { ...given, remarks: [...(given.remarks ?? []), ...merged.remarks] }
  const about: About[] = []
  for (const [nth, group] of read.patients.entries()) {
    const choice = choices[nth] === undefined ? undefined : (merged.remaining[nth] ?? choices[nth])
    const question = { read, group, grant, choice }
    const subject = await findPatient(question, deps.record, deps.baseUrl)
    if (subject.admit === undefined) given.found?.(subject.patient)
    checkMayAdd(grant, subject.patient)
    about.push({ group, subject })
  }
  const first = about[0]?.subject.patient ?? ''
  const { documents } = deps.record
  const before = await receiptOf(documents, message, [first, ...(await mergedInto(documents, first))], digest)
  if (before !== undefined) return before.ack ?? answer(message, [], taking, deps)
  const admitted = about.filter(({ subject }) => subject.admit !== undefined)
  try {
    const work = () => importMessage(read, about, taking, deps)
    // Each of several messages about somebody new must see whom the ones before it have taken in.
    return await (admitted.length === 0 ? work() : deps.admissions(work))
  } catch (error) {
    for (const { subject } of admitted) await forgetFingerprintKey(deps.record.documents, subject.patient)
    if (isProblem(error) && changesWhom.has(error.code) && again > 0)
      return takeMessage(message, given, deps, again - 1)
    throw error
  }
}

/**
 * Of two messages about somebody new one takes them in; the other one finds them the second time. So does what came while two people
 * were made one, or two again.
 */
const changesWhom: ReadonlySet<string> = new Set([
  'ingest.hl7-patient-appeared',
  'ingest.patient-merged',
  'record.patient-merged',
])
const mostAgain = 20

/** What is said of an answer to something: it is not kept. */
const unmapped: Outcome = { kind: 'unmapped', row: 'MSA', location: 'MSA^1' }

const nothingMerged: MergedByMessage = { remaining: [], remarks: [] }

async function importMessage(read: Read, about: readonly About[], taking: Taking, deps: ReceiveDeps): Promise<string> {
  const parts: PatientPart[] = []
  // Several groups may be about one patient.
  for (const [patient, of] of Map.groupBy(about, ({ subject }) => subject.patient)) {
    const opened = await openContext(taking.grant, patient, taking.digest, deps)
    const { context, provenanceId, former, merged, lookUp } = opened
    const outcomes: (readonly Outcome[])[] = []
    const beside = [...new Set(about.map(({ subject }) => subject.patient))].filter(one => one !== patient)
    const within = { ...context, beside: beside.map(one => ({ reference: `Patient/${one}` })) }
    for (const { group } of of) outcomes.push(await inTurns(mapPatientGroup(read, group, within)))
    const numbers = isVouched(taking) ? of.flatMap(({ group }) => personOf(read, group).identifiers) : []
    parts.push({
      patient,
      admit: of[0]?.subject.admit,
      told: txn => {
        for (const { subject } of of) subject.told?.(txn)
      },
      provenanceId,
      former,
      merged,
      lookUp,
      numbers,
      outcomes: outcomes.flat(),
    })
  }
  const outcomes = [...remarks(read), ...parts.flatMap(part => part.outcomes)]
  if (read.sending.strict) checkFaultless(outcomes)
  const { message } = read
  const [first] = parts
  const answered = (warnings: readonly Left[]) => answer(message, [...outcomes, ...warnings.map(warned)], taking, deps)
  const remember = (ack: string) => {
    const receipt = { digest: taking.contentDigest, ack }
    return receiptWrite(deps.record.documents, message, first?.patient ?? '', receipt, deps.clock.nowMs())
  }
  const source = messageSource(message, read.sending.zone)
  return commitMessage(parts, { ...taking, message: source, answered, remember }, deps)
}

/** A hospital's numbers are those that it sends. */
function isVouched({ grant, isVouched = false }: Taking): boolean {
  return isVouched || homeInReach(grant) === 'all'
}

function warned(left: Left): Outcome {
  return { kind: 'warning', location: 'PID^1', ...left }
}

function answer(message: Message, outcomes: readonly Outcome[], { remarks = [] }: Taking, deps: ReceiveDeps): string {
  const said = [...remarks, ...outcomes.flatMap(outcome => remarkOf(outcome) ?? [])]
  return acknowledge(message, accepted, deps.clock.nowMs(), said)
}

/** @throws Problem `unprocessable` · `ingest.hl7-invalid` */
function checkFaultless(outcomes: readonly Outcome[]): void {
  const location = firstFault(outcomes)
  if (location !== undefined)
    throw new Problem('unprocessable', 'ingest.hl7-invalid', 'A value of the message cannot be read.', {
      expression: location,
    })
}
