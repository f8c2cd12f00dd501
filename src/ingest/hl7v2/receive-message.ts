import { createHash } from 'node:crypto'
import { type Grant, requirePermission } from '#access'
import { isProblem, Problem } from '#kernel'
import { type Doubt, type Held, hold } from '../identity/review/held.ts'
import { forgetFingerprintKey } from '../keys.ts'
import { type ContextDeps, openContext } from '../open-context.ts'
import type { Outcome } from '../outcome.ts'
import type { Turns } from '../turns.ts'
import { accepted, acknowledge, heldRemark, type Remark, remarkOf, type Verdict, verdictOf } from './acknowledge.ts'
import { commitMessage, type PatientPart } from './commit-message.ts'
import { decodeHl7 } from './decode.ts'
import { firstFault, mapPatientGroup, type Read, readMessage, remarks } from './map-message.ts'
import { mergeByMessage } from './merge-patients.ts'
import { type Message, value } from './message.ts'
import { parseMessage } from './parse.ts'
import { checkHeader, findPatient, type Subject } from './receive.ts'
import { splitMessages } from './split.ts'
import type { Group } from './structure.ts'

export interface ReceiveDeps extends ContextDeps {
  readonly admissions: Turns
}

const collection = 'ingest-messages'
/** A sender repeats a message whose answer was lost within minutes; a month is plenty. */
const rememberedMs = 31 * 24 * 3600 * 1000

const statuses: Readonly<Record<Verdict['code'], number>> = { AA: 200, AE: 422, AR: 400 }

interface Request {
  readonly grant: Grant
  readonly message: Buffer
  /** What a person has said of whom its groups are about. */
  readonly choices?: Held['choices']
}

/** Takes one message and answers it. Whatever happens, the sender gets an acknowledgement. */
export async function receiveMessage(request: Request, deps: ReceiveDeps): Promise<{ status: number; ack: string }> {
  let message: Message | undefined
  let verdict: Verdict = accepted
  let said: readonly Remark[] = []
  try {
    requirePermission(request.grant, 'c', 'Provenance')
    const one = parseOne(request.message, deps)
    message = one.message
    const taken = await take(message, request, deps)
    said = [...one.remarks, ...taken]
  } catch (error) {
    const problem = isProblem(error) ? error : undefined
    const isHeld = await isKept(problem, request, deps)
    deps.log.warn(isHeld ? 'message held' : 'message refused', {
      room: 'ingest',
      code: problem?.code ?? 'ingest.failed',
    })
    if (isHeld && problem !== undefined) said = [heldRemark(problem)]
    else verdict = problem === undefined ? internal : verdictOf(problem)
  }
  return { status: statuses[verdict.code], ack: acknowledge(message, verdict, deps.clock.nowMs(), said) }
}

/** Whether a message about whose patient there is a doubt is kept until a person decides. */
async function isKept(problem: Problem | undefined, { message }: Request, deps: ReceiveDeps): Promise<boolean> {
  const doubt = doubtOf(problem)
  return doubt !== undefined && hold(digestOf(message).slice(0, 32), message, doubt, deps)
}

function doubtOf(problem: Problem | undefined): Doubt | undefined {
  return problem?.code === 'ingest.patient-doubtful' ? (problem.cause as Doubt) : undefined
}

/**
 * Takes in a message that was held, as a person has decided.
 *
 * @returns the next doubt, when another person in it is doubtful too
 * @throws Problem whatever taking it in throws
 */
export async function takeHeld(request: Required<Request>, deps: ReceiveDeps): Promise<Doubt | undefined> {
  try {
    await take(parseOne(request.message, deps).message, request, deps)
    return undefined
  } catch (error) {
    const doubt = isProblem(error) ? doubtOf(error) : undefined
    if (doubt === undefined) throw error
    return doubt
  }
}

function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

const internal: Verdict = { code: 'AR', condition: '207', text: 'The message could not be taken in.' }

/** The one message, and what is to be said of its envelope. */
interface One {
  readonly message: Message
  readonly remarks: readonly Remark[]
}

