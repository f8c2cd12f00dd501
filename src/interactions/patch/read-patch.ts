import { Decimal, deepestJson, type Json, parseSentJson, printJson, type Resource, toResource } from '#fhir'
import { inSlices, Problem, type Steps } from '#kernel'
import { readResource } from '../rest/body.ts'
import { formatSent, isInUtf8, mediaType } from '../rest/negotiate.ts'
import type { FhirRequest } from '../types.ts'
import { applyPathPatch, parsePathPatch } from './fhirpath-patch.ts'
import { applyJsonPatch, parseJsonPatch } from './json-patch.ts'
import { mapped } from './mapped.ts'
import { applyMergePatch } from './merge-patch.ts'
import { patchFailed } from './patch-problems.ts'

/** What is to be done to a resource, whatever language it was said in. The resource that is given may be changed. */
export type Change = (resource: Resource) => Promise<Resource>

type Read = (json: unknown) => Promise<(resource: Resource) => Promise<unknown>>

const readJsonPatch: Read = async json => {
  const operations = await inSlices(parseJsonPatch(json))
  return resource => applyJsonPatch(resource, operations)
}

const readMergePatch: Read = async json => async resource => applyMergePatch(resource, json)

/** Media types of patches that are plain JSON, and how each is read. */
const languages: Readonly<Record<string, Read>> = {
  'application/json-patch+json': readJsonPatch,
  'application/merge-patch+json': readMergePatch,
}

/** Media types in which a patch may come, beside FHIR's own for a FHIRPath Patch. */
export const patchTypes: readonly string[] = Object.keys(languages)

/**
 * Reads the patch of a request: JSON Patch, merge patch, or FHIRPath Patch as Parameters; in a Bundle's entry the first two are
 * within a Binary.
 *
 * @throws Problem `invalid` · `patch.malformed`, `body.missing`; `unsupported-media` · `body.type-unsupported`, and whatever
 *   `parseSentJson` and `readResource` throw
 * @see https://hl7.org/fhir/R4/http.html#patch
 */
export async function readPatch(request: FhirRequest): Promise<Change> {
  const { resource } = request
  if (resource?.resourceType === 'Binary') return changeBy(await languageOf(resource)(await textWithin(resource)))
  const type = resource === undefined ? (request.header('content-type') ?? '') : ''
  const language = mediaType(type)
  const read = readerOf(type)
  if (read !== undefined) return changeBy(await read(await parseText(await request.body())))
  if (language !== '' && formatSent(request) === undefined) throw unread()
  if (language === 'application/json') return readUnsaid(request)
  const operations = parsePathPatch(await readResource(request, 'Parameters'))
  return changeBy(standing => applyPathPatch(standing, operations))
}

/**
 * A patch that says no more than that it is JSON, as libraries send it that let their HTTP client write the header (fhirpy): a list is
 * a JSON Patch, a resource a FHIRPath Patch, and the one of elements a merge patch.
 */
async function readUnsaid(request: FhirRequest): Promise<Change> {
  const json = await parseText(await request.body())
  const isResource = typeof json === 'object' && json !== null && 'resourceType' in json
  if (isResource) return readPatch({ ...request, resource: toResource(json as Json) })
  return changeBy(await (Array.isArray(json) ? readJsonPatch(json) : readMergePatch(json)))
}

/**
 * The patch of a transaction's entry with each text that stands for a resource of the Bundle put right. What Parameters hold is
 * seen to like all references; a Binary hides its own.
 *
 * @param links  what stands for what
 * @see https://hl7.org/fhir/R4/http.html#trules
 */
export async function linkPatch(patch: Resource, links: ReadonlyMap<string, string>): Promise<Resource> {
  if (patch.resourceType !== 'Binary') return patch
  const text = await textWithin(patch)
  const linked = await inSlices(
    mapped(text, value => (typeof value === 'string' ? (links.get(value) ?? value) : value)),
  )
  return { ...patch, data: Buffer.from(printJson(linked)).toString('base64') }
}

/** What reads a patch of plain JSON; undefined for another language, or in another charset. */
function readerOf(contentType: string): Read | undefined {
  const language = mediaType(contentType)
  return Object.hasOwn(languages, language) && isInUtf8(contentType) ? languages[language] : undefined
}

function unread(): Problem {
  const types = [...patchTypes, 'application/fhir+json or application/fhir+xml']
  const text = `A patch is ${types.join(', ')} (FHIRPath Patch), in UTF-8.`
  return new Problem('unsupported-media', 'body.type-unsupported', text)
}

function languageOf({ contentType }: Resource) {
  const read = typeof contentType === 'string' ? readerOf(contentType) : undefined
  if (read !== undefined) return read
  const text = `The Binary must be ${patchTypes.join(' or ')}, in UTF-8.`
  throw new Problem('unsupported-media', 'body.type-unsupported', text, { expression: 'resource.contentType' })
}

function textWithin({ data }: Resource): Promise<unknown> {
  return parseText(Buffer.from(typeof data === 'string' ? data : '', 'base64'))
}

async function parseText(bytes: Buffer): Promise<unknown> {
  if (bytes.length === 0) throw new Problem('invalid', 'body.missing', 'This interaction needs a patch as its body.')
  return parseSentJson(bytes)
}

/** A patch changes what a resource says, never which one it is. */
function changeBy(apply: (resource: Resource) => Promise<unknown>): Change {
  return async standing => {
    const { resourceType, id = '' } = standing
    const changed = await inSlices(withoutEmpty(await apply(standing)))
    if (typeof changed !== 'object' || changed === null || !isSameIdentity(changed, resourceType, id))
      throw new Problem('unprocessable', 'patch.identity-changed', 'A patch cannot change resourceType or id.', {
        expression: `${resourceType}.id`,
      })
    return toResource(changed as Json)
  }
}

function isSameIdentity(changed: object, resourceType: string, id: string): boolean {
  return 'resourceType' in changed && 'id' in changed && changed.resourceType === resourceType && changed.id === id
}

/**
 * What a patch empties is gone: FHIR knows neither empty lists nor empty elements. And what it nests deeper than JSON may be could never
 * be read again.
 */
function* withoutEmpty(value: unknown, name = '', depth = 0): Steps<unknown> {
  if (typeof value !== 'object' || value === null || value instanceof Decimal) return value
  if (depth === deepestJson) throw patchFailed(`It would nest the resource deeper than ${deepestJson} levels.`)
  yield
  const isList = Array.isArray(value)
  const members: [string, unknown][] = []
  for (const [member, item] of Object.entries(value))
    members.push([member, yield* withoutEmpty(item, isList ? '' : member, depth + 1)])
  if (isList)
    return withoutEmptyItems(
      members.map(([, item]) => item),
      name,
    )
  const kept = members.filter(([, item]) => item !== undefined)
  return kept.length === 0 ? undefined : Object.fromEntries(kept)
}

/** What lies beside the primitives of a list keeps its place there. */
function withoutEmptyItems(items: readonly unknown[], name: string): unknown {
  if (items.every(item => item === undefined || (item === null && name.startsWith('_')))) return undefined
  return name.startsWith('_') ? items.map(item => item ?? null) : items.filter(item => item !== undefined)
}
