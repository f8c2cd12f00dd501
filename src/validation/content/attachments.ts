import { createHash } from 'node:crypto'
import type { Check } from './check.ts'

/**
 * What an attachment says of its data is so: their length in bytes, and their SHA-1 in base64.
 *
 * @see https://hl7.org/fhir/R4/datatypes-definitions.html#Attachment.size and #Attachment.hash
 */
export const checkAttachment: Check = ({ node: { data, size, hash }, at }, tell) => {
  if (typeof data !== 'string' || (size === undefined && hash === undefined)) return
  const bytes = Buffer.from(data, 'base64')
  if (typeof size === 'number' && size !== bytes.length) tell('attachmentSize', `${at}/size`)
  if (typeof hash === 'string' && isDigest(hash) && hash !== createHash('sha1').update(bytes).digest('base64'))
    tell('attachmentHash', `${at}/hash`)
}

/** Twenty bytes; what has more, as one that is written in hexadecimal digits, is of another kind. */
function isDigest(hash: string): boolean {
  return Buffer.from(hash, 'base64').length === 20
}
