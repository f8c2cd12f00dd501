import { collect, isProblem, Problem } from '#kernel'
import type { PersonClaims } from '../identity/claims.ts'
import { comparedWith } from '../identity/guard.ts'
import type { Outcome } from '../outcome.ts'
import type { ReadContext } from '../read-context.ts'
import { reasonTexts } from '../reasons.ts'
import { inTurns } from '../turns.ts'
import { decodeHl7, encodeHl7 } from './decode.ts'
import { firstFault, isAcknowledgement, mapMessage, type Read, readMessage } from './map-message.ts'
import { parseMessage } from './parse.ts'
import { personOf, placesOf } from './person.ts'
import { contentDigest } from './receipts.ts'
import { checkProcessing } from './receive.ts'
import { type RawMessage, splitMessages } from './split.ts'

/**
 * The messages of a file or batch, each on its own: one that cannot be taken in is reported by its place and does not
 * stop the others.
 *
 * @throws Problem `too-large` · `body.too-large`, `ingest.token-too-long`; `invalid` · `ingest.hl7-malformed`
 */
export async function* readHl7File(
  chunks: AsyncIterable<Uint8Array>,
  context: ReadContext,
): AsyncGenerator<readonly Outcome[], void, void> {
  const { texts, decoder, warnings: ofBytes } = decodeHl7(await collect(chunks, context.limits.maxWhole))
  const { messages, warnings } = await inTurns(splitMessages(texts, context.limits))
  if (messages.length === 0) throw new Problem('invalid', 'ingest.hl7-malformed', 'The file holds no message: no MSH.')
  yield [...ofBytes, ...warnings].map(warning => ({ kind: 'warning', text: warning }))
  const at = { context, known: context.person }
  for (const [index, message] of messages.entries()) {
    const outcomes = await outcomesOf(message, decoder, at, `message[${index + 1}]`)
    await shelveRefused(message, decoder, outcomes, context)
    yield outcomes
  }
}

/** Keeps a message that is refused until it is put right what it was refused for. */
async function shelveRefused(
  { lines, refused }: RawMessage,
  decoder: TextDecoder,
  [first]: readonly Outcome[],
  { shelve }: ReadContext,
): Promise<void> {
  if (shelve === undefined || first?.kind !== 'rejected' || first.row !== 'MSH' || refused !== undefined) return
  const message = await inTurns(parseMessage(lines, decoder)).catch(() => undefined)
  const content = { bytes: encodeHl7(`${lines.join('\r')}\r`, decoder), digest: contentDigest(lines) }
  const refusal = { code: first.reason, text: reasonTexts[first.reason] }
  await shelve({ ...content, message, patients: [] }, refusal)
}

interface FilePlace {
  readonly context: ReadContext
  /** What is known of the patient: the first message about somebody of whom little is says more, and the next must fit. */
  known: PersonClaims
}

async function outcomesOf(
  { lines, refused }: RawMessage,
  decoder: TextDecoder,
  at: FilePlace,
  place: string,
): Promise<readonly Outcome[]> {
  const { context } = at
  try {
    if (refused !== undefined) throw refused
    const message = await inTurns(parseMessage(lines, decoder))
    if (isAcknowledgement(message)) return message.segments.map(({ name: row }) => ({ kind: 'unmapped', row }))
    const read = await inTurns(readMessage(message, context.senders))
    checkProcessing(read)
    // A file is about one patient: who else is the same person is not for it to say.
    if (read.row.merges === true) return [{ kind: 'rejected', row: 'MSH', reason: 'not-supported', expression: place }]
    const stranger = context.forced ? undefined : await strangerIn(read, at)
    if (stranger !== undefined) return [{ ...stranger, expression: `${place}${stranger.expression}` }]
    const outcomes = await inTurns(mapMessage(read, () => context))
    const fault = read.sending.strict ? firstFault(outcomes) : undefined
    if (fault === undefined) return outcomes
    return [{ kind: 'rejected', row: 'MSH', reason: 'not-valid', expression: `${place}: ${fault}` }]
  } catch (error) {
    if (!isProblem(error)) throw error
    const reason = error.kind === 'unsupported' ? 'not-supported' : 'structure-unknown'
    return [{ kind: 'rejected', row: 'MSH', reason, expression: place }]
  }
}

type Rejected = Extract<Outcome, { kind: 'rejected' }>

/** Why a message is not taken in for the patient: it is about somebody else, or about several people. */
async function strangerIn(read: Read, at: FilePlace): Promise<Rejected | undefined> {
  for (const group of read.patients) {
    const claims = personOf(read, group)
    const { kind, elements } = await comparedWith(claims, at.known, at.context)
    if (kind !== 'agrees') return strangerAt(kind, placesOf(elements, group))
    at.known = both(at.known, claims)
  }
  return undefined
}

function strangerAt(kind: 'contradicts' | 'doubtful', places: readonly string[]): Rejected {
  const reason = kind === 'contradicts' ? 'other-patient' : 'doubtful-patient'
  return { kind: 'rejected', row: 'MSH', reason, expression: `: ${places.join(', ')}` }
}

function both(known: PersonClaims, said: PersonClaims): PersonClaims {
  return {
    ...said,
    ...known,
    identifiers: union(known.identifiers, said.identifiers),
    names: union(known.names, said.names),
  }
}

/** Each once: a thousand messages say the same name, and it is compared with each of them. */
function union<T>(known: readonly T[], said: readonly T[]): readonly T[] {
  const keys = new Set(known.map(one => JSON.stringify(one)))
  return [...known, ...said.filter(one => !keys.has(JSON.stringify(one)))]
}
