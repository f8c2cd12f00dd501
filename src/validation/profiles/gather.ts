import { parseJsonInSteps, printJson } from '#fhir'
import { giveWay, inSlices } from '#kernel'
import type { KeptDefinition } from './answer.ts'
import { elementsOf } from './build.ts'
import { type Claims, type Facts, isCore, type Named, namedIn } from './named.ts'
import { type Definition, readDefinition } from './read.ts'
import { tooLarge } from './refusals.ts'

/** More than the largest guides need for one resource; what is kept may have been written to cost. */
const most = { definitions: 500, lookups: 2_000, characters: 8 * 1024 * 1024 }

/** Nobody derives so often. */
const longestChain = 50

/** Where definitions are kept. */
export interface Shelves {
  /** Whether there may be any of a type: most who name definitions keep none, and name many. */
  isAnyKept(type: Named['type']): Promise<boolean>
  /** JSON in UTF-8; undefined where there is none. */
  kept(type: Named['type'], canonical: string): Promise<Buffer | undefined>
}

/**
 * The definitions that a resource can be judged by, and what they name in turn, as far as it applies to the resource: of the profiles of
 * what it neither has nor contains only the type is wanted. What is not found is left out.
 *
 * @throws Problem `too-costly` · `validation.profile-too-large`
 */
export async function gatherDefinitions(claims: Claims, shelves: Shelves): Promise<readonly KeptDefinition[]> {
  return new Gathering(claims, shelves).run()
}

class Gathering {
  readonly #facts: Facts
  readonly #shelves: Shelves
  readonly #open: Named[]
  readonly #targets: Named[] = []
  readonly #read = new Map<string, Definition | undefined>()
  readonly #done = new Set<string>()
  readonly #kept = new Map<string, KeptDefinition>()
  #characters = 0
  #lookups = 0

  constructor({ named, ...facts }: Claims, shelves: Shelves) {
    this.#facts = facts
    this.#shelves = shelves
    this.#open = [...named]
  }

  async run(): Promise<readonly KeptDefinition[]> {
    for (;;) {
      const next = this.#open.pop() ?? this.#targets.pop()
      if (next === undefined) return [...this.#kept.values()]
      await this.#take(next)
      await giveWay()
    }
  }

  async #take(named: Named): Promise<void> {
    const key = keyOf(named)
    if (this.#done.has(key) || (named.isTarget && this.#kept.has(key))) return
    if (named.type === 'CodeSystem') return this.#takeSystem(named)
    const definition = await this.#definition(named)
    if (definition === undefined) return
    if (named.isTarget && definition.resourceType === 'StructureDefinition' && !this.#applies(definition.type ?? ''))
      return this.#keep(named, printJson(headOf(definition)))
    this.#done.add(key)
    const needed = await this.#neededOf(definition)
    this.#keep(named, printJson(needed))
    for (const each of namedIn(needed, this.#facts)) (each.isTarget ? this.#targets : this.#open).push(each)
  }

  /** A code system names nothing, and may be long: only whoever needs it reads it. */
  async #takeSystem(named: Named): Promise<void> {
    this.#done.add(keyOf(named))
    const json = await this.#fetch(named)
    if (json !== undefined) this.#keep(named, json.toString('utf8'))
  }

  async #fetch({ type, canonical }: Named): Promise<Buffer | undefined> {
    if (!(await this.#shelves.isAnyKept(type))) return undefined
    this.#lookups++
    if (this.#lookups > most.lookups) throw tooLarge()
    return this.#shelves.kept(type, canonical)
  }

  /** Whether what a profile is about is in the resource: data types are anywhere. */
  #applies(type: string): boolean {
    return this.#facts.types.has(type) || !/^[A-Z]/.test(type)
  }

  #keep(named: Named, text: string): void {
    const key = keyOf(named)
    this.#characters += text.length - (this.#kept.get(key)?.text.length ?? 0)
    this.#kept.set(key, { canonical: named.canonical, text })
    if (this.#kept.size > most.definitions || this.#characters > most.characters) throw tooLarge()
  }

  async #definition({ type, canonical }: Named): Promise<Definition | undefined> {
    const key = keyOf({ type, canonical })
    if (this.#read.has(key)) return this.#read.get(key)
    const json = await this.#fetch({ type, canonical })
    const read = json === undefined ? undefined : readDefinition(await inSlices(parseJsonInSteps(json)))
    const definition = read?.resourceType === type ? read : undefined
    this.#read.set(key, definition)
    return definition
  }

  /** A profile is judged by its differential, and its snapshot repeats its bases. */
  async #neededOf(definition: Definition): Promise<Definition> {
    if (definition.resourceType !== 'StructureDefinition') return definition
    const { differential, snapshot, ...rest } = definition
    const hasBase = await this.#canBuild(definition.baseDefinition ?? '', longestChain)
    const element = elementsOf(definition, hasBase) ?? []
    return hasBase ? { ...rest, differential: { element } } : { ...rest, snapshot: { element } }
  }

  /** Whether what a profile derives from is there, or can be told from a snapshot. */
  async #canBuild(canonical: string, left: number): Promise<boolean> {
    if (isCore(canonical)) return true
    const base = await this.#definition({ type: 'StructureDefinition', canonical })
    if (base?.resourceType !== 'StructureDefinition') return false
    // Those that derive from themselves are told as such.
    if (base.snapshot?.element !== undefined || left === 0) return true
    return this.#canBuild(base.baseDefinition ?? '', left - 1)
  }
}

function keyOf({ type, canonical }: Pick<Named, 'type' | 'canonical'>): string {
  return `${type} ${canonical}`
}

/** A profile of which no more is wanted than for which type it is. */
function headOf({
  url,
  version,
  kind,
  type,
  derivation,
}: Definition & { readonly resourceType: 'StructureDefinition' }): Definition {
  return {
    resourceType: 'StructureDefinition',
    ...(url === undefined ? {} : { url }),
    ...(version === undefined ? {} : { version }),
    ...(kind === undefined ? {} : { kind }),
    ...(type === undefined ? {} : { type }),
    ...(derivation === undefined ? {} : { derivation }),
    baseDefinition: `http://hl7.org/fhir/StructureDefinition/${type}`,
    differential: { element: [] },
  }
}
