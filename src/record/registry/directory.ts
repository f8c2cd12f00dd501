import type { Holder } from '#search'
import type { CompartmentId } from '#store'
import { HashIndex } from './hash-index.ts'
import { isDead, nameOfHousehold, nameOfPatient, type Pair, pairOf, type Registration } from './registration.ts'

type Kind = Registration['kind']

const kinds: readonly Kind[] = ['patient', 'household', 'commons', 'instance', 'erased', 'vacated']
/** Whose names are those of households. */
const homes: ReadonlySet<Kind | undefined> = new Set<Kind>(['household', 'vacated'])
/** In place of a kind: a registration that is not there any more. */
const gone = 255

/** The form of nearly all ids of patients and accounts. */
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

const bytesOfRow = { owner: 16, compartment: 16, audit: 16 }
const width = bytesOfRow.owner + bytesOfRow.compartment + bytesOfRow.audit
const compartmentAt = bytesOfRow.owner
const auditAt = compartmentAt + bytesOfRow.compartment

const nameOf: Readonly<Record<'patient' | 'household', (owner: string) => string>> = {
  patient: nameOfPatient,
  household: nameOfHousehold,
}

/** FNV-1a, over characters. http://www.isthe.com/chongo/tech/comp/fnv/ */
function hashOfText(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash >>> 0
}

/** Compartment ids are random: any part of one is a hash. */
const hashOfId = (id: CompartmentId): number => Number.parseInt(id.slice(0, 8), 16)

/**
 * Which compartment is whose, as registered, in about 80 bytes each. The pairs of holders that are asked for are kept, so that they are
 * the same objects from then on.
 */
export class Directory {
  #rows = 0
  #kinds = new Uint8Array(64)
  #revisions = new Uint32Array(64)
  #bytes = Buffer.alloc(64 * width)
  /** Names whose owner is no UUID, or that have none. */
  readonly #texts = new Map<number, string>()
  /** Into whom patients were merged. */
  readonly #merged = new Map<number, string>()
  /** How often somebody was merged or parted, as far as this process knows: whoever saw another count looks again. */
  merges = 0
  readonly #counts = new Map<Kind, number>()
  readonly #pairs = new Map<number, Pair>()
  /** The same by name. */
  readonly #pairsByName = new Map<string, Pair>()
  readonly #byName = new HashIndex()
  readonly #byCompartment = new HashIndex()
  readonly #byAudit = new HashIndex()

