import { atOnce, type Steps } from '#kernel'
import { type ElementDefinition, isResourceType, type Shape, shapeOf, shapeOfElement } from './definitions.ts'
import type { Resource } from './resource.ts'

/** What `Reference.reference` points at; which of the fields are there depends on the kind. */
export interface ParsedReference {
  /** `local`: a resource of this server. `conditional`: `Type?query` in a transaction. `other`: none of the known forms. */
  readonly kind: 'local' | 'absolute' | 'urn' | 'fragment' | 'conditional' | 'other'
  readonly type?: string
  /** Logical id; for `fragment` the id of the contained resource, empty for the resource itself. */
  readonly id?: string
  readonly version?: string
  /** The whole text of `absolute` and `urn`; the query of `conditional`. */
  readonly url?: string
}

const relativePlace = /^([A-Z][A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})(?:\/_history\/([A-Za-z0-9\-.]{1,64}))?$/
const absolutePlace = /\/([A-Z][A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})(?:\/_history\/([A-Za-z0-9\-.]{1,64}))?$/

/**
 * Reads a literal reference: `Patient/1`, `Patient/1/_history/2`, an absolute URL, `urn:uuid:…`, `urn:oid:…`, `#contained`,
 * `Patient?identifier=…`. An absolute URL below `baseUrl` is local. Other spellings of these, `/Patient/1`, `Patient/1/`, `Patient/1#x`,
 * `HTTP://…`, lead where a client that resolves them would come to: what leads here is local, or it would be nobody's.
 *
 * @param baseUrl  of this server's FHIR endpoint, without a slash at its end
 * @see            https://hl7.org/fhir/R4/references.html#literal
 */
export function parseReference(text: string, baseUrl?: string): ParsedReference {
  if (text.startsWith('#')) return { kind: 'fragment', id: text.slice(1) }
  if (text.startsWith('urn:uuid:') || text.startsWith('urn:oid:')) return { kind: 'urn', url: text }
  const isBelow = baseUrl !== undefined && text.startsWith(`${baseUrl}/`)
  if (!isBelow && isPlainUrl(text, baseUrl)) return parseAbsolute(text)
  const relative = parseRelative(isBelow ? text.slice(baseUrl.length + 1) : text)
  return relative.kind === 'other' ? parseSpelt(text, baseUrl || nowhere) : relative
}

/** Whether a text is a URL of another host, as nearly all are. */
function isPlainUrl(text: string, baseUrl: string | undefined): boolean {
  if (!text.startsWith('http://') && !text.startsWith('https://')) return false
  return baseUrl === undefined || !text.toLowerCase().includes(baseOf(baseUrl).hostname)
}

/** A base below which nothing is stored. */
const nowhere = 'http://nowhere.invalid'

interface Base {
  readonly host: string
  readonly hostname: string
  /** Without a slash at its end. */
  readonly path: string
}

const bases = new Map<string, Base>()

function baseOf(baseUrl: string): Base {
  const known = bases.get(baseUrl)
  if (known !== undefined) return known
  const { host, hostname, pathname } = URL.parse(baseUrl) ?? new URL(nowhere)
  const base = { host, hostname, path: pathname.replace(/\/+$/, '') }
  bases.set(baseUrl, base)
  return base
}

/**
 * What is spelt otherwise than the specification does, resolved as URLs are: the scheme and the host in any case, dot segments, a path
 * from the root of the host, percent-encoded letters, a slash, query or fragment behind the id. Without a host no other server is meant.
 *
 * @see https://www.rfc-editor.org/rfc/rfc3986#section-5.2 and #section-6.2
 */
function parseSpelt(text: string, baseUrl: string): ParsedReference {
  const base = baseOf(baseUrl)
  const url = URL.parse(text, `${baseUrl}/`)
  if (url === null || !/^https?:$/.test(url.protocol)) return { kind: 'other' }
  const path = plainPath(url.pathname)
  const hasHost = /^\s*https?:/i.test(text)
  const place = url.host === base.host ? placeBelow(path, base.path, hasHost) : undefined
  if (place !== undefined) return { kind: 'local', ...place }
  if (hasHost) return { kind: 'absolute', ...placeOf(absolutePlace.exec(path)), url: text }
  return { kind: 'other', ...(text.startsWith('/') ? placeOf(absolutePlace.exec(path)) : {}) }
}

function placeBelow(path: string, root: string, hasHost: boolean): Place | undefined {
  if (path.startsWith(`${root}/`)) return placeOf(relativePlace.exec(path.slice(root.length + 1)))
  return hasHost ? undefined : placeOf(relativePlace.exec(path.slice(1)))
}

function plainPath(pathname: string): string {
  const letters = pathname.replace(/%[0-9A-F]{2}/gi, code => {
    const letter = String.fromCharCode(Number.parseInt(code.slice(1), 16))
    return /[\w.~-]/.test(letter) ? letter : code
  })
  return letters.replace(/\/{2,}/g, '/').replace(/\/$/, '')
}

function parseRelative(text: string): ParsedReference {
  const place = placeOf(relativePlace.exec(text))
  if (place !== undefined) return { kind: 'local', ...place }
  const question = text.indexOf('?')
  const type = text.slice(0, Math.max(question, 0))
  return isResourceType(type) ? { kind: 'conditional', type, url: text.slice(question + 1) } : { kind: 'other' }
}

function parseAbsolute(text: string): ParsedReference {
  return { kind: 'absolute', ...placeOf(absolutePlace.exec(text)), url: text }
}

interface Place {
  readonly type: string
  readonly id: string
  readonly version?: string
}

function placeOf(match: RegExpExecArray | null): Place | undefined {
  const [, type = '', id = '', version] = match ?? []
  if (!isResourceType(type)) return undefined
  return version === undefined ? { type, id } : { type, id, version }
}

