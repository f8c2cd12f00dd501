import { type Grant, isCommonsType, ownersOf, parseScope } from '#access'
import { parseResource, type Resource } from '#fhir'
import { inSlices, isProblem } from '#kernel'
import type { Holder } from '#search'
import type { Entry, Store } from '#store'
import type { Vault } from '#vault'
import type { Ledger } from '../ledger/ledger.ts'
import type { Located } from '../ledger/opened-versions.ts'
import type { Shelf } from '../ledger/shelf.ts'
import type { Registry } from '../registry/registry.ts'
import { binariesNamed } from '../transaction/binaries-named.ts'
import type { Writer } from '../types.ts'

const readAhead = 256

/** What moves resources in the name of the house. */
export function rehousingGrant(): Grant {
  const term = parseScope('system/*.cruds')
  return {
    id: 'rehousing',
    actor: { kind: 'administrator', id: 'host', display: 'Administrator of the host' },
    patients: 'all',
    terms: term === undefined ? [] : [term],
    expiresAtMs: Number.POSITIVE_INFINITY,
  }
}

/**
 * Finds what an earlier release put where it does not belong – a person's data in the commons, one copy of what is several
 * patients', bytes without their document – and writes it anew, unchanged, so that it comes to lie where it belongs.
 */
export class Rehousing {
  readonly #store: Store
  readonly #vault: Vault
  readonly #registry: Registry
  readonly #shelf: Shelf
  readonly #baseUrl: string
  readonly #writer: Writer

  constructor(rooms: {
    readonly store: Store
    readonly vault: Vault
    readonly registry: Registry
    readonly shelf: Shelf
    readonly baseUrl: string
    readonly writer: Writer
  }) {
    this.#store = rooms.store
    this.#vault = rooms.vault
    this.#registry = rooms.registry
    this.#shelf = rooms.shelf
    this.#baseUrl = rooms.baseUrl
    this.#writer = rooms.writer
  }

  /** Moves what must move; what cannot be is left as it is. @returns how many resources were moved */
  async run(): Promise<number> {
    let moved = 0
    // The commons first: bytes that come from there are then drawn to the patients whose documents refer to them.
    for (const holder of this.#registry.commons)
      moved += await this.#rehouse(holder, ({ type }) => !isCommonsType(type))
    for (const holder of await this.#registry.everyHolder())
      if (holder.kind === 'patient') moved += await this.#rehouse(holder, version => this.#lacksOwners(version))
    return moved
  }

  async #rehouse(holder: Holder, isMisplaced: IsMisplaced): Promise<number> {
    const ledger = await this.#shelf.open(holder)
    const until = ledger.durableHead
    let moved = 0
    for (let from = 1; from <= until; ) {
      const entries = await this.#store.entriesFrom(holder.compartment, from, Math.min(readAhead, until - from + 1))
      for (const entry of entries) if (await this.#move(ledger, entry, isMisplaced)) moved++
      from = (entries.at(-1)?.seq ?? until) + 1
    }
    return moved
  }

  async #move(ledger: Ledger, entry: Entry, isMisplaced: IsMisplaced): Promise<boolean> {
    const version = opened(ledger, entry)
    if (version === undefined || version.deleted || version.movedAway) return false
    const newest = await this.#store.newest(entry.locator, [entry.compartment])
    return newest?.seq === entry.seq && (await isMisplaced(version)) && this.#writeAnew(version)
  }

  async #writeAnew({ type, id, json }: Located): Promise<boolean> {
    try {
      await this.#writer.transact(async txn => {
        txn.note('put where it belongs')
        await txn.update(type, id, parseResource(json))
      })
      return true
    } catch (error) {
      // It names somebody who is not kept here, or in a form that is refused today: it stays as it was.
      if (isProblem(error, 'unprocessable') || isProblem(error, 'forbidden')) return false
      throw error
    }
  }

  /** Whether it names bytes that lie in a household, or a patient with whom it has no copy: most resources name neither. */
  async #lacksOwners({ type, json, holder, copies }: Located): Promise<boolean> {
    if (type === 'Patient' && copies.length > 0) return this.#hasFormerOwners(json, copies.length + 1)
    const text = json.toString('latin1')
    const namesOthers = copies.length === 0 && text.indexOf('Patient/') !== text.lastIndexOf('Patient/')
    if (!namesOthers && !text.includes('Binary/')) return false
    const resource = parseResource(json)
    return (namesOthers && (await this.#ownedByOthers(resource, holder))) || this.#namesHouseholdBytes(resource)
  }

  /** An earlier release gave a Patient to whomever it was merged with. */
  #hasFormerOwners(json: Buffer, places: number): boolean {
    const owners = ownersOf(parseResource(json), this.#baseUrl)
    return owners.kind === 'patients' && owners.patients.length < places
  }

  async #ownedByOthers(resource: Resource, holder: Holder): Promise<boolean> {
    const owners = ownersOf(resource, this.#baseUrl)
    for (const patient of owners.kind === 'patients' ? owners.patients : [])
      if (patient !== holder.patient && (await this.#registry.ofPatient(patient)) !== undefined) return true
    return false
  }

  async #namesHouseholdBytes(resource: Resource): Promise<boolean> {
    const ids = [...(await inSlices(binariesNamed(resource, this.#baseUrl)))]
    const places = await this.#store.places(
      ids.map(id => this.#vault.locator('Binary', id)),
      undefined,
    )
    return [...places.values()]
      .flat()
      .some(({ compartment }) => this.#registry.known(compartment)?.kind === 'household')
  }
}

type IsMisplaced = (version: Located) => boolean | Promise<boolean>

/** Undefined for what is damaged: `verify` names it. */
function opened(ledger: Ledger, entry: Entry): Located | undefined {
  try {
    return ledger.open(entry)
  } catch (error) {
    if (isProblem(error, 'fault')) return undefined
    throw error
  }
}
