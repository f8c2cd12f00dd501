import { isInstant, type Json, parseReference, type Resource, toResource } from '#fhir'
import { giveWay, isProblem, Problem } from '#kernel'
import type { IngestLimits } from '../limits.ts'
import { rowName } from '../outcome.ts'
import { JsonListSplitter } from '../source/json-list.ts'
import { parseRow } from '../source/parse-row.ts'
import { decoded } from '../source/text.ts'
import { type Version, versionOf } from './versions.ts'

/** A resource of the file and the URL it is known by there. */
export interface Found {
  readonly resource: Resource
  readonly fullUrl: string | undefined
  readonly version: Version
  /** The file has the newest first. */
  readonly backwards: boolean
}

/** An entry that says that a resource is no more. */
export interface Gone {
  readonly gone: { readonly type: string; readonly id: string }
  readonly fullUrl: string | undefined
  readonly version: Version
  readonly backwards: boolean
}

/** A row of the file that holds no resource; `row` is what it is called in the report. */
export interface NotFound {
  readonly row: string
  readonly malformed: boolean
  /** What it calls itself. */
  readonly type?: string
}

/** A row of a FHIR file. */
export type Row = Found | Gone | NotFound

/** A file, or a file inside an archive: it is opened more than once. */
export interface FhirFile {
  readonly form: 'bundle' | 'ndjson'
  /** Base address of the server that its resources come from, where the file itself does not say it: ids are unique there alone. */
  readonly server?: string | undefined
  open(): AsyncIterable<Uint8Array>
}

/**
 * The rows of a file: the entries of a Bundle of any type, the lines of NDJSON, or the one resource that the file is. Holds one
 * of them at a time.
 *
 * @throws Problem `too-large` · `body.too-large`, `ingest.token-too-long`; `invalid` · `json.…`, `fhir.…`, `ingest.truncated`
 */
export async function* readRows(
  file: FhirFile,
  limits: IngestLimits,
  onDoubt: () => void,
): AsyncGenerator<Row, void, void> {
  const rows = file.form === 'ndjson' ? readNdjson(file, limits, onDoubt) : readBundle(file, limits, onDoubt)
  for await (const row of rows) {
    yield addressed(row, file)
    // A piece of text may hold some thousand.
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
}

/** https://hl7.org/fhir/R4/bundle.html#references: with its address a resource is told from that of another server with the same id. */
function addressed(row: Row, { server }: FhirFile): Row {
  if (server === undefined || !('resource' in row) || row.fullUrl !== undefined) return row
  const { id, resourceType } = row.resource
  return id === undefined ? row : { ...row, fullUrl: `${server}/${resourceType}/${id}` }
}

async function* readBundle(file: FhirFile, limits: IngestLimits, onDoubt: () => void): AsyncGenerator<Row, void, void> {
  const { isBundle, type, texts } = await readHead(file, limits, onDoubt)
  if (!isBundle) {
    yield resourceOf(await parseRow(await wholeText(texts, limits)))
    return
  }
  const splitter = new JsonListSplitter('entry', limits.maxLine)
  for await (const text of texts)
    for (const element of splitter.write(text)) yield readEntry(await parseRow(element), type)
  yield* aroundEntries(toResource(await parseRow(splitter.end())))
}

function aroundEntries(shell: Resource): readonly Row[] {
  // What names a Bundle within it before it names itself is read as what it is after all.
  if (shell.resourceType !== 'Bundle') return [resourceOf(shell as Json)]
  const isNoList = shell.entry !== undefined && !Array.isArray(shell.entry)
  const unheard = Object.keys(shell).filter(name => !bundleElements.has(name.replace(/^_/, '')))
  return [
    ...(isNoList ? [{ row: 'Bundle.entry', malformed: true }] : []),
    ...unheard.map(name => ({ row: rowName(`Bundle.${name}`), malformed: false })),
  ]
}

/** https://hl7.org/fhir/R4/bundle.html#resource; what else stands there is told. */
const bundleElements: ReadonlySet<string> = new Set([
  'resourceType',
  'id',
  'meta',
  'implicitRules',
  'language',
  'identifier',
  'type',
  'timestamp',
  'total',
  'link',
  'entry',
  'signature',
])

interface Head {
  readonly isBundle: boolean
  readonly type: string | undefined
  /** The whole file. */
  readonly texts: AsyncIterable<string>
}

const typeOf = /"resourceType"\s*:\s*"([A-Za-z]+)"/
const bundleTypeOf =
  /"type"\s*:\s*"(document|message|transaction(?:-response)?|batch(?:-response)?|history|searchset|collection)"/

/** A name, its value and the space between them. Characters. */
const longestSaying = 1024

/** Text that is held while it is not known what the file is; more than this and the file is read from its start again. */
const maxHeld = 4 * 1024 ** 2

/** Whether the file is a Bundle, and of which type: nearly any file says both at its start. */
async function readHead(file: FhirFile, limits: IngestLimits, onDoubt: () => void): Promise<Head> {
  const splitter = new JsonListSplitter('entry', limits.maxLine)
  const texts = decoded(file.open(), onDoubt)
  const held: string[] = []
  let size = 0
  const head = new HeadText()
  for (let next = await texts.next(); next.done !== true; next = await texts.next()) {
    size += next.value.length
    if (size <= maxHeld) held.push(next.value)
    splitter.write(next.value)
    head.look(splitter.around)
    if (head.isKnown) break
  }
  const { isBundle, type } = head
  if (size <= maxHeld) return { isBundle, type, texts: joined(held, texts) }
  await texts.return()
  return { isBundle, type, texts: decoded(file.open(), onDoubt) }
}

/** What the text around the entries says. Of the text only its end is kept: what has been looked through is not looked through again. */
class HeadText {
  #end = ''
  #resourceType: string | undefined
  type: string | undefined

  look(text: string): void {
    const seen = this.#end + text
    this.#resourceType ??= typeOf.exec(seen)?.[1]
    this.type ??= bundleTypeOf.exec(seen)?.[1]
    this.#end = seen.slice(-longestSaying)
  }

  get isBundle(): boolean {
    return this.#resourceType === 'Bundle'
  }

  get isKnown(): boolean {
    return this.#resourceType !== undefined && (!this.isBundle || this.type !== undefined)
  }
}

async function* joined(held: readonly string[], rest: AsyncIterable<string>): AsyncGenerator<string, void, void> {
  yield* held
  yield* rest
}

async function wholeText(texts: AsyncIterable<string>, { maxLine }: IngestLimits): Promise<string> {
  let whole = ''
  for await (const text of texts) {
    whole += text
    if (whole.length > maxLine)
      throw new Problem('too-large', 'ingest.token-too-long', `The resource is longer than ${maxLine} characters.`)
  }
  return whole
}

interface Entry {
  readonly fullUrl?: Json
  readonly resource?: Json
  readonly request?: Json
  readonly response?: Json
}

function readEntry(json: Json, bundleType: string | undefined): Row {
  const entry: Entry = isObject(json) ? json : {}
  const fullUrl = textAt(entry, 'fullUrl')
  const method = textAt(entry.request, 'method')
  const backwards = bundleType === 'history'
  if (method === 'DELETE' && commands.has(bundleType ?? '')) return readDeletion(entry, fullUrl, backwards)
  if (entry.resource === undefined || method === 'DELETE' || method === 'PATCH')
    return { row: 'entry-without-resource', malformed: false }
  return resourceOf(entry.resource, fullUrl, versionOfResponse(entry), backwards)
}

/** In these a request is what was done, or what is to be done; elsewhere there is none. */
const commands: ReadonlySet<string> = new Set(['history', 'transaction', 'batch'])

function readDeletion(entry: Entry, fullUrl: string | undefined, backwards: boolean): Row {
  const { type, id } = parseReference(textAt(entry.request, 'url') ?? fullUrl ?? '')
  if (type === undefined || id === undefined) return { row: 'entry-without-resource', malformed: false }
  return { gone: { type, id }, fullUrl, version: versionOfResponse(entry), backwards }
}

/** https://hl7.org/fhir/R4/bundle.html#history: what the server answered says which version it is. */
function versionOfResponse({ response }: Entry): Version {
  const at = textAt(response, 'lastModified')
  const version = /^(?:W\/)?"([^"]{1,64})"$/.exec(textAt(response, 'etag') ?? '')?.[1]
  return { ...(at !== undefined && isInstant(at) ? { at } : {}), ...(version === undefined ? {} : { version }) }
}