  /**
   * Passes over what is older than what is known: somebody may have read it before, and come later.
   *
   * @returns whether it was not known as it is
   */
  set(name: string, registration: Registration, revision: number): boolean {
    const known = this.#rowOf(name)
    if (known !== undefined && this.#isKnown(known, registration, revision)) return false
    const row = known ?? this.#add(name, registration.kind)
    const at = row * width
    this.#forgetPair(row, name)
    this.#become(row, registration.kind)
    this.#revisions[row] = revision
    if (known === undefined || !this.#isAt(row, compartmentAt, registration.compartment)) {
      this.#bytes.write(registration.compartment, at + compartmentAt, 'hex')
      this.#byCompartment.add(hashOfId(registration.compartment), row, this.#rows, each =>
        this.#hashAt(each, compartmentAt),
      )
    }
    if (known === undefined || !this.#isAt(row, auditAt, registration.audit)) {
      this.#bytes.write(registration.audit, at + auditAt, 'hex')
      // What is everybody's is audited with the instance: one row is enough to find that.
      if (this.#rowOfAudit(registration.audit) === undefined)
        this.#byAudit.add(hashOfId(registration.audit), row, this.#rows, each => this.#hashAt(each, auditAt))
    }
    if (this.#merged.get(row) !== registration.mergedInto) this.merges += 1
    if (registration.mergedInto === undefined) this.#merged.delete(row)
    else this.#merged.set(row, registration.mergedInto)
    return true
  }

  /** The pair of a name, if it is registered as that. */
  pair(name: string, kind: Kind): Pair | undefined {
    const used = this.#pairsByName.get(name)
    if (used !== undefined && !isDead(kind)) return used
    const row = this.#rowOf(name)
    return row !== undefined && this.#kindOf(row) === kind ? this.#pairOf(row) : undefined
  }

  mergedInto(name: string): string | undefined {
    const row = this.#rowOf(name)
    return row === undefined ? undefined : this.#merged.get(row)
  }

  /** By which document, and which revision of it, a compartment of data is somebody's. */
  registered(compartment: CompartmentId): { readonly name: string; readonly revision: number } | undefined {
    const row = this.#rowOfData(compartment)
    return row === undefined ? undefined : { name: this.#nameOf(row), revision: this.#revisions[row] ?? 0 }
  }

  /** Whose a compartment of data or of audit is; undefined also for the data of who was erased. */
  holder(compartment: CompartmentId): Holder | undefined {
    const row = this.#rowOfData(compartment)
    if (row !== undefined) return isDead(this.#kindOf(row)) ? undefined : this.#pairOf(row).data
    const audited = this.#rowOfAudit(compartment)
    return audited === undefined ? undefined : this.#pairOf(audited).audit
  }

  /** A number by which compartments of data, or of audit, stand in the order of `pairs`: patients, households, then who was erased. */
  placeOf(compartment: CompartmentId): number | undefined {
    const row = this.#rowOfData(compartment) ?? this.#rowOfAudit(compartment)
    if (row === undefined) return undefined
    const kind = this.#kindOf(row)
    return (kind === 'patient' ? 0 : kind === 'household' ? 1 : 2) * 2 ** 32 + row
  }

  auditOf(compartment: CompartmentId): Holder | undefined {
    const row = this.#rowOfData(compartment)
    return row === undefined ? undefined : this.#pairOf(row).audit
  }

  /** Compartments of data whose audit this one keeps. */
  auditedBy(audit: CompartmentId): readonly CompartmentId[] {
    const rows = [...this.#rowsOf(() => true)].filter(row => this.#isAt(row, auditAt, audit))
    return rows.map(row => this.#idAt(row, compartmentAt))
  }

  /** Pairs of a kind, in the order in which they became known. */
  pairs(kind: Kind): readonly Pair[] {
    return [...this.#rowsOf(each => each === kind)].map(row => this.#pairOf(row))
  }

  /** Ids of the patients that are kept. */
  patients(): readonly string[] {
    return [...this.#rowsOf(each => each === 'patient')].map(row => this.#nameOf(row).slice(nameOfPatient('').length))
  }

  /** Of the first so many forgets patients and households that are not among these. @returns whether there were any */
  keepOnly(compartments: ReadonlySet<CompartmentId>, among: number): boolean {
    const lost = [...this.#rowsOf(kind => kind === 'patient' || kind === 'household')].filter(
      row => row < among && !compartments.has(this.#idAt(row, compartmentAt)),
    )
    for (const row of lost) {
      this.#forgetPair(row, this.#nameOf(row))
      this.#become(row, undefined)
    }
    return lost.length > 0
  }

  /** How many there are of a kind. */
  count(kind: Kind): number {
    return this.#counts.get(kind) ?? 0
  }

  /** What it takes in memory, without the pairs that are in use. */
  get sizeBytes(): number {
    const indexes = [this.#byName, this.#byCompartment, this.#byAudit].reduce((sum, each) => sum + each.sizeBytes, 0)
    return indexes + this.#kinds.byteLength + this.#revisions.byteLength + this.#bytes.byteLength
  }

  /** How many there ever were. */
  get size(): number {
    return this.#rows
  }

  // -- rows

  #add(name: string, kind: Kind): number {
    const row = this.#rows++
    if (row === this.#kinds.length) this.#grow()
    const prefix = homes.has(kind) ? nameOfHousehold('') : nameOfPatient('')
    const owner = name.startsWith(prefix) ? name.slice(prefix.length) : ''
    if (uuid.test(owner)) this.#bytes.write(owner.replaceAll('-', ''), row * width, 'hex')
    else this.#texts.set(row, name)
    this.#kinds[row] = kinds.indexOf(kind)
    this.#counts.set(kind, this.count(kind) + 1)
    this.#byName.add(hashOfText(name), row, this.#rows, each => hashOfText(this.#nameOf(each)))
    return row
  }

  #become(row: number, kind: Kind | undefined): void {
    const before = this.#kindOf(row)
    if (before !== undefined) this.#counts.set(before, this.count(before) - 1)
    if (kind !== undefined) this.#counts.set(kind, this.count(kind) + 1)
    this.#kinds[row] = kind === undefined ? gone : kinds.indexOf(kind)
  }

  #grow(): void {
    const rows = Math.ceil(this.#rows * 1.5)
    const [kindsBefore, revisionsBefore, bytesBefore] = [this.#kinds, this.#revisions, this.#bytes]
    this.#kinds = new Uint8Array(rows)
    this.#kinds.set(kindsBefore)
    this.#revisions = new Uint32Array(rows)
    this.#revisions.set(revisionsBefore)
    this.#bytes = Buffer.alloc(rows * width)
    this.#bytes.set(bytesBefore)
  }

  *#rowsOf(isWanted: (kind: Kind) => boolean): Generator<number, void, void> {
    for (let row = 0; row < this.#rows; row++) {
      const kind = this.#kindOf(row)
      if (kind !== undefined && isWanted(kind)) yield row
    }
  }

  #kindOf(row: number): Kind | undefined {
    return kinds[this.#kinds[row] ?? gone]
  }

  #rowOf(name: string): number | undefined {
    return this.#byName.find(hashOfText(name), row => this.#nameOf(row) === name)
  }

  #rowOfData(compartment: CompartmentId): number | undefined {
    const isIt = (row: number) => this.#kindOf(row) !== undefined && this.#isAt(row, compartmentAt, compartment)
    return this.#byCompartment.find(hashOfId(compartment), isIt)
  }

  #rowOfAudit(compartment: CompartmentId): number | undefined {
    const isIt = (row: number) => this.#kindOf(row) !== undefined && this.#isAt(row, auditAt, compartment)
    return this.#byAudit.find(hashOfId(compartment), isIt)
  }

  /** Whoever is gone or erased is still known by name. */
  #nameOf(row: number): string {
    const text = this.#texts.get(row)
    if (text !== undefined) return text
    const hex = this.#bytes.toString('hex', row * width, row * width + bytesOfRow.owner)
    const owner = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
    return nameOf[homes.has(this.#kindOf(row)) ? 'household' : 'patient'](owner)
  }

  #idAt(row: number, at: number): CompartmentId {
    return this.#bytes.toString('hex', row * width + at, row * width + at + 16)
  }

  #hashAt(row: number, at: number): number {
    return this.#bytes.readUInt32BE(row * width + at)
  }

  #isAt(row: number, at: number, id: CompartmentId): boolean {
    return this.#hashAt(row, at) === hashOfId(id) && this.#idAt(row, at) === id
  }

  #isKnown(row: number, registration: Registration, revision: number): boolean {
    const known = this.#revisions[row] ?? 0
    if (this.#kindOf(row) !== undefined && known > revision) return true
    return known === revision && this.#says(row, registration)
  }

  #says(row: number, { kind, compartment, audit, mergedInto }: Registration): boolean {
    return (
      this.#kindOf(row) === kind &&
      this.#isAt(row, compartmentAt, compartment) &&
      this.#isAt(row, auditAt, audit) &&
      this.#merged.get(row) === mergedInto
    )
  }

  #pairOf(row: number): Pair {
    const known = this.#pairs.get(row)
    if (known !== undefined) return known
    const [name, kind] = [this.#nameOf(row), this.#kindOf(row) ?? 'erased']
    const owner = name.slice(name.indexOf('/') + 1)
    const pair = pairOf({
      kind,
      compartment: this.#idAt(row, compartmentAt),
      audit: this.#idAt(row, auditAt),
      ...(kind === 'patient' || kind === 'erased' ? { patient: owner } : {}),
      ...(homes.has(kind) && name.includes('/') ? { account: owner } : {}),
    })
    this.#pairs.set(row, pair)
    if (!isDead(kind)) this.#pairsByName.set(name, pair)
    return pair
  }

  #forgetPair(row: number, name: string): void {
    this.#pairs.delete(row)
    this.#pairsByName.delete(name)
  }
}
