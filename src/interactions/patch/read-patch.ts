import { Decimal, type Json, parseSentJson, printJson, type Resource, toResource } from '#fhir'
import { Problem } from '#kernel'
import { readResource } from '../rest/body.ts'
import { mediaType } from '../rest/negotiate.ts'
import type { FhirRequest } from '../types.ts'
import { applyPathPatch, parsePathPatch } from './fhirpath-patch.ts'
import { applyJsonPatch, parseJsonPatch } from './json-patch.ts'
import { applyMergePatch } from './merge-patch.ts'

/** What is to be done to a resource, whatever language it was said in. The resource that is given may be changed. */
export type Change = (resource: Resource) => Promise<Resource>

/** Media types of patches that are plain JSON, and how each is read. */
const languages: Readonly<Record<string, (json: unknown) => (resource: Resource) => Promise<unknown>>> = {
  'application/json-patch+json': json => {
    const operations = parseJsonPatch(json)
    return resource => applyJsonPatch(resource, operations)
  },
  'application/merge-patch+json': json => {
    return async resource => applyMergePatch(resource, json)
  },
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
  if (resource?.resourceType === 'Binary') return changeBy(languageOf(resource)(await textWithin(resource)))
  const language = resource === undefined ? mediaType(request.header('content-type') ?? '') : ''
  const read = Object.hasOwn(languages, language) ? languages[language] : undefined
  if (read !== undefined) return changeBy(read(await parseText(await request.body())))
  const operations = parsePathPatch(await readResource(request, 'Parameters'))
  return changeBy(standing => applyPathPatch(standing, operations))
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
  const linked = withLinks(await textWithin(patch), links)
  return { ...patch, data: Buffer.from(printJson(linked)).toString('base64') }
}

function withLinks(value: unknown, links: ReadonlyMap<string, string>): unknown {
  if (typeof value === 'string') return links.get(value) ?? value
  if (Array.isArray(value)) return value.map(item => withLinks(item, links))
  if (typeof value !== 'object' || value === null || value instanceof Decimal) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withLinks(item, links)]))
}

function languageOf({ contentType }: Resource) {
  const type = typeof contentType === 'string' ? mediaType(contentType) : ''
  const read = Object.hasOwn(languages, type) ? languages[type] : undefined
  if (read !== undefined) return read
  throw new Problem('unsupported-media', 'body.type-unsupported', `The Binary must be ${patchTypes.join(' or ')}.`, {
    expression: 'resource.contentType',
  })
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
    const changed = withoutEmpty(await apply(standing))
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

/** What a patch empties is gone: FHIR knows neither empty lists nor empty elements. */
function withoutEmpty(value: unknown, name = ''): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Decimal) return value
  if (Array.isArray(value))
    return withoutEmptyItems(
      value.map(item => withoutEmpty(item)),
      name,
    )
  const members = Object.entries(value).flatMap(([member, item]) => {
    const kept = withoutEmpty(item, member)
    return kept === undefined ? [] : [[member, kept] as const]
  })
  return members.length === 0 ? undefined : Object.fromEntries(members)
}

/** What lies beside the primitives of a list keeps its place there. */
function withoutEmptyItems(items: readonly unknown[], name: string): unknown {
  if (items.every(item => item === undefined || (item === null && name.startsWith('_')))) return undefined
  return name.startsWith('_') ? items.map(item => item ?? null) : items.filter(item => item !== undefined)
}
