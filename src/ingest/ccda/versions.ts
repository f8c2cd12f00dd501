import type { Resource } from '#fhir'
import type { Node } from '../hl7v2/drafts.ts'
import type { Outcome } from '../outcome.ts'
import type { ReadContext } from '../read-context.ts'
import { identifierOf } from './data-types.ts'
import type { CdaElement } from './element.ts'

/** What the record knows of the set of documents that one belongs to. */
export interface DocumentVersions {
  /** Ids of the DocumentReferences whose place it takes. */
  readonly replaced: readonly string[]
  /** A later version of it is there. */
  readonly isReplaced: boolean
  /** Ids by the number of the document, `system|value`. */
  readonly byNumber: ReadonlyMap<string, string>
}

/** A document that another one takes the place of stays, and says so. */
export function superseding(id: string): Extract<Outcome, { kind: 'amend' }> {
  const change = (current: Resource) =>
    current.status === 'current' ? { ...current, status: 'superseded' } : undefined
  return { kind: 'amend', row: 'document', type: 'DocumentReference', id, change }
}

/** What another document has replaced stays replaced. Pure. */
export function stillSuperseded(stored: Resource, anew: Resource): Resource {
  return stored.status === 'superseded' ? { ...anew, status: 'superseded' } : anew
}

/**
 * Looks for the other versions of a document: those of its set, by their numbers, and those that it says it replaces.
 *
 * @param document  with its header
 * @see             https://hl7.org/cda/us/ccda, ClinicalDocument.setId, versionNumber and relatedDocument
 */
export async function versionsOf(document: CdaElement, context: ReadContext): Promise<DocumentVersions> {
  const own = numberOf(document.find('versionNumber')?.attribute('value'))
  const others = await ofNumbers(document.all('setId'), context)
  const versions = others.flatMap(one => {
    const version = versionOfSet(one)
    const isOther = !isOfNumber(one, document.find('id')) && own !== undefined && version !== undefined
    return isOther ? [{ id: String(one.id), version, isOlder: version < own, isNewer: version > own }] : []
  })
  const parents = document
    .all('relatedDocument')
    .filter(one => one.attributes.typeCode === 'RPLC')
    .flatMap(one => one.at('parentDocument.id'))
  const named = await ofNumbers(parents, context)
  const older = versions.filter(({ isOlder }) => isOlder).map(({ id }) => id)
  return {
    replaced: [...new Set([...older, ...named.map(({ id }) => String(id))])],
    isReplaced: versions.some(({ isNewer }) => isNewer),
    byNumber: new Map(named.flatMap(one => keysOf(one).map(key => [key, String(one.id)] as const))),
  }
}

/** A document has one set and replaces one other, seldom two. */
const mostNumbers = 20

async function ofNumbers(ids: readonly CdaElement[], context: ReadContext): Promise<readonly Resource[]> {
  const numbers = ids.map(id => identifierOf(id)).flatMap(one => (one === undefined ? [] : [keyOf(one)]))
  // What a search takes for its own signs is no number that is looked for.
  const asked = numbers.filter(number => !/[,$\\]/.test(number)).slice(0, mostNumbers)
  return asked.length === 0 ? [] : context.kept('DocumentReference', { identifier: asked.join(',') })
}

function keyOf({ system, value }: Node): string {
  return `${system ?? ''}|${value}`
}

function keysOf({ identifier, masterIdentifier }: Resource): readonly string[] {
  const all = [masterIdentifier, ...(Array.isArray(identifier) ? identifier : [])] as (Node | undefined)[]
  return all.flatMap(one => (one === undefined ? [] : [keyOf(one)]))
}

function isOfNumber(one: Resource, id: CdaElement | undefined): boolean {
  const number = id && identifierOf(id)
  return number !== undefined && keysOf({ ...one, identifier: [] }).includes(keyOf(number))
}

function versionOfSet({ identifier }: Resource): number | undefined {
  const all = (Array.isArray(identifier) ? identifier : []) as {
    extension?: { url?: string; valueString?: string }[]
  }[]
  const found = all.flatMap(({ extension = [] }) => extension).find(({ url }) => url === versionUrl)
  return numberOf(found?.valueString)
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

const versionUrl = 'urn:kinhold:cda:version-number'

/** setId and versionNumber: of which set a document is which version. */
export function setOf(document: CdaElement): readonly Node[] {
  const set = document.find('setId')
  const identifier = set && identifierOf(set)
  const version = document.find('versionNumber')?.use().attribute('value')
  if (identifier === undefined) return []
  const extension = version === undefined ? [] : [{ url: versionUrl, valueString: version }]
  return [{ ...(extension.length === 0 ? {} : { extension }), ...identifier, type: { text: 'Set of documents' } }]
}

/** Where the document is that a number names, if it is here. */
export function referenceTo(identifier: Node, { byNumber }: DocumentVersions): Node {
  const id = byNumber.get(keyOf(identifier))
  return id === undefined ? {} : { reference: `DocumentReference/${id}` }
}
