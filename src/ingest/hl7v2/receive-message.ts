import { createHash } from 'node:crypto'
import { type Grant, homeInReach, requirePermission } from '#access'
import { isProblem, Problem, type ProblemKind, spend } from '#kernel'
import { type Doubt, type Held, hold, knownState } from '../identity/review/held.ts'
import { keeperOf } from '../letters/letter.ts'
import { letterTaken } from '../letters/shelf.ts'
import { inTurns } from '../turns.ts'
import { accepted, acknowledge, heldRemark, passes, type Remark, type Verdict, verdictOf } from './acknowledge.ts'
import { acknowledgeBatch } from './acknowledge-batch.ts'
import { decodeHl7, encodeHl7 } from './decode.ts'
import type { Message } from './message.ts'
import { parseMessage } from './parse.ts'
import { contentDigest } from './receipts.ts'
import { shelve } from './shelve.ts'
import { type RawMessage, type SplitFile, splitMessages } from './split.ts'
import { type ReceiveDeps, takeMessage } from './take-message.ts'

export interface Request {
  readonly grant: Grant
  readonly message: Buffer
}

/** An answer, and the HTTP status that goes with it. */
export interface Answer {
  readonly status: number
  readonly ack: string
  /** Where the same message may be taken in later. */
  readonly retryAfterSeconds?: number
}

/** AR: it cannot be taken as it is; AE: the sender can mend it. */
const statuses: Readonly<Record<Verdict['code'], number>> = { AA: 200, AE: 422, AR: 400 }

/** Where the message has no part in it: whoever drops what is answered with 400 would lose it. */
const statusByKind: { readonly [kind in ProblemKind]?: number } = {
  conflict: 409,
  throttled: 429,
  fault: 500,
  busy: 503,
  timeout: 503,
  full: 507,
  'too-costly': 422,
}

/**
 * Takes one message, or a batch of them, and answers it. Whatever happens, the sender gets an acknowledgement: of a batch one
 * of each message, in a batch. The status of a batch is that of the message that fared worst. One that is more than a request may
 * have is refused before anything of it is taken.
 */
export async function receiveMessage(request: Request, deps: ReceiveDeps): Promise<Answer> {
  try {
    requirePermission(request.grant, 'c', 'Provenance')
  } catch (error) {
    return refused(undefined, error, deps)
  }
  try {
    const { decoder, ...file } = await cut(request.message, deps)
    const [only, ...others] = file.messages
    const isBatch = file.isBatch || others.length > 0
    if (only === undefined) throw noMessage()
    const from = { ...request, digest: digestOf(request.message), decoder }
    if (isBatch) return await receiveBatch(file, from, deps)
    return await receiveOne(only, from, deps, { remarks: remarked(file.warnings) })
  } catch (error) {
    await shelve(
      { bytes: request.message, digest: digestOf(request.message), patients: [] },
      error,
      request.grant,
      deps,
    )
    return refused(undefined, error, deps)
  }
}

function noMessage(): Problem {
  return new Problem('invalid', 'ingest.hl7-malformed', 'There is no message: no MSH.', { expression: 'MSH' })
}

async function cut(bytes: Buffer, { limits }: ReceiveDeps): Promise<SplitFile & { readonly decoder: TextDecoder }> {
  if (bytes.length > limits.maxWhole)
    throw new Problem('too-large', 'ingest.token-too-long', 'The message is longer than is accepted.')
  const { texts, decoder, warnings } = decodeHl7(bytes)
  const file = await inTurns(splitMessages(texts, limits))
  spend('parsed', file.values)
  return { ...file, warnings: [...warnings, ...file.warnings], decoder }
}

function remarked(warnings: readonly string[]): readonly Remark[] {
  return warnings.map(text => ({ severity: 'W', location: 'MSH^1', condition: '100', text }))
}

/** What messages came in. */
interface Origin extends Request {
  /** SHA-256 of the bytes, hex. */
  readonly digest: string
  readonly decoder: TextDecoder
}