/** Gives the text that shall stand in place of the old one; the same text changes nothing. */
type Replace = (text: string, path: string) => string
/** Whether an element's text is to be replaced. */
type Wanted = (parent: Shape, element: ElementDefinition) => boolean

interface Walk {
  readonly wanted: Wanted
  readonly visit: Replace
  readonly narrative: boolean
}

/**
 * Visits every `Reference.reference` of a resource, depth first, also in extensions, contained resources and the entries of a
 * Bundle; what `visit` returns replaces the text in place. Elements of other types that are named `reference` are left alone.
 *
 * @param visit  gets the text and the path of the Reference, e.g. `Observation.performer[1]`
 */
export function mapReferences(resource: Resource, visit: Replace): void {
  atOnce(mapReferencesInSteps(resource, visit))
}

/** The same, a node at a time: for a resource that somebody sent, which may be large. */
export function mapReferencesInSteps(resource: Resource, visit: Replace): Steps<void> {
  return walkResource(resource, resource.resourceType, { wanted: isReference, visit, narrative: false })
}

const linkTypes: ReadonlySet<string> = new Set(['uri', 'url', 'oid', 'uuid', 'canonical'])

/**
 * As `mapReferences`, and also every uri, url, oid, uuid and canonical, and `href` and `src` in narratives: the links that
 * a transaction must rewrite. For these the path is that of the element itself.
 *
 * @see https://hl7.org/fhir/R4/http.html#trules
 */
export function mapLinks(resource: Resource, visit: Replace): void {
  atOnce(mapLinksInSteps(resource, visit))
}

/** The same, a node or a link at a time: for a resource that somebody sent, which may be large. */
export function mapLinksInSteps(resource: Resource, visit: Replace): Steps<void> {
  const wanted: Wanted = (parent, element) => isReference(parent, element) || linkTypes.has(element.type)
  return walkResource(resource, resource.resourceType, { wanted, visit, narrative: true })
}

function isReference(parent: Shape, element: ElementDefinition): boolean {
  return parent.type === 'Reference' && element.name === 'reference'
}

interface Node {
  [element: string]: unknown
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null
}

function* walkResource(value: Node, path: string, walk: Walk): Steps<void> {
  const { resourceType } = value
  if (typeof resourceType !== 'string' || !isResourceType(resourceType)) return
  yield* walkNode(value, shapeOf(resourceType), path, walk)
}

function* walkNode(node: Node, shape: Shape, path: string, walk: Walk): Steps<void> {
  yield
  for (const name in node) {
    if (name.charCodeAt(0) === 0x5f) {
      yield* walkEach(node[name], shapeOf('Element'), `${path}.${name.slice(1)}`, walk)
      continue
    }
    const element = shape.elements.get(name)
    if (element !== undefined) yield* walkElement(node, shape, element, path, walk)
  }
}

function* walkElement(node: Node, shape: Shape, element: ElementDefinition, path: string, walk: Walk): Steps<void> {
  const value = node[element.name]
  if (typeof value === 'string') {
    const next = walk.narrative && element.type === 'xhtml' ? yield* mapNarrative(value, path, walk.visit) : undefined
    // An unchanged text is not written, so that a mere look works on frozen resources too.
    const text = next ?? mapText(value, shape, element, path, walk)
    if (text !== value) node[element.name] = text
  } else if (Array.isArray(value) && walk.wanted(shape, element)) {
    yield* replaceTexts(value, `${path}.${element.name}`, walk.visit)
  } else if (isNode(value)) {
    yield* walkEach(value, shapeOfElement(shape, element), `${path}.${element.name}`, walk)
  }
}

function mapText(text: string, shape: Shape, element: ElementDefinition, path: string, walk: Walk): string {
  return walk.wanted(shape, element) ? walk.visit(text, placeName(shape, element, path)) : text
}

function placeName(shape: Shape, element: ElementDefinition, path: string): string {
  return isReference(shape, element) ? path : `${path}.${element.name}`
}

/** An element, or each of its list. @param shape  undefined for resources */
function* walkEach(value: unknown, shape: Shape | undefined, path: string, walk: Walk): Steps<void> {
  if (!Array.isArray(value)) return yield* walkChild(value, shape, path, walk)
  for (let index = 0; index < value.length; index++) yield* walkChild(value[index], shape, `${path}[${index}]`, walk)
}

function* walkChild(item: unknown, shape: Shape | undefined, path: string, walk: Walk): Steps<void> {
  if (!isNode(item)) return
  if (shape === undefined) yield* walkResource(item, path, walk)
  else yield* walkNode(item, shape, path, walk)
}

function* replaceTexts(list: unknown[], path: string, visit: Replace): Steps<void> {
  for (const [index, item] of list.entries()) {
    yield
    const next = typeof item === 'string' ? visit(item, `${path}[${index}]`) : item
    if (next !== item) list[index] = next
  }
}

/** Links in narrative are attributes, quoted either way; XHTML needs the quotes. */
const linkInNarrative = /(\s(?:href|src)\s*=\s*)("[^"<]*"|'[^'<]*')/g

function* mapNarrative(xhtml: string, path: string, visit: Replace): Steps<string> {
  const pieces: string[] = []
  let end = 0
  for (const { 0: link, 1: attribute = '', 2: quoted = '', index } of xhtml.matchAll(linkInNarrative)) {
    yield
    const mark = quoted.charAt(0)
    const next = visit(quoted.slice(1, -1), `${path}.div`)
    pieces.push(xhtml.slice(end, index), `${attribute}${mark}${next}${mark}`)
    end = index + link.length
  }
  return pieces.length === 0 ? xhtml : pieces.join('') + xhtml.slice(end)
}
