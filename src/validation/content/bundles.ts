import { isResourceType, type Resource } from '#fhir'
import { isNode, type Node, walk } from '../walk.ts'
import { type Check, isAbsolute, listOf, type Tell } from './check.ts'

/** An entry with what it is known by. */
interface Entry {
  readonly node: Node
  readonly resource: Node | undefined
  readonly fullUrl: string | undefined
  readonly at: string
}

const withoutFullUrl: ReadonlySet<unknown> = new Set(['batch', 'transaction', 'batch-response', 'transaction-response'])
const restful = /^(https?:\/\/.*\/)([A-Z][A-Za-z]+)\/[A-Za-z0-9\-.]{1,64}$/

/**
 * Entries are known by addresses of their own, which say of what type they are; a request is for the type of what it brings; a document is
 * whole and has nothing that is not of it.
 *
 * @see https://hl7.org/fhir/R4/bundle.html#bundle-unique, #references and https://hl7.org/fhir/R4/documents.html#content
 */
export const checkBundle: Check = ({ node: bundle, at }, tell) => {
  const entries = entriesOf(bundle, at)
  for (const entry of entries) {
    checkFullUrl(entry, bundle.type, tell)
    checkRequest(entry, tell)
  }
  checkLinks(bundle, at, tell)
  if (bundle.type === 'searchset') checkFound(bundle, entries, tell)
  if (bundle.type === 'document') checkDocument(entries, tell)
  if (bundle.type === 'message') checkMessage(entries, tell)
}

/** Relations of which a page has one. @see https://hl7.org/fhir/R4/http.html#paging */
const single: ReadonlySet<unknown> = new Set(['self', 'first', 'previous', 'prev', 'next', 'last'])

function checkLinks({ link }: Node, at: string, tell: Tell): void {
  const seen = new Set<unknown>()
  for (const [index, each] of listOf(link).entries()) {
    if (!isNode(each) || !single.has(each.relation)) continue
    if (seen.has(each.relation)) tell('linkTwice', `${at}/link/${index}/relation`)
    seen.add(each.relation)
  }
}

/** What was found can be read again, is of the type that was asked for, and what is only an outcome is one. @see https://hl7.org/fhir/R4/bundle.html#searchset */
function checkFound({ link }: Node, entries: readonly Entry[], tell: Tell): void {
  const wanted = askedTypes(listOf(link).filter(isNode))
  for (const { node, resource, at } of entries) {
    if (resource === undefined) continue
    const { mode } = isNode(node.search) ? node.search : ({} as Node)
    const isOutcome = resource.resourceType === 'OperationOutcome'
    if (mode === 'outcome' && !isOutcome) tell('foundOutcome', `${at}/resource`)
    if (resource.id === undefined && !isOutcome && mode !== 'outcome') tell('foundId', `${at}/resource`)
    if (mode === 'match' && wanted.length > 0 && !wanted.includes(String(resource.resourceType)))
      tell('foundType', `${at}/resource`)
  }
}

/** The types of a search, by how the page calls itself; none where that does not tell. */
function askedTypes(links: readonly Node[]): readonly string[] {
  const self = links.find(({ relation }) => relation === 'self')?.url
  if (typeof self !== 'string') return []
  const [path = '', query = ''] = self.split('?')
  const types = new URLSearchParams(query).get('_type')?.split(',') ?? []
  const last =
    path
      .replace(/\/(?:_search)?$/, '')
      .split('/')
      .at(-1) ?? ''
  return isResourceType(last) ? [last] : types.filter(type => isResourceType(type))
}

function entriesOf({ entry }: Node, at: string): readonly Entry[] {
  return listOf(entry)
    .filter(isNode)
    .map((node, index) => ({
      node,
      resource: isNode(node.resource) ? node.resource : undefined,
      fullUrl: typeof node.fullUrl === 'string' ? node.fullUrl : undefined,
      at: `${at}/entry/${index}`,
    }))
}

function checkFullUrl({ node, resource, fullUrl, at }: Entry, type: unknown, tell: Tell): void {
  if (fullUrl === undefined) {
    const isOutcome = isNode(node.search) && node.search.mode === 'outcome'
    if (resource !== undefined && !withoutFullUrl.has(type) && !isOutcome) tell('fullUrlMissing', `${at}/fullUrl`)
    return
  }
  if (!isAbsolute(fullUrl)) tell('fullUrlRelative', `${at}/fullUrl`)
  const [, , named = ''] = restful.exec(fullUrl) ?? []
  // What a search found within another resource has the address of that one, and its own id behind it.
  if (resource === undefined || !isResourceType(named) || fullUrl.includes('#')) return
  if (named !== resource.resourceType) tell('fullUrlType', `${at}/fullUrl`)
  else if (withIds.has(type) && !fullUrl.endsWith(`/${resource.id}`)) tell('fullUrlId', `${at}/fullUrl`)
}

/** Bundles of what has been stored somewhere; R4's own messages and collections say otherwise. */
const withIds: ReadonlySet<unknown> = new Set(['document', 'searchset'])

const bringing: ReadonlySet<unknown> = new Set(['POST', 'PUT'])

