import { type Json, parseJson, type Resource, toResource } from '#fhir'
import { collect, isProblem, Problem } from '#kernel'
import type { IngestLimits } from '../limits.ts'

/** A resource of the file and the URL it is known by there. */
export interface Found {
  readonly resource: Resource
  readonly fullUrl: string | undefined
}

/** A row of the file that holds no resource; `row` is what it is called in the report. */
export interface NotFound {
  readonly row: string
  readonly malformed: boolean
}

/**
 * The resources of a Bundle of any type, or the one resource that the file is.
 *
 * @throws Problem `too-large` · `body.too-large`; `invalid` · `json.…`, `fhir.…`
 */
export async function readBundle(
  chunks: AsyncIterable<Uint8Array>,
  limits: IngestLimits,
): Promise<readonly (Found | NotFound)[]> {
  const bytes = withoutMark(await collect(chunks, limits.maxWhole))
  const resource = toResource(parseJson(bytes))
  if (resource.resourceType !== 'Bundle') return [{ resource, fullUrl: undefined }]
  return Array.isArray(resource.entry) ? resource.entry.map(readEntry) : []
}

function withoutMark(bytes: Buffer): Buffer {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes
}

function readEntry(entry: { readonly [name: string]: Json } | null): Found | NotFound {
  const method = (entry?.request as { method?: Json } | undefined)?.method
  if (entry?.resource === undefined || method === 'DELETE' || method === 'PATCH')
    return { row: 'entry-without-resource', malformed: false }
  const fullUrl = typeof entry.fullUrl === 'string' ? entry.fullUrl : undefined
  return resourceOf(entry.resource, fullUrl)
}

/** A type that R4 does not know is that row's fault, not the file's. */
function resourceOf(json: Json, fullUrl: string | undefined): Found | NotFound {
  try {
    return { resource: toResource(json), fullUrl }
  } catch (error) {
    if (isProblem(error, 'invalid')) return { row: 'unknown-resource', malformed: true }
    throw error
  }
}

/**
 * The resources of NDJSON, line by line. A line that is no JSON is a row of its own.
 *
 * @throws Problem `too-large` · `ingest.token-too-long`
 */
export async function* readNdjson(
  chunks: AsyncIterable<Uint8Array>,
  limits: IngestLimits,
): AsyncGenerator<Found | NotFound, void, void> {
  for await (const line of lines(chunks, limits.maxLine)) {
    const text = line.trim()
    if (text !== '') yield parseLine(text)
  }
}

function parseLine(text: string): Found | NotFound {
  try {
    return resourceOf(parseJson(text), undefined)
  } catch (error) {
    if (isProblem(error, 'invalid')) return { row: 'line', malformed: true }
    throw error
  }
}

async function* lines(chunks: AsyncIterable<Uint8Array>, maxLine: number): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder('utf-8')
  let rest = ''
  for await (const chunk of chunks) {
    const pieces = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = pieces.pop() ?? ''
    if (rest.length > maxLine)
      throw new Problem('too-large', 'ingest.token-too-long', 'One line of the file is longer than is accepted.')
    yield* pieces
  }
  yield rest + decoder.decode()
}
