import { createHash } from 'node:crypto'
import { type Grant, requirePermission } from '#access'
import { isProblem, Problem } from '#kernel'
import { forgetFingerprintKey } from '../keys.ts'
import { openContext } from '../open-context.ts'
import { type RunDeps, runImport } from '../run.ts'
import type { Turns } from '../turns.ts'
import { accepted, acknowledge, type Verdict, verdictOf } from './acknowledge.ts'
import { decodeHl7 } from './decode.ts'
import { mapMessage, type Read, readMessage } from './map-message.ts'
import { type Message, value } from './message.ts'
import { parseMessage } from './parse.ts'
import { checkHeader, findPatient, type Subject } from './receive.ts'
import { splitMessages } from './split.ts'
import type { Group } from './structure.ts'

interface ReceiveDeps extends RunDeps {
  readonly baseUrl: string
  readonly admissions: Turns
}

const collection = 'ingest-messages'
/** A sender repeats a message whose answer was lost within minutes; a month is plenty. */
const rememberedMs = 31 * 24 * 3600 * 1000

const statuses: Readonly<Record<Verdict['code'], number>> = { AA: 200, AE: 422, AR: 400 }

/** Takes one message and answers it. Whatever happens, the sender gets an acknowledgement. */
export async function receiveMessage(
  request: { readonly grant: Grant; readonly message: Buffer },
  deps: ReceiveDeps,
): Promise<{ status: number; ack: string }> {
  let message: Message | undefined
  let verdict: Verdict
  try {
    message = parseOne(request.message, deps)
    verdict = await take(message, request, deps)
  } catch (error) {
    const problem = isProblem(error) ? error : undefined
    deps.log.warn('message refused', { room: 'ingest', code: problem?.code ?? 'ingest.failed' })
    verdict = problem === undefined ? internal : verdictOf(problem)
  }
  return { status: statuses[verdict.code], ack: acknowledge(message, verdict, deps.clock.nowMs()) }
}

const internal: Verdict = { code: 'AR', condition: '207', text: 'The message could not be taken in.' }

function parseOne(bytes: Buffer, deps: ReceiveDeps): Message {
  if (bytes.length > deps.limits.maxWhole)
    throw new Problem('too-large', 'ingest.token-too-long', 'The message is longer than is accepted.')
  const { text, decoder } = decodeHl7(bytes)
  const [only, ...others] = splitMessages(text, deps.limits).messages
  if (only === undefined || others.length > 0)
    throw new Problem('invalid', 'ingest.hl7-malformed', 'Exactly one message is taken at a time.', {
      expression: 'MSH',
    })
  return parseMessage(only.lines, decoder)
}

async function take(
  message: Message,
  request: { readonly grant: Grant; readonly message: Buffer },
  deps: ReceiveDeps,
): Promise<Verdict> {
  const { grant, message: bytes } = request
  checkHeader(message)
  const read = readMessage(message)
  requirePermission(grant, 'c', 'Provenance')
  const digest = createHash('sha256').update(bytes).digest('hex')
  const subject = await findPatient(read, onlyPatient(read), grant, deps.record, deps.baseUrl)
  const { patient } = subject
  const name = `${patient}/${value(message.msh, 3)}/${value(message.msh, 4)}/${value(message.msh, 10)}`
  const { documents } = deps.record
  const last = await documents.get<{ digest: string }>(collection, name)
  if (last?.value.digest === digest) return accepted
  try {
    const work = () => importMessage(message, grant, subject, digest, deps)
    // Each of several messages about somebody new must see whom the ones before it have taken in.
    await (subject.admit === undefined ? work() : deps.admissions(work))
  } catch (error) {
    if (subject.admit !== undefined) await forgetFingerprintKey(documents, patient)
    // Of two messages about somebody new one takes them in; the other one finds them the second time.
    if (isProblem(error) && error.code === 'ingest.hl7-patient-appeared') return take(message, request, deps)
    throw error
  }
  await documents.put(collection, name, { digest }, { expiresAtMs: deps.clock.nowMs() + rememberedMs })
  return accepted
}

/** @throws Problem `unprocessable` · `ingest.hl7-several-patients` */
function onlyPatient({ patients }: Read): Group {
  const [only, second] = patients
  if (only === undefined || second !== undefined)
    throw new Problem('unprocessable', 'ingest.hl7-several-patients', 'The message is about several patients.', {
      expression: 'PID[2]',
    })
  return only
}

async function importMessage(
  message: Message,
  grant: Grant,
  { patient, admit }: Subject,
  digest: string,
  deps: ReceiveDeps,
): Promise<void> {
  const { context, provenanceId } = await openContext(grant, patient, digest, deps)
  const outcomes = mapMessage(message, () => context)
  if (outcomes.some(outcome => outcome.kind === 'mapped' && !context.isValid(outcome.resource)))
    throw new Problem('unprocessable', 'ingest.hl7-invalid', 'The message does not give valid resources.')
  const facts = { grant, patient, format: 'hl7v2', digest, provenanceId, atomic: true, admit } as const
  // One message is one transaction: nothing of it is kept when a part cannot be.
  const limits = { ...deps.limits, batchSize: Number.MAX_SAFE_INTEGER }
  await runImport(once(outcomes), facts, { ...deps, limits }, () => {})
}

async function* once<T>(item: T): AsyncGenerator<T, void, void> {
  yield item
}
