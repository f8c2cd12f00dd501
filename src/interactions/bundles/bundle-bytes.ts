import { printJson, type Resource, toInstant } from '#fhir'
import { atOnce, inSlices, type Steps, withBudget } from '#kernel'
import type { Stored } from '#record'
import { printEtag } from '../rest/etag.ts'

/** What stands before the entries of a Bundle. */
export interface BundleHead {
  readonly type: 'searchset' | 'history' | 'batch-response' | 'transaction-response'
  readonly total?: number | undefined
  readonly links?: Readonly<Record<string, string | undefined>>
}

/** Each the parts of one entry's JSON object. */
type Entries = readonly (readonly (Buffer | string)[])[]

/** A Bundle whose resources are the stored bytes as they are: they are copied, neither parsed nor printed. */
export function bundleBytes(head: BundleHead, entries: Entries): Buffer {
  return atOnce(bundleBytesInSteps(head, entries))
}

/** So much is copied in one go. */
const bytesAtATime = 1024 * 1024

/** The same, for answers to many entries, which may have tens of megabytes: to copy those takes many milliseconds. */
export function* bundleBytesInSteps(head: BundleHead, entries: Entries): Steps<Buffer> {
  const parts = partsOf(head, entries)
  const whole = Buffer.allocUnsafe(sizeOf(parts))
  let at = 0
  let copied = 0
  for (const part of parts) {
    at += part.copy(whole, at)
    copied += part.length
    if (copied < bytesAtATime) continue
    copied = 0
    yield
  }
  return whole
}

/** The same while others have their turns. What was asked for is done by now: no budget refuses to say so. */
export function answerBytes(head: BundleHead, entries: Entries): Promise<Buffer> {
  return withBudget('unbounded', () => inSlices(bundleBytesInSteps(head, entries)))
}

function partsOf(head: BundleHead, entries: Entries): readonly Buffer[] {
  const parts: Buffer[] = [Buffer.from(printHead(head))]
  entries.forEach((entry, at) => {
    parts.push(at === 0 ? opening : comma)
    for (const part of entry) parts.push(typeof part === 'string' ? Buffer.from(part) : part)
  })
  parts.push(entries.length === 0 ? empty : closing)
  return parts
}

/** Bytes of the parts of one entry, about: texts are nearly all ASCII. */
export function sizeOf(parts: readonly (Buffer | string)[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0)
}

const opening = Buffer.from(',"entry":[')
const comma = Buffer.from(',')
const closing = Buffer.from(']}')
const empty = Buffer.from('}')

function printHead({ type, total, links = {} }: BundleHead): string {
  const link = Object.entries(links).flatMap(([relation, url]) => (url === undefined ? [] : [{ relation, url }]))
  const fields = {
    resourceType: 'Bundle',
    type,
    ...(total === undefined ? {} : { total }),
    ...(link.length > 0 ? { link } : {}),
  }
  return JSON.stringify(fields).slice(0, -1)
}

/**
 * One entry of a searchset.
 *
 * @param json  what is shown of the resource
 * @param part  of what lies within a resource `#id`: its address is that of what holds it, and this
 * @see https://hl7.org/fhir/R4/search.html#contained
 */
export function searchEntry(
  stored: Stored,
  json: Buffer,
  {
    mode,
    baseUrl,
    part = '',
  }: { readonly mode: 'match' | 'include'; readonly baseUrl: string; readonly part?: string },
): (Buffer | string)[] {
  return [`{"fullUrl":${fullUrl(baseUrl, stored, part)},"resource":`, json, `,"search":{"mode":"${mode}"}}`]
}

/** The entry of a searchset that tells about the search itself. */
export function outcomeEntry(outcome: Resource): string[] {
  return [`{"resource":${printJson(outcome)},"search":{"mode":"outcome"}}`]
}

/** What was answered when a version was written: a PUT that brings back what was deleted creates it, as a first one does. */
function historyStatus({ deleted, created }: Stored): string {
  if (deleted) return '204'
  return created ? '201' : '200'
}

/**
 * One entry of a history; its response is what the write was answered.
 *
 * @see https://hl7.org/fhir/R4/http.html#history and https://hl7.org/fhir/R4/bundle-definitions.html#Bundle.entry.response
 */
export function historyEntry(stored: Stored, baseUrl: string): (Buffer | string)[] {
  const url = stored.method === 'POST' ? stored.type : `${stored.type}/${stored.id}`
  const meta = {
    request: { method: stored.method, url },
    response: {
      status: historyStatus(stored),
      etag: printEtag(stored.version),
      lastModified: toInstant(stored.lastUpdatedMs),
    },
  }
  const end = JSON.stringify(meta).slice(1)
  const start = `{"fullUrl":${fullUrl(baseUrl, stored)},`
  return stored.deleted ? [start + end] : [`${start}"resource":`, stored.json, `,${end}`]
}

function fullUrl(baseUrl: string, stored: Pick<Stored, 'type' | 'id'>, part = ''): string {
  return JSON.stringify(`${baseUrl}/${stored.type}/${stored.id}${part}`)
}
