import { type Grant, homeInReach, permits, restrict } from '#access'
import { parseSentJson, toResource } from '#fhir'
import { giveWay, inSlices } from '#kernel'
import type { Reader, Stored } from '#record'
import { parseQuery } from '#search'
import {
  builtInCanonicals,
  builtInCodeSystem,
  builtInConceptMap,
  builtInValueSet,
  type CodeSystem,
  type CodeSystemDefinition,
  type ConceptMapDefinition,
  checkParts,
  type Definitions,
  type IncludeDefinition,
  isHeld,
  joinCanonical,
  listInSteps,
  readCodeSystem,
  splitCanonical,
  type TerminologyType,
  type ValueSetDefinition,
  type Versions,
  versionOf,
} from '#terminology'
import type { GrantedRequest, Rooms } from '../types.ts'

/** Versions by their numbers: 0.2.10 comes after 0.2.9. */
const inOrder = new Intl.Collator('en', { numeric: true })

/**
 * What words mean for whoever asks: R4's own definitions first, then the releases that were imported, then what is kept as resources. Of these only what the
 * caller may read and search, and what the caller's own account made or what is everybody's: what a code means to one family must
 * not depend on what another one wrote under the same url.
 */
export class Holdings {
  readonly #grant: Grant
  readonly #reader: Reader
  readonly #baseUrl: string
  readonly #shelf: Rooms['shelf']
  readonly #found = new Map<string, Promise<unknown>>()

  constructor({ grant, baseUrl }: GrantedRequest, { record, shelf }: Rooms) {
    this.#grant = grant
    this.#reader = record.reader(grant)
    this.#baseUrl = baseUrl
    this.#shelf = shelf
  }

