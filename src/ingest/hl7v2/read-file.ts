import { collect, isProblem } from '#kernel'
import type { Outcome } from '../outcome.ts'
import { identifierKey } from '../patient-merge.ts'
import type { ReadContext } from '../read-context.ts'
import { decodeHl7 } from './decode.ts'
import { mapMessage, readMessage } from './map-message.ts'
import { parseMessage } from './parse.ts'
import { isOfSomebodyElse, pidIdentifiers } from './pid-identifiers.ts'
import { splitMessages } from './split.ts'
import type { Group } from './structure.ts'

/**
 * The messages of a file or batch, each on its own: one that cannot be taken in is reported by its place and does not
 * stop the others; and of one with an invalid resource nothing is taken.
 *
 * @throws Problem `too-large` · `body.too-large`, `ingest.token-too-long`
 */
export async function* readHl7File(
  chunks: AsyncIterable<Uint8Array>,
  context: ReadContext,
): AsyncGenerator<readonly Outcome[], void, void> {
  const { text, decoder } = decodeHl7(await collect(chunks, context.limits.maxWhole))
  const { messages, warnings } = splitMessages(text, context.limits)
  yield warnings.map(warning => ({ kind: 'warning', text: warning }))
  // The first message for a patient without identifiers says who it is; the next ones must not contradict it.
  const known = new Set(context.identifiers)
  for (const [index, message] of messages.entries()) {
    yield outcomesOf(message.lines, decoder, { context, known, place: `message[${index + 1}]` })
  }
}

interface FilePlace {
  readonly context: ReadContext
  readonly known: Set<string>
  readonly place: string
}

function outcomesOf(lines: readonly string[], decoder: TextDecoder, at: FilePlace): readonly Outcome[] {
  const { context, known, place } = at
  try {
    const message = parseMessage(lines, decoder)
    const { patients } = readMessage(message)
    if (patients.some(group => isOfSomebodyElse(group, known)) || new Set(patients.map(whom)).size > 1)
      return [{ kind: 'rejected', row: 'MSH', reason: 'other-patient', expression: place }]
    const outcomes = mapMessage(message, () => context)
    for (const identifier of patients.flatMap(pidIdentifiers)) known.add(identifierKey(identifier))
    const invalid = outcomes.find(outcome => outcome.kind === 'mapped' && !context.isValid(outcome.resource))
    if (invalid === undefined) return outcomes
    return [{ kind: 'rejected', row: 'MSH', reason: 'not-valid', expression: place }]
  } catch (error) {
    if (!isProblem(error)) throw error
    const reason = error.kind === 'unsupported' ? 'not-supported' : 'structure-unknown'
    return [{ kind: 'rejected', row: 'MSH', reason, expression: place }]
  }
}

/** A file is one patient's: a message of several people is nobody's. */
function whom(group: Group): string {
  return pidIdentifiers(group).map(identifierKey).sort().join()
}
