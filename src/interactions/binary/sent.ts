import { type Json, parseSentJson, parseSentXml, type Resource, toResource } from '#fhir'
import { inSlices, Problem, type Steps } from '#kernel'
import type { Arriving, Txn, Writer } from '#record'
import { bodyMissing, readResource } from '../rest/body.ts'
import { type Format, formatSent, isFhirType } from '../rest/negotiate.ts'
import type { FhirRequest, Limits } from '../types.ts'
import { partsOf } from './content.ts'
import { largeContent } from './large.ts'
import { isMediaType } from './media-types.ts'

/** The header that says of bytes what `Binary.securityContext` says of a resource. */
export const securityContextHeader = 'x-security-context'

/** What came to be stored. */
export interface Sent {
  readonly resource: Resource
  /** Whether it came as bytes, of which a Binary was made here. */
  readonly isContent: boolean
  /** The bytes, where they are too many to be held: they come while the Binary is written, which has no data itself. */
  readonly source?: AsyncIterable<Uint8Array>
}

/**
 * What is to be stored: the resource that a request carries, or, where a Binary goes, a Binary of whatever bytes it carries.
 *
 * @param id  that of the URL, which bytes cannot say themselves
 * @throws Problem as `readResource`; `unsupported-media` · `body.type-unsupported` for bytes whose media type is none; `invalid` ·
 *   `binary.context-differs`; `too-large` · `binary.too-large`
 * @see https://hl7.org/fhir/R4/binary.html#rest
 */
export async function readStorable(request: FhirRequest, type: string, limits: Limits, id?: string): Promise<Sent> {
  if (type !== 'Binary' || request.resource !== undefined) return asItIs(await readResource(request, type))
  const looked = await largeContent(request, limits)
  if (looked !== undefined && 'source' in looked)
    return { resource: withContext(named(request, id), contextOf(request)), isContent: true, source: looked.source }
  const bytes = looked?.bytes ?? (await request.body())
  if (bytes.length === 0 && isMediaType(mediaTypeOf(request))) throw bodyMissing()
  const resource = await resourceIn(bytes, request)
  if (resource !== undefined) return asItIs(withContext(resource, contextOf(request)))
  return { resource: await inSlices(binaryOf(bytes, request, id)), isContent: true }
}

function asItIs(resource: Resource): Sent {
  return { resource, isContent: false }
}

/**
 * What is to be written over a Binary that stands. Bytes cannot say that they give its securityContext up, and clients that send them
 * (HAPI's among them) send no header with them: so it stays.
 */
export async function overStanding(sent: Sent, id: string, txn: Pick<Txn, 'read'>): Promise<Resource> {
  const { resource, isContent } = sent
  if (!isContent || resource.securityContext !== undefined) return resource
  const standing = await txn.read('Binary', id)
  if (standing === undefined) return resource
  const { context } = await partsOf(standing.json)
  return context === undefined ? resource : withContext(resource, context)
}

/** The Binary that the bytes say they are; undefined when they are its content: "except where the content is actually a Binary". */
async function resourceIn(bytes: Buffer, request: FhirRequest): Promise<Resource | undefined> {
  const format = formatSent(request)
  if (format === undefined) return undefined
  // Who says FHIR and sends what is none has made a mistake; what else is JSON or XML may be anything.
  if (!isFhirType(request) && !mayBeBinary(bytes, format)) return undefined
  const resource = format === 'xml' ? await parseSentXml(bytes) : asResource(await parseSentJson(bytes), request)
  return resource?.resourceType === 'Binary' ? resource : undefined
}

function asResource(value: Json, request: FhirRequest): Resource | undefined {
  const { resourceType } = (value ?? {}) as { readonly resourceType?: unknown }
  return resourceType === 'Binary' || isFhirType(request) ? toResource(value) : undefined
}

const beforeRoot = /^\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--.*?-->\s*)*/s
const binaryRoot = /^<(?:[\w.-]+:)?Binary[\s/>]/
const beginningBytes = 4096

/** Whether it is worth while to parse bytes that say no more than that they are JSON or XML. */
function mayBeBinary(bytes: Buffer, format: Format): boolean {
  if (format === 'json') return bytes.includes('"Binary"')
  const beginning = bytes.toString('utf8', 0, beginningBytes).replace(/^\ufeff/, '')
  return binaryRoot.test(beginning.replace(beforeRoot, '')) && beginning.includes('http://hl7.org/fhir')
}

/** Bytes whose texts are 4 MiB. */
const sliceBytes = 3 * 1024 * 1024

function* binaryOf(bytes: Buffer, request: FhirRequest, id: string | undefined): Steps<Resource> {
  const contentType = mediaTypeOf(request)
  if (!isMediaType(contentType))
    throw new Problem('unsupported-media', 'body.type-unsupported', 'Content-Type must be a media type.')
  const texts: string[] = []
  for (let from = 0; from < bytes.length; from += sliceBytes) {
    texts.push(bytes.toString('base64', from, from + sliceBytes))
    yield
  }
  return withContext({ ...named(request, id), data: texts.join('') }, contextOf(request))
}

function named(request: FhirRequest, id: string | undefined): Resource {
  return { resourceType: 'Binary', ...(id === undefined ? {} : { id }), contentType: mediaTypeOf(request) }
}

/** Runs a work that writes what was sent, with its content where that comes meanwhile. */
export function writing<T>(
  writer: Writer,
  { source }: Sent,
  work: (txn: Txn, beside: { readonly content?: Arriving }) => Promise<T>,
): Promise<T> {
  if (source === undefined) return writer.transact(txn => work(txn, {}))
  return writer.transactWith(source, (txn, content) => work(txn, { content }))
}

function mediaTypeOf(request: FhirRequest): string {
  return request.header('content-type')?.trim() ?? ''
}

function contextOf(request: FhirRequest): string | undefined {
  return request.header(securityContextHeader)?.trim()
}

/** @throws Problem `invalid` · `binary.context-differs` */
function withContext(binary: Resource, reference: string | undefined): Resource {
  const { securityContext, data, ...rest } = binary
  if (reference === undefined) return binary
  if (securityContext === undefined)
    return { ...rest, securityContext: { reference }, ...(data === undefined ? {} : { data }) }
  if ((securityContext as { readonly reference?: unknown }).reference === reference) return binary
  throw new Problem(
    'invalid',
    'binary.context-differs',
    'X-Security-Context names another resource than securityContext of the body.',
    { expression: 'Binary.securityContext' },
  )
}
