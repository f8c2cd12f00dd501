import { Problem } from '#kernel'
import { formatSent, isFhirType } from '../rest/negotiate.ts'
import type { FhirRequest, Limits } from '../types.ts'
import { isMediaType } from './media-types.ts'

/** Bytes that are not held, but go to where they are kept as they arrive; or all of them, where they are few. */
export type Looked = { readonly source: AsyncIterable<Uint8Array> } | { readonly bytes: Buffer }

/**
 * Whether bytes that come for a Binary are more than is held of them. Where nobody says how many there are, the first ones are waited for.
 * What may be a resource is not: of JSON and XML that is known by all of it.
 *
 * @returns undefined where the body is to be read as ever
 * @throws Problem `too-large` · `binary.too-large`
 */
export async function largeContent(
  request: FhirRequest,
  { binaryBytes, binaryHeldBytes }: Limits,
): Promise<Looked | undefined> {
  const contentType = request.header('content-type')?.trim() ?? ''
  if (isFhirType(request) || !isMediaType(contentType)) return undefined
  const length = lengthOf(request)
  if (length !== undefined && length > binaryBytes) throw binaryTooLarge(binaryBytes)
  const mayBeResource = formatSent(request) !== undefined
  if (length === undefined ? mayBeResource : length <= (mayBeResource ? mostOfResource : binaryHeldBytes))
    return undefined
  const source = bounded(request.stream(binaryBytes), binaryBytes)
  return length === undefined ? begun(source, binaryHeldBytes) : { source }
}

/** As much as is held of any body: what is longer cannot be a resource. */
const mostOfResource = 32 * 1024 * 1024

/** How many bytes come; undefined where that is not said, or is said of what is packed. */
function lengthOf(request: FhirRequest): number | undefined {
  const length = request.header('content-length')
  const encoding = request.header('content-encoding') ?? 'identity'
  return length === undefined || encoding !== 'identity' ? undefined : Number(length)
}

async function begun(source: AsyncGenerator<Uint8Array, void, void>, mostHeld: number): Promise<Looked> {
  const held: Uint8Array[] = []
  let size = 0
  for (let next = await source.next(); next.done !== true; next = await source.next()) {
    held.push(next.value)
    size += next.value.length
    if (size > mostHeld) return { source: followed(held, source) }
  }
  return { bytes: Buffer.concat(held) }
}

async function* followed(
  held: Uint8Array[],
  source: AsyncGenerator<Uint8Array, void, void>,
): AsyncGenerator<Uint8Array, void, void> {
  yield* held.splice(0)
  yield* source
}

async function* bounded(source: AsyncIterable<Uint8Array>, most: number): AsyncGenerator<Uint8Array, void, void> {
  let size = 0
  for await (const piece of source) {
    size += piece.length
    if (size > most) throw binaryTooLarge(most)
    yield piece
  }
}

function binaryTooLarge(most: number): Problem {
  const text = `A Binary may hold ${most} bytes here (KINHOLD_BINARY_MAX); this one holds more.`
  return new Problem('too-large', 'binary.too-large', text)
}