  /** One that is kept here, by its id. @throws Problem as `Reader.read` */
  async read(type: TerminologyType, id: string): Promise<unknown> {
    return definitionOf(await this.#reader.read(type, id))
  }

  codeSystem(canonical: string): Promise<CodeSystem | undefined> {
    return this.#once(`CodeSystem ${canonical}`, async () => {
      const known = builtInCodeSystem(canonical) ?? this.#shelf.codeSystem(canonical)
      if (known !== undefined) return known
      for (const stored of await this.#stored('CodeSystem', canonical)) {
        const definition = (await definitionOf(stored)) as CodeSystemDefinition
        if (isHeld(definition)) return inSlices(readCodeSystem(definition))
      }
      return undefined
    })
  }

  valueSet(canonical: string): Promise<ValueSetDefinition | undefined> {
    return this.#once(`ValueSet ${canonical}`, async () => {
      const known = builtInValueSet(canonical) ?? implicitValueSet(canonical)
      return known ?? ((await this.#newest('ValueSet', canonical)) as ValueSetDefinition | undefined)
    })
  }

  conceptMap(canonical: string): Promise<ConceptMapDefinition | undefined> {
    return this.#once(`ConceptMap ${canonical}`, async () => {
      const known = builtInConceptMap(canonical)
      return known ?? ((await this.#newest('ConceptMap', canonical)) as ConceptMapDefinition | undefined)
    })
  }

  /** All maps that lead from a code system, or to it. */
  async conceptMapsOf(end: 'source' | 'target', system: string): Promise<readonly ConceptMapDefinition[]> {
    const own = builtInCanonicals('ConceptMap').flatMap(canonical => builtInConceptMap(canonical) ?? [])
    const kept = await this.#search('ConceptMap', { [`${end}-system`]: system })
    const maps = [...own]
    for (const stored of kept) maps.push((await definitionOf(stored)) as ConceptMapDefinition)
    return maps.filter(({ group = [] }) => group.some(each => each[end] === system))
  }

  /**
   * A definition as it is kept as a resource, of its url the own newest before what is nobody's: JSON in UTF-8. What R4 defines itself, and what was imported, is
   * not among them, nor what another account made: whoever reaches all households would have what they write refused by what one of
   * them wrote.
   */
  kept(
    type: 'StructureDefinition' | 'ValueSet' | 'CodeSystem' | 'Questionnaire' | 'Measure',
    canonical: string,
  ): Promise<Buffer | undefined> {
    return this.#once(`kept ${type} ${canonical}`, async () => {
      const [first] = this.#judging(await this.#stored(type, canonical))
      return (first ?? (await this.#newestOfLine(type, canonical)))?.json
    })
  }

  #judging(stored: readonly Stored[]): readonly Stored[] {
    return stored.filter(({ creator }) => creator === undefined || creator === this.#grant.account)
  }

  /** `|0.2` where no version is called so means the last of 0.2.1, 0.2.10 …, as the public validators read it. @see https://hl7.org/fhir/R4/references.html#canonical */
  async #newestOfLine(type: string, canonical: string): Promise<Stored | undefined> {
    const { url, version } = splitCanonical(canonical)
    if (version === undefined || !/^\d{1,9}(\.\d{1,9})?$/.test(version)) return undefined
    const versions = await this.#versionsOf(type, url)
    return versions.find(each => each.version.startsWith(`${version}.`))?.stored
  }

  /** Of all that a url names, the last first: each is read once, however many versions are asked for. */
  #versionsOf(type: string, url: string): Promise<readonly { readonly version: string; readonly stored: Stored }[]> {
    return this.#once(`versions ${type} ${url}`, async () => {
      const found: { readonly version: string; readonly stored: Stored }[] = []
      for (const stored of this.#judging(await this.#stored(type, url))) {
        const { version } = (await definitionOf(stored)) as { readonly version?: unknown }
        if (typeof version === 'string') found.push({ version, stored })
        await giveWay()
      }
      return found.toSorted((one, other) => inOrder.compare(other.version, one.version))
    })
  }

  /** Whether the caller may search any of a type that is kept here, whoever made it. */
  isAnyKept(type: string): Promise<boolean> {
    return this.#once(`any ${type}`, async () => {
      if (!permits(this.#grant, 's', type)) return false
      const query = parseQuery(type, new URLSearchParams([['_count', '1']]), { baseUrl: this.#baseUrl })
      const { matches } = await this.#reader.search(restrict(query, this.#grant), undefined)
      return matches.length > 0
    })
  }

  #once<T>(key: string, find: () => Promise<T>): Promise<T> {
    const known = this.#found.get(key)
    if (known !== undefined) return known as Promise<T>
    const found = find()
    this.#found.set(key, found)
    return found
  }

  async #newest(type: TerminologyType, canonical: string): Promise<unknown> {
    const [first] = await this.#stored(type, canonical)
    return first === undefined ? undefined : definitionOf(first)
  }

  /** Those of a url, and of a version where one is named: the account's own before what is nobody's, the latest first. */
  async #stored(type: string, canonical: string): Promise<readonly Stored[]> {
    const { url, version } = splitCanonical(canonical)
    const found = await this.#search(type, { url, ...(version === undefined ? {} : { version }) })
    const { account } = this.#grant
    const isOwn = ({ creator }: Stored) => creator !== undefined && creator === account
    return found.toSorted(
      (one, other) => Number(isOwn(other)) - Number(isOwn(one)) || other.lastUpdatedMs - one.lastUpdatedMs,
    )
  }

  /** Without the right to search a type nothing of it takes part; built-in definitions do. */
  async #search(type: string, criteria: { readonly [name: string]: string }): Promise<readonly Stored[]> {
    if (!permits(this.#grant, 's', type)) return []
    const escaped = Object.entries(criteria).map(([name, value]) => [name, value.replace(/[\\,|$]/g, String.raw`\$&`)])
    const params = new URLSearchParams([...escaped, ['_count', '200']])
    const query = restrict(parseQuery(type, params, { baseUrl: this.#baseUrl }), this.#grant)
    const found: Stored[] = []
    let cursor: string | undefined
    do {
      const page = await this.#reader.search(query, cursor)
      found.push(...page.matches.filter(stored => isOurs(stored, this.#grant)))
      cursor = page.next
    } while (cursor !== undefined)
    return found
  }
}

/** What no account made is everybody's; who reaches all households takes from all of them. */
function isOurs({ creator }: Stored, grant: Grant): boolean {
  return creator === undefined || creator === grant.account || homeInReach(grant) === 'all'
}

async function definitionOf({ json }: Stored): Promise<unknown> {
  return toResource(await parseSentJson(json))
}

/**
 * Value sets of SNOMED CT that a url alone defines: all concepts, or those below one.
 *
 * @see https://hl7.org/fhir/R4/snomedct.html#implicit
 */
function implicitValueSet(canonical: string): ValueSetDefinition | undefined {
  const [, system, , root] = /^(http:\/\/snomed\.info\/sct)\?fhir_vs(=isa\/(\d{6,18}))?$/.exec(canonical) ?? []
  if (system === undefined) return undefined
  const filter = root === undefined ? {} : { filter: [{ property: 'concept', op: 'is-a', value: root }] }
  return { resourceType: 'ValueSet', url: canonical, status: 'active', compose: { include: [{ system, ...filter }] } }
}

/**
 * Everything that a value set needs to be judged, fetched before it is: which value sets it names, and theirs, and the code
 * systems of all of them. What is not found is left out.
 *
 * @throws Problem `too-costly` · `terminology.too-many-parts`
 */
export async function definitionsFor(
  valueSet: ValueSetDefinition,
  holdings: Holdings,
  versions: Versions,
): Promise<Definitions> {
  const codeSystems = new Map<string, CodeSystem | undefined>()
  const valueSets = new Map<string, ValueSetDefinition | undefined>()
  const open = [valueSet]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    checkParts(next)
    for (const part of partsOf(next)) {
      for (const canonical of part.valueSet ?? []) {
        const pause = giveWay()
        if (pause !== undefined) await pause
        if (valueSets.has(canonical)) continue
        const imported = await holdings.valueSet(canonical)
        valueSets.set(canonical, imported)
        if (imported !== undefined) open.push(imported)
      }
      const system = systemOf(part, versions)
      if (system !== undefined && !codeSystems.has(system)) codeSystems.set(system, await holdings.codeSystem(system))
    }
    await inSlices(listInSteps(next, part => codeSystems.get(systemOf(part, versions) ?? '')))
  }
  return {
    codeSystem: canonical => codeSystems.get(canonical),
    valueSet: canonical => valueSets.get(canonical),
  }
}

function partsOf({ compose }: ValueSetDefinition): readonly IncludeDefinition[] {
  return [...(compose?.include ?? []), ...(compose?.exclude ?? [])]
}

function systemOf(part: IncludeDefinition, versions: Versions): string | undefined {
  return part.system === undefined ? undefined : joinCanonical(part.system, versionOf(part, versions))
}
