import { createHash } from 'node:crypto'
import type { Documents } from '#vault'
import { type Message, value } from './message.ts'

/** What was answered to a message that was taken in, and to which. */
export interface Receipt {
  /** SHA-256 of what was sent, hex. */
  readonly digest: string
  /** The acknowledgement; absent where an earlier release took the message in. */
  readonly ack?: string
}

const collection = 'ingest-messages'
/** A sender repeats a message whose answer was lost within minutes; a month is plenty. */
const rememberedMs = 31 * 24 * 3600 * 1000

/** Under which name it is remembered that a message was taken in: its patient, its sender, its control id. */
function nameOf({ msh }: Message, patient: string): string {
  return [patient, ...[3, 4, 10].map(number => value(msh, number))].join('/')
}

/** SHA-256 of the segments, whatever their line ends and their envelope. */
export function contentDigest(lines: readonly string[]): string {
  const hash = createHash('sha256')
  for (const line of lines) hash.update(line).update('\r')
  return hash.digest('hex')
}

/**
 * The answer that this very message got before. Another content under the same control id is another message: senders begin
 * anew to count, and correct what was wrong (HL7 v2.5.1, 2.15.9.10 wants the id unique and asks nothing of the receiver).
 *
 * @param patients  whom it is about first, and those who were merged into that one
 */
export async function receiptOf(
  documents: Documents,
  message: Message,
  patients: readonly string[],
  digest: string,
): Promise<Receipt | undefined> {
  for (const patient of patients) {
    const found = await documents.get<Receipt>(collection, nameOf(message, patient))
    if (found?.value.digest === digest) return found.value
  }
  return undefined
}

/** The document that remembers an answer, to be written in the transaction of the message. */
export function receiptWrite(documents: Documents, message: Message, patient: string, receipt: Receipt, nowMs: number) {
  const expires = { group: patient, expiresAtMs: nowMs + rememberedMs }
  return documents.write(collection, nameOf(message, patient), receipt, expires)
}
