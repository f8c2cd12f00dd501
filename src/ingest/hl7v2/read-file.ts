import { collect, isProblem } from '#kernel'
import type { Outcome } from '../outcome.ts'
import type { ReadContext } from '../read-context.ts'
import { decodeHl7 } from './decode.ts'
import { mapMessage } from './map-message.ts'
import { parseMessage } from './parse.ts'
import { splitMessages } from './split.ts'

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
  for (const [index, message] of messages.entries()) {
    yield outcomesOf(message.lines, decoder, context, `message[${index + 1}]`)
  }
}

function outcomesOf(
  lines: readonly string[],
  decoder: TextDecoder,
  context: ReadContext,
  place: string,
): readonly Outcome[] {
  try {
    const outcomes = mapMessage(parseMessage(lines, decoder), context)
    const invalid = outcomes.find(outcome => outcome.kind === 'mapped' && !context.isValid(outcome.resource))
    if (invalid === undefined) return outcomes
    return [{ kind: 'rejected', row: 'MSH', reason: 'not-valid', expression: place }]
  } catch (error) {
    if (!isProblem(error)) throw error
    const reason = error.kind === 'unsupported' ? 'not-supported' : 'structure-unknown'
    return [{ kind: 'rejected', row: 'MSH', reason, expression: place }]
  }
}
