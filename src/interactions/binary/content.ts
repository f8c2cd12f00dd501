import { parseJsonInSteps, parseStored } from '#fhir'
import { inSlices, type Steps } from '#kernel'

/** A stored Binary, taken apart. */
export interface Parts {
  readonly contentType: string
  /** `securityContext.reference` */
  readonly context: string | undefined
  /** Its data in base64; empty where there is none. */
  readonly base64: Buffer
}

interface BinaryElements {
  readonly contentType?: string
  readonly securityContext?: { readonly reference?: string }
  readonly data?: string
}

const dataKey = '"data":"'
const quote = 0x22
const nothing = Buffer.alloc(0)

/** Takes a stored Binary apart. Its data is not parsed where that can be helped: it may be many megabytes, and is but letters. */
export async function partsOf(json: Buffer): Promise<Parts> {
  const at = json.indexOf(dataKey)
  if (at === -1) return parts((await parseStored(json)) as BinaryElements, nothing)
  const from = at + dataKey.length
  const until = json.indexOf(quote, from)
  // An attachment within an extension of meta has data, too.
  if (json.indexOf(dataKey, until) !== -1)
    return partsOfParsed((await inSlices(parseJsonInSteps(json))) as BinaryElements)
  const rest = (await parseStored(Buffer.concat([json.subarray(0, from), json.subarray(until)]))) as BinaryElements
  return parts(rest, rest.data === undefined ? nothing : json.subarray(from, until))
}

function partsOfParsed(elements: BinaryElements): Parts {
  return parts(elements, Buffer.from(elements.data ?? '', 'latin1'))
}

function parts({ contentType = '', securityContext }: BinaryElements, base64: Buffer): Parts {
  return { contentType, context: securityContext?.reference, base64 }
}

const sliceLetters = 4 * 1024 * 1024
const space = /\s/g

/** The bytes for which base64 stands; R4 lets it have spaces. Takes about a millisecond a slice. */
export function* decoded(base64: Buffer): Steps<Buffer> {
  const pieces: Buffer[] = []
  let left = ''
  for (let from = 0; from < base64.length; from += sliceLetters) {
    const letters = left + base64.toString('latin1', from, from + sliceLetters).replace(space, '')
    const whole = letters.length - (letters.length % 4)
    pieces.push(Buffer.from(letters.slice(0, whole), 'base64'))
    left = letters.slice(whole)
    yield
  }
  return pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces)
}