async function receiveBatch(file: SplitFile, from: Origin, deps: ReceiveDeps): Promise<Answer> {
  const answers: Answer[] = []
  spend('written', file.messages.length)
  for (const [at, raw] of file.messages.entries()) {
    const bytes = encodeHl7(`${raw.lines.join('\r')}\r`, from.decoder)
    const beside = at === 0 ? { remarks: remarked(file.warnings) } : {}
    answers.push(await receiveOne(raw, { ...from, message: bytes }, deps, beside))
  }
  const status = Math.max(...answers.map(answer => answer.status))
  const acks = answers.map(({ ack }) => ack)
  const waits = answers.flatMap(({ retryAfterSeconds }) => retryAfterSeconds ?? [])
  const ack = acknowledgeBatch(file, acks, deps.clock.nowMs())
  return { status, ack, ...(waits.length === 0 ? {} : { retryAfterSeconds: Math.max(...waits) }) }
}

async function receiveOne(
  { lines, refused: tooLarge }: RawMessage,
  { grant, message: bytes, digest, decoder }: Origin,
  deps: ReceiveDeps,
  beside: { readonly remarks?: readonly Remark[] } = {},
): Promise<Answer> {
  let message: Message | undefined
  const patients: string[] = []
  const ownDigest = lines.length === 0 || tooLarge !== undefined ? digestOf(bytes) : contentDigest(lines)
  try {
    const parsed = lines.length === 0 ? undefined : await inTurns(parseMessage(lines, decoder))
    message = parsed
    if (parsed === undefined || tooLarge !== undefined) throw tooLarge
    const found = (patient: string) => void patients.push(patient)
    const ack = await takeMessage(parsed, { grant, digest, contentDigest: ownDigest, found, ...beside }, deps)
    await letterTaken(keeperOf(grant), ownDigest, deps)
    return { status: 200, ack }
  } catch (error) {
    const doubt = doubtOf(error)
    const name = ownDigest.slice(0, 32)
    const content = { bytes, isVouched: homeInReach(grant) === 'all' }
    if (doubt !== undefined && (await hold(name, content, doubt, deps))) {
      await letterTaken(keeperOf(grant), ownDigest, deps)
      return held(message, error as Problem, deps)
    }
    // What a person has thrown away is not kept in another place.
    const isDecided = doubt !== undefined && (await knownState(name, deps)) === 'rejected'
    if (!isDecided) await shelve({ bytes, digest: ownDigest, message, patients }, error, grant, deps)
    return refused(message, error, deps)
  }
}

/** It waits until a person decides whom it is about. */
function held(message: Message | undefined, problem: Problem, { log, clock }: ReceiveDeps): Answer {
  log.warn('message held', { room: 'ingest', code: problem.code })
  return { status: 200, ack: acknowledge(message, accepted, clock.nowMs(), [heldRemark(problem)]) }
}

function refused(message: Message | undefined, error: unknown, { log, clock }: ReceiveDeps): Answer {
  const problem = isProblem(error) ? error : undefined
  log.warn('message refused', { room: 'ingest', code: problem?.code ?? 'ingest.failed' })
  const verdict = problem === undefined ? internal : verdictOf(problem)
  const isLasting = problem?.kind === 'full' && !passes(problem)
  const status = (isLasting ? undefined : statusByKind[problem?.kind ?? 'fault']) ?? statuses[verdict.code]
  const ack = acknowledge(message, verdict, clock.nowMs())
  const seconds = problem !== undefined && passes(problem) ? (problem.retryAfterSeconds ?? 1) : undefined
  return { status, ack, ...(seconds === undefined ? {} : { retryAfterSeconds: seconds }) }
}

const internal: Verdict = { code: 'AR', condition: '207', text: 'The message could not be taken in.' }

function doubtOf(error: unknown): Doubt | undefined {
  return isProblem(error) && error.code === 'ingest.patient-doubtful' ? (error.cause as Doubt | undefined) : undefined
}

/**
 * Takes in a message that was held, as a person has decided.
 *
 * @returns the next doubt, when another person in it is doubtful too
 * @throws Problem whatever taking it in throws
 */
export async function takeHeld(
  { grant, message: bytes, held }: Request & { readonly held: Pick<Held, 'choices' | 'isVouched'> },
  deps: ReceiveDeps,
): Promise<Doubt | undefined> {
  try {
    const { messages, decoder } = await cut(bytes, deps)
    const [only] = messages
    if (only === undefined) throw noMessage()
    const message = await inTurns(parseMessage(only.lines, decoder))
    await takeMessage(
      message,
      { grant, digest: digestOf(bytes), contentDigest: contentDigest(only.lines), ...held },
      deps,
    )
    return undefined
  } catch (error) {
    const doubt = doubtOf(error)
    if (doubt === undefined) throw error
    return doubt
  }
}

function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