function isObject(json: Json | undefined): json is { readonly [name: string]: Json } {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

function textAt(json: Json | undefined | Entry, name: string): string | undefined {
  const value =
    typeof json === 'object' && json !== null ? (json as { readonly [name: string]: Json })[name] : undefined
  return typeof value === 'string' ? value : undefined
}

/** A type that R4 does not know is that row's fault, not the file's. What a resource says of its version comes first. */
function resourceOf(json: Json, fullUrl?: string, answered: Version = {}, backwards = false): Row {
  try {
    const resource = toResource(json)
    return { resource, fullUrl, version: { ...answered, ...versionOf(resource) }, backwards }
  } catch (error) {
    if (isProblem(error, 'invalid')) return unknownResource(json)
    throw error
  }
}

/** A type of another release of FHIR is told by its name. */
function unknownResource(json: Json): NotFound {
  const type = textAt(json, 'resourceType')
  return { row: 'unknown-resource', malformed: true, ...(type === undefined ? {} : { type: rowName(type) }) }
}

async function* readNdjson(file: FhirFile, limits: IngestLimits, onDoubt: () => void): AsyncGenerator<Row, void, void> {
  for await (const line of lines(decoded(file.open(), onDoubt), limits.maxLine)) yield await readLine(line)
}

/** A line that is no JSON is a row of its own. */
async function readLine(text: string): Promise<Row> {
  try {
    return resourceOf(await parseRow(text))
  } catch (error) {
    if (isProblem(error, 'invalid')) return { row: 'line', malformed: true }
    throw error
  }
}

/**
 * Lines that are not blank, without the space around them. Bytes of a document within a line make it some megabytes long, so its pieces
 * are put together once.
 */
async function* lines(texts: AsyncIterable<string>, maxLine: number): AsyncGenerator<string, void, void> {
  let pieces: string[] = []
  let length = 0
  for await (const text of texts) {
    const [rest = '', ...begun] = text.split('\n')
    pieces.push(rest)
    length += rest.length
    for (const next of begun) {
      const line = pieces.join('').trim()
      if (line !== '') yield line
      pieces = [next]
      length = next.length
    }
    if (length > maxLine) throw lineTooLong(maxLine)
  }
  const last = pieces.join('').trim()
  if (last !== '') yield last
}

function lineTooLong(maxLine: number): Problem {
  const text = `One line of the file is longer than ${maxLine} characters.`
  return new Problem('too-large', 'ingest.token-too-long', text)
}
