/** What a house is to hold, kept in maps: no ledgers, no indexes, no keys. */
import type { Resource } from '#fhir'

/** Who asks: `all`, or the ids of some patients. */
export type Reach = 'all' | readonly string[]

/** One version; a deletion has no resource. */
export interface Version {
  readonly version: number
  readonly resource: Resource | undefined
  /** Patients whose it was then; of a deletion those who lost it. None: it is everybody's. */
  readonly owners: readonly string[]
}

const reference = /"Patient\/([^"]+)"/g

/** The patients whom a resource names, each once; a Patient is their own. */
export function ownersOf(resource: Resource): readonly string[] {
  if (resource.resourceType === 'Patient') return [resource.id ?? '']
  return [...new Set(Array.from(JSON.stringify(resource).matchAll(reference), ([, id = '']) => id))]
}

export class Model {
  /** Versions by `Type/id`, oldest first. */
  readonly #resources = new Map<string, Version[]>()
  readonly #erased = new Set<string>()

  /** @throws when the version is not the one that comes next: one later, and another one later where somebody has lost it */
  wrote(resource: Resource, version: number): void {
    const owners = ownersOf(resource)
    const versions = this.#versionsOf(resource)
    const before = versions.at(-1)
    const isLeft = before?.resource !== undefined && before.owners.some(owner => !owners.includes(owner))
    const next = (before?.version ?? 0) + (isLeft ? 2 : 1)
    if (version !== next) throw new Error(`${nameOf(resource)}: version ${version} where ${next} comes next`)
    versions.push({ version, resource, owners })
  }

  deleted(type: string, id: string): void {
    const versions = this.#versionsOf({ resourceType: type, id })
    const { version, owners } = versions.at(-1) as Version
    versions.push({ version: version + 1, resource: undefined, owners })
  }

  erased(patient: string): void {
    this.#erased.add(patient)
  }

  #versionsOf(resource: Resource): Version[] {
    const name = nameOf(resource)
    const versions = this.#resources.get(name) ?? []
    this.#resources.set(name, versions)
    return versions
  }

  isErased(patient: string): boolean {
    return this.#erased.has(patient)
  }

  /** Versions that are kept and lie within reach, oldest first. */
  versions(type: string, id: string, reach: Reach = 'all'): readonly Version[] {
    return (this.#resources.get(`${type}/${id}`) ?? []).filter(({ owners }) => this.#isSeen(owners, reach))
  }

  /** What is there of these types, and within reach. */
  *current(types: readonly string[], reach: Reach = 'all'): Generator<Resource> {
    for (const versions of this.#resources.values()) {
      const { resource, owners } = versions.at(-1) as Version
      if (resource !== undefined && types.includes(resource.resourceType) && this.#isSeen(owners, reach)) yield resource
    }
  }

  #isSeen(owners: readonly string[], reach: Reach): boolean {
    // What is everybody's is seen by whoever has something that refers to it, which nothing does here.
    if (owners.length === 0) return reach === 'all'
    return owners.some(owner => !this.#erased.has(owner) && (reach === 'all' || reach.includes(owner)))
  }

  /** Names of everything that was ever written, with all its versions. */
  all(): Iterable<readonly [name: string, versions: readonly Version[]]> {
    return this.#resources
  }
}

export const nameOf = ({ resourceType, id }: Resource): string => `${resourceType}/${id}`