function checkRequest({ node: { request }, resource, at }: Entry, tell: Tell): void {
  if (!isNode(request) || resource === undefined || !bringing.has(request.method)) return
  const [type = '', ...rest] = String(request.url).split(/[/?]/)
  const isOperation = [type, ...rest].some(part => part.startsWith('$') || part === '_search')
  if (!isOperation && isResourceType(type) && type !== resource.resourceType) tell('requestType', `${at}/request/url`)
}

function checkDocument(entries: readonly Entry[], tell: Tell): void {
  const [composition] = entries
  if (composition?.resource === undefined) return
  const addresses = new Addresses(entries)
  for (const { reference, at } of referencesOf(composition))
    if (wantedOfDocument.test(at) && addresses.find(reference, composition) === undefined)
      tell('documentLacks', `${composition.at}/resource${at}/reference`)
  for (const entry of strangersTo(composition, entries, addresses)) tell('documentStranger', entry.at)
}

/** What a message is about is in it: a place that an entry has under another address is not that entry. @see https://hl7.org/fhir/R4/messaging.html#bundle */
function checkMessage(entries: readonly Entry[], tell: Tell): void {
  const [header] = entries
  if (header?.resource === undefined) return
  const addresses = new Addresses(entries)
  for (const { reference, at } of referencesOf(header))
    if (/^\/focus\/\d+$/.test(at) && addresses.isMisplaced(reference, header))
      tell('messageLacks', `${header.at}/resource${at}/reference`)
}

/** What of a composition has to be in its document. */
const wantedOfDocument =
  /^\/(?:subject|encounter|author\/\d+|custodian|attester\/\d+\/party|event\/\d+\/detail\/\d+|(?:section\/\d+\/)+(?:entry\/\d+|author\/\d+|focus))$/

/** Entries by what references can call them. */
class Addresses {
  readonly #byUrl = new Map<string, Entry[]>()
  readonly #byPlace = new Map<string, Entry[]>()

  constructor(entries: readonly Entry[]) {
    for (const entry of entries) {
      if (entry.fullUrl !== undefined) add(this.#byUrl, entry.fullUrl, entry)
      if (entry.resource?.id !== undefined)
        add(this.#byPlace, `${entry.resource.resourceType}/${entry.resource.id}`, entry)
    }
  }

  /** A relative reference is one from where the entry came from: an entry that comes from nowhere, as `urn:uuid:` says, has none that lead anywhere. */
  find(reference: string, from: Entry): Entry | undefined {
    const [whole = '', version] = reference.replace(/#.*$/, '').split('/_history/')
    const found = isAbsolute(whole) ? this.#byUrl.get(whole) : this.#relative(whole, from)
    return version === undefined ? found?.[0] : found?.find(({ resource }) => versionOf(resource) === version)
  }

  /** Whether an entry looks like what is meant, and is another one by its address. */
  isMisplaced(reference: string, from: Entry): boolean {
    return this.find(reference, from) === undefined && this.#byPlace.has(reference)
  }

  #relative(place: string, { fullUrl }: Entry): readonly Entry[] | undefined {
    if (fullUrl === undefined) return this.#byPlace.get(place)
    const [, base] = restful.exec(fullUrl) ?? []
    return base === undefined ? undefined : this.#byUrl.get(base + place)
  }
}

function add(map: Map<string, Entry[]>, key: string, entry: Entry): void {
  const known = map.get(key)
  if (known === undefined) map.set(key, [entry])
  else known.push(entry)
}

function versionOf(resource: Node | undefined): unknown {
  return isNode(resource?.meta) ? resource.meta.versionId : undefined
}

interface Link {
  readonly reference: string
  /** Below the resource. */
  readonly at: string
}

function referencesOf({ resource }: Entry): readonly Link[] {
  const links: Link[] = []
  if (resource === undefined) return links
  walk(resource as Resource, ({ reference }, shape, _element, at) => {
    if (shape.type === 'Reference' && typeof reference === 'string' && !reference.startsWith('#'))
      links.push({ reference, at })
  })
  return links
}

/** Entries that nothing leads to, from the composition on; who speaks of what belongs to the document, as a Provenance does, belongs to it too. */
function strangersTo(first: Entry, entries: readonly Entry[], addresses: Addresses): readonly Entry[] {
  const links = new Map(entries.map(entry => [entry, targetsOf(entry, addresses)]))
  const reached = new Set<Entry>([first])
  for (const entry of reached) for (const target of links.get(entry) ?? []) reached.add(target)
  const speaking = entries.filter(
    entry => !reached.has(entry) && (links.get(entry) ?? []).some(each => reached.has(each)),
  )
  for (const entry of speaking) reached.add(entry)
  for (const entry of reached) for (const target of links.get(entry) ?? []) reached.add(target)
  return entries.filter(
    entry => entry.resource !== undefined && entry.resource.resourceType !== 'Binary' && !reached.has(entry),
  )
}

function targetsOf(entry: Entry, addresses: Addresses): readonly Entry[] {
  return referencesOf(entry).flatMap(({ reference }) => addresses.find(reference, entry) ?? [])
}