function parseOne(bytes: Buffer, deps: ReceiveDeps): One {
  if (bytes.length > deps.limits.maxWhole)
    throw new Problem('too-large', 'ingest.token-too-long', 'The message is longer than is accepted.')
  const { text, decoder } = decodeHl7(bytes)
  const { messages, warnings } = splitMessages(text, deps.limits)
  const [only, ...others] = messages
  if (only === undefined || others.length > 0)
    throw new Problem('invalid', 'ingest.hl7-malformed', 'Exactly one message is taken at a time.', {
      expression: 'MSH',
    })
  const remarks = warnings.map((said): Remark => ({ severity: 'W', location: 'MSH^1', condition: '100', text: said }))
  return { message: parseMessage(only.lines, decoder), remarks }
}

/** A group of the message and whom it is about. */
interface About {
  readonly group: Group
  readonly subject: Subject
}

/** @returns what is to be said of an accepted message */
async function take(message: Message, request: Request, deps: ReceiveDeps): Promise<readonly Remark[]> {
  const { grant, message: bytes, choices = {} } = request
  checkHeader(message)
  const read = readMessage(message, deps.senders)
  const digest = digestOf(bytes)
  if (read.row.merges === true) await mergeByMessage(read, { grant, digest }, deps)
  const about: About[] = []
  for (const [nth, group] of read.patients.entries()) {
    const question = { read, group, grant, choice: choices[nth] }
    about.push({ group, subject: await findPatient(question, deps.record, deps.baseUrl) })
  }
  const name = memoryOf(message, about)
  const last = await deps.record.documents.get<{ digest: string }>(collection, name)
  if (last?.value.digest === digest) return []
  const admitted = about.filter(({ subject }) => subject.admit !== undefined)
  try {
    const work = () => importMessage(read, about, { grant, digest, name }, deps)
    // Each of several messages about somebody new must see whom the ones before it have taken in.
    return await (admitted.length === 0 ? work() : deps.admissions(work))
  } catch (error) {
    for (const { subject } of admitted) await forgetFingerprintKey(deps.record.documents, subject.patient)
    // Of two messages about somebody new one takes them in; the other one finds them the second time.
    if (isProblem(error) && error.code === 'ingest.hl7-patient-appeared') return take(message, request, deps)
    throw error
  }
}

/** Under which name it is remembered that a message was taken in: its first patient, its sender, its control id. */
function memoryOf({ msh }: Message, [first]: readonly About[]): string {
  return [first?.subject.patient ?? '', ...[3, 4, 10].map(number => value(msh, number))].join('/')
}

interface Receipt {
  readonly grant: Grant
  readonly digest: string
  readonly name: string
}

async function importMessage(
  read: Read,
  about: readonly About[],
  { grant, digest, name }: Receipt,
  deps: ReceiveDeps,
): Promise<readonly Remark[]> {
  const parts: PatientPart[] = []
  // Several groups may be about one patient.
  for (const [patient, of] of Map.groupBy(about, ({ subject }) => subject.patient)) {
    const { context, provenanceId } = await openContext(grant, patient, digest, deps)
    const outcomes = of.flatMap(({ group }) => mapPatientGroup(read, group, context))
    parts.push({ patient, admit: of[0]?.subject.admit, provenanceId, outcomes })
  }
  const outcomes = [...remarks(read), ...parts.flatMap(part => part.outcomes)]
  if (read.sending.strict) checkFaultless(outcomes)
  const [first] = parts
  const group = first === undefined ? {} : { group: first.patient }
  const expires = { ...group, expiresAtMs: deps.clock.nowMs() + rememberedMs }
  const remember = deps.record.documents.write(collection, name, { digest }, expires)
  const { warnings } = await commitMessage(parts, { grant, digest, remember }, deps)
  const more = warnings.map((left): Outcome => ({ kind: 'warning', location: 'PID^1', ...left }))
  return [...outcomes, ...more].flatMap(outcome => remarkOf(outcome) ?? [])
}

/** @throws Problem `unprocessable` · `ingest.hl7-invalid` */
function checkFaultless(outcomes: readonly Outcome[]): void {
  const location = firstFault(outcomes)
  if (location !== undefined)
    throw new Problem('unprocessable', 'ingest.hl7-invalid', 'A value of the message cannot be read.', {
      expression: location,
    })
}
