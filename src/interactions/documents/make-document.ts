import { type Grant, permits } from '#access'
import {
  type BundleEntry,
  type ParsedReference,
  parseReference,
  parseSentJson,
  printJson,
  type Resource,
  toResource,
} from '#fhir'
import { giveWay, inSlices, isProblem, Problem, type Steps, spend } from '#kernel'
import type { Reader, Stored } from '#record'
import { carriedBy, mostHops } from './carried.ts'
import { documentBundle } from './document-bundle.ts'
import { mapParts } from './parts-of-composition.ts'

type Node = { readonly [element: string]: unknown }
const absentReason = 'http://hl7.org/fhir/StructureDefinition/data-absent-reason'

/** Who asks for a document, and when. */
export interface Asking {
  readonly grant: Grant
  readonly reader: Reader
  readonly baseUrl: string
  /** Unix milliseconds. */
  readonly nowMs: number
  /** More entries than this are too many. */
  readonly mostEntries: number
}

/**
 * The document of a Composition: what it refers to as far as the asker may read it, and of those what they refer to. What is missing is
 * said in its place, alike for what is not there and what is out of reach; what lies elsewhere is named.
 *
 * @throws Problem as `Reader.read` for the Composition; `too-costly` · `document.too-large`
 * @see https://hl7.org/fhir/R4/documents.html#content
 */
export async function makeDocument(id: string, asking: Asking): Promise<Resource> {
  const stored = await asking.reader.read('Composition', id)
  const composition = await opened(stored)
  const entries = new Entries(asking, stored)
  const found = new Map<string, boolean>()
  for (const text of await inSlices(referencesOf(composition))) {
    found.set(text, await entries.add(parseReference(text, asking.baseUrl)))
    // What is not there has cost a look, too.
    await giveWay()
  }
  await entries.follow()
  const said = await inSlices(mapParts(composition, reference => saidOf(reference, found, asking)))
  const fullUrl = `${asking.baseUrl}/Composition/${id}`
  return documentBundle([{ fullUrl, resource: said }, ...entries.told], asking.nowMs)
}

function* referencesOf(composition: Resource): Steps<ReadonlySet<string>> {
  const texts = new Set<string>()
  yield* mapParts(composition, reference => {
    if (isLiteral(reference)) texts.add(reference.reference)
    return reference
  })
  return texts
}

function isLiteral(node: Node): node is Node & { readonly reference: string } {
  return typeof node.reference === 'string' && !node.reference.startsWith('#')
}

/** What is opened for a document is charged like what is sent, as it is all put together in memory. */
async function opened({ json }: Stored): Promise<Resource> {
  spend('answered', json.length)
  const resource = toResource(await parseSentJson(json))
  await giveWay()
  return resource
}

/** The entries beside the Composition, each version of a resource once. */
class Entries {
  readonly #asking: Asking
  readonly #byVersion = new Map<string, { readonly fullUrl: string; readonly resource: Resource }>()
  readonly #composition: string
  #latest: Resource[] = []

  constructor(asking: Asking, composition: Stored) {
    this.#asking = asking
    this.#composition = nameOf(composition)
  }

  /** @returns false for what is not there for the asker */
  async add(target: ParsedReference): Promise<boolean> {
    const stored = await this.#read(target)
    if (stored === undefined) return false
    const name = nameOf(stored)
    if (name === this.#composition || this.#byVersion.has(name)) return true
    if (this.#byVersion.size >= this.#asking.mostEntries) throw tooLarge()
    const resource = await opened(stored)
    this.#byVersion.set(name, { fullUrl: `${this.#asking.baseUrl}/${stored.type}/${stored.id}`, resource })
    this.#latest.push(resource)
    return true
  }

  async #read({ kind, type = '', id = '', version }: ParsedReference): Promise<Stored | undefined> {
    const { grant, reader } = this.#asking
    if (kind !== 'local' || !permits(grant, 'r', type)) return undefined
    try {
      return await (version === undefined ? reader.read(type, id) : reader.vread(type, id, version))
    } catch (error) {
      if (isProblem(error, 'not-found') || isProblem(error, 'gone')) return undefined
      throw error
    }
  }

  /** Adds what the entries refer to themselves. */
  async follow(): Promise<void> {
    const known = new Set([...this.#byVersion.values()].map(({ fullUrl }) => fullUrl))
    for (let hop = 0; hop < mostHops && this.#latest.length > 0; hop++) {
      const from = this.#latest
      this.#latest = []
      for (const { type, id } of await inSlices(carriedBy(from, this.#asking.baseUrl))) {
        const fullUrl = `${this.#asking.baseUrl}/${type}/${id}`
        if (known.has(fullUrl)) continue
        known.add(fullUrl)
        await this.add({ kind: 'local', type, id })
        await giveWay()
      }
    }
  }

  get told(): readonly BundleEntry[] {
    return [...this.#byVersion.values()]
  }
}

/** Which version of what it is. */
function nameOf({ type, id, version }: Stored): string {
  return `${type}/${id}/_history/${version}`
}

function tooLarge(): Problem {
  return new Problem('too-costly', 'document.too-large', 'The Composition leads to more than one document can hold.')
}

/** What a reference says in the document. */
function saidOf(reference: Node, found: ReadonlyMap<string, boolean>, { grant, baseUrl }: Asking): Node {
  if (!isLiteral(reference)) return reference
  const { reference: text, ...rest } = reference
  const { kind, type = '', id = '', version } = parseReference(text, baseUrl)
  const place = `${type}/${id}${version === undefined ? '' : `/_history/${version}`}`
  if (found.get(text) === true) return { ...rest, reference: place }
  const named = { identifier: { system: 'urn:ietf:rfc:3986', value: kind === 'local' ? `${baseUrl}/${place}` : text } }
  if (kind !== 'local') return { ...charged(named), ...rest }
  const extension = [missing(grant, type)]
  return { ...charged(named), ...rest, extension: [...extensionsOf(reference), ...charged(extension)] }
}

/** What a reference says in its place is longer than what it said: the answer grows by it. */
function charged<T>(added: T): T {
  spend('answered', printJson(added).length)
  return added
}

/** That the asker may read nothing of a type is no news to them; whether something of it is there would be. */
function missing(grant: Grant, type: string) {
  return { url: absentReason, valueCode: permits(grant, 'r', type) ? 'unknown' : 'masked' }
}

function extensionsOf({ extension }: Node): readonly unknown[] {
  return Array.isArray(extension) ? extension : []
}
