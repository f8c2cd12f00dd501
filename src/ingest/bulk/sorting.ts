import { ownersOf } from '#access'
import type { Resource } from '#fhir'
import { giveWay, isProblem, ownText, Problem } from '#kernel'
import { passedOver } from '../fhir/map-resource.ts'
import { isShared, ownVersion } from '../fhir/places.ts'
import { newerOf, type Version, versionOf } from '../fhir/versions.ts'
import type { IngestLimits } from '../limits.ts'
import type { ByteSource } from '../source/byte-source.ts'
import { resourceOf } from './gathered.ts'
import { linesIn } from './lines.ts'
import { baseOf, nameOf, namesOf, referredBy, subjectsOf } from './names.ts'
import type { Rows } from './rows.ts'

/** Somebody whom the files name. */
export interface Person {
  /** `Patient/1`, by which the files know them. */
  readonly name: string
  /** Rows that describe them, and the newest of these. */
  readonly described: number[]
  newest: { readonly row: number; readonly version: Version } | undefined
  /** Rows about them. */
  readonly rows: number[]
  /** Names of what is nobody's to which those refer. */
  readonly shared: Set<string>
}

/** What names nobody and is somebody's all the same: whose it is, what refers to it, or it refers to, tells. */
interface Loose {
  readonly row: number
  readonly names: readonly string[]
  readonly refers: readonly string[]
  readonly people: Set<Person>
}

interface Shared {
  readonly row: number
  readonly refers: readonly string[]
}

/** Whose the rows of files are, each of which may be about many people. */
export class Sorting {
  readonly #rows: Rows
  readonly #limits: IngestLimits
  /** Of the server that the files come from, if it is known. */
  #server: string | undefined
  /** Other bases below which absolute references to people lead. */
  readonly #bases = new Set<string>()
  readonly #people = new Map<string, Person>()
  /** The name of who has a number, by that; empty where several have it. */
  readonly #numbered = new Map<string, string>()
  readonly #shared = new Map<string, Shared[]>()
  readonly #sharedRows: number[] = []
  readonly #loose: Loose[] = []
  /** A name that many rows say is kept once. */
  readonly #names = new Map<string, string>()

  /** @param server  base address of the server that the files come from, if it is known */
  constructor(rows: Rows, limits: IngestLimits, server?: string) {
    this.#rows = rows
    this.#limits = limits
    this.#server = server
  }

  /**
   * Reads all files, twice where something names nobody.
   *
   * @throws Problem `too-large` · `ingest.too-many-resources`
   */
  async read(files: readonly ByteSource[]): Promise<void> {
    const { maxLine, maxBulkRows } = this.#limits
    for (const [file, source] of files.entries())
      for await (const line of linesIn(source, maxLine)) {
        const row = this.#rows.add(file, line)
        if (this.#rows.count > maxBulkRows) throw tooManyRows(this.#limits)
        const resource = await resourceIn(line.bytes)
        if (line.bytes === undefined) this.#rows.fault(row, `The line is longer than ${maxLine} bytes.`)
        else if (resource === undefined) this.#rows.refuse(row, 'structure-unknown')
        else this.#add(resource, row)
        const pause = giveWay()
        if (pause !== undefined) await pause
      }
    this.#joinBased()
    this.#joinNumbered()
    if (this.#loose.length > 0) await this.#follow(files)
  }

  /** Those whom the files name, whether they describe them or not. */
  get people(): readonly Person[] {
    return [...this.#people.values()]
  }

  /** All rows that are nobody's. */
  get sharedRows(): readonly number[] {
    return this.#sharedRows
  }

  #add(resource: Resource, row: number): void {
    const type = resource.resourceType
    if (passedOver.has(type)) this.#rows.settle(row, 'passed')
    else if (type === 'Patient') this.#addPatient(resource, row)
    else if (isShared(type)) this.#addShared(resource, row)
    else this.#addOwned(resource, row)
  }

  #addPatient(resource: Resource, row: number): void {
    const [name, ...others] = namesOf(resource)
    if (name?.startsWith('Patient/') !== true) {
      this.#rows.refuse(row, 'element-missing', 'Patient.id')
      return
    }
    const person = this.#personOf(name)
    for (const number of others) {
      const known = this.#numbered.get(number)
      this.#numbered.set(this.#own(number), known === undefined || known === name ? person.name : '')
    }
    person.described.push(row)
    const version = ownVersion(versionOf(resource))
    const candidate = { ...version, index: row, backwards: false }
    const before = person.newest && { ...person.newest.version, index: person.newest.row, backwards: false }
    if (before === undefined || newerOf(before, candidate) === candidate) person.newest = { row, version }
    this.#refer(person, resource)
  }

  #addShared(resource: Resource, row: number): void {
    const shared = { row, refers: referredBy(resource, this.#server).map(name => this.#own(name)) }
    this.#sharedRows.push(row)
    for (const name of namesOf(resource)) {
      const known = this.#shared.get(name)
      if (known === undefined) this.#shared.set(this.#own(name), [shared])
      else known.push(shared)
    }
  }

  #addOwned(resource: Resource, row: number): void {
    const [subject] = [...subjectsOf(resource).map(one => this.#nameOfPerson(one)), ...this.#ownersOf(resource)]
    if (subject === undefined) {
      const refers = referredBy(resource, this.#server).map(name => this.#own(name))
      this.#loose.push({ row, names: namesOf(resource).map(ownText), refers, people: new Set() })
      return
    }
    const person = this.#personOf(subject)
    person.rows.push(row)
    this.#refer(person, resource)
  }

  /** Whoever lies below another base is known with it; where none is known, until it is known whether all lie below that. */
  #nameOfPerson(reference: string): string {
    const name = nameOf(reference, 'Patient') ?? ''
    const base = baseOf(reference)
    if (base === undefined || base === this.#server) return name
    this.#bases.add(this.#own(base))
    return withBase(name, base)
  }

  /** By which name the files call whom a reference leads to; undefined where it leads elsewhere. */
  meantBy(reference: string): string | undefined {
    if (this.#server === undefined && baseOf(reference) !== undefined) return undefined
    return nameOf(reference, 'Patient', this.#server)
  }

  /** What says whose it is in a way of its own, as an Appointment does. */
  #ownersOf(resource: Resource): readonly string[] {
    const owners = ownersOf(resource, this.#server ?? nowhere)
    return owners.kind === 'patients' ? owners.patients.flatMap(id => nameOf(`Patient/${id}`) ?? []) : []
  }

  #personOf(name: string): Person {
    const known = this.#people.get(name)
    if (known !== undefined) return known
    const own = this.#own(name)
    const person: Person = { name: own, described: [], newest: undefined, rows: [], shared: new Set() }
    this.#people.set(own, person)
    return person
  }

  #refer(person: Person, resource: Resource): void {
    for (const name of referredBy(resource, this.#server)) if (isSharedName(name)) person.shared.add(this.#own(name))
  }

  #own(name: string): string {
    const known = this.#names.get(name)
    if (known !== undefined) return known
    const own = ownText(name)
    this.#names.set(own, own)
    return own
  }

  /** References that all lead below one base say where the files come from; below several, they lead to nobody of the files. */
  #joinBased(): void {
    const [base, other] = this.#bases
    if (this.#server !== undefined || base === undefined || other !== undefined) return
    this.#server = base
    for (const [name, person] of this.#people) {
      const plain = withoutBase(name, base)
      if (plain === undefined) continue
      this.#people.delete(name)
      this.#join(this.#personOf(plain), person)
    }
  }

  #join(person: Person, other: Person): void {
    for (const row of other.rows) person.rows.push(row)
    for (const shared of other.shared) person.shared.add(shared)
  }

  /** Who was named by a number is the one who has it, once all are known. */
  #joinNumbered(): void {
    for (const [name, person] of this.#people) {
      const meant = this.#people.get(this.#numbered.get(name) ?? '')
      if (meant === undefined || meant === person) continue
      this.#join(meant, person)
      this.#people.delete(name)
    }
  }

  /** Looks for whose that is which names nobody: with all of whom it refers to, or who refer to it. */
  async #follow(files: readonly ByteSource[]): Promise<void> {
    const wanted = Map.groupBy(
      this.#loose.flatMap(loose => loose.refers.map(name => ({ name, loose }))),
      ({ name }) => name,
    )
    const named = new Map(this.#loose.flatMap(loose => loose.names.map(name => [name, loose] as const)))
    const owners: (Person | undefined)[] = []
    for (const person of this.people) {
      for (const row of person.described) owners[row] = person
      for (const row of person.rows) owners[row] = person
    }
    let row = 0
    // In the order of the files: to look for each row by itself would open a piece of a file each time.
    for (const source of files)
      for await (const { bytes } of linesIn(source, this.#limits.maxLine)) {
        const person = owners[row++]
        const resource = person && (await resourceIn(bytes))
        if (person === undefined || resource === undefined) continue
        for (const name of namesOf(resource)) for (const { loose } of wanted.get(name) ?? []) loose.people.add(person)
        for (const name of referredBy(resource, this.#server)) named.get(name)?.people.add(person)
        const pause = giveWay()
        if (pause !== undefined) await pause
      }
    this.#followEachOther(named)
    for (const { row, people, refers } of this.#loose) {
      if (people.size === 0) this.#rows.refuse(row, 'element-missing', 'subject')
      for (const person of people) {
        person.rows.push(row)
        for (const name of refers) if (isSharedName(name)) person.shared.add(name)
      }
    }
  }

  /** A Provenance of a Binary goes with that, in a few steps. */
  #followEachOther(named: ReadonlyMap<string, Loose>): void {
    for (let step = 0; step < mostSteps; step++)
      for (const loose of this.#loose)
        for (const other of loose.refers.flatMap(name => named.get(name) ?? [])) {
          if (loose.people.size === 0) for (const person of other.people) loose.people.add(person)
          if (other.people.size === 0) for (const person of loose.people) other.people.add(person)
        }
  }

  /** Rows of a person in the order in which they are read: who they are first, then what is nobody's and is referred to. */
  rowsOf(person: Person): readonly number[] {
    const shared = new Set<number>()
    const wanted = [...person.shared]
    const seen = new Set(wanted)
    for (let name = wanted.pop(); name !== undefined; name = wanted.pop())
      for (const { row, refers } of this.#shared.get(name) ?? []) {
        shared.add(row)
        for (const further of refers) {
          if (!isSharedName(further) || seen.has(further)) continue
          seen.add(further)
          wanted.push(further)
        }
      }
    return [...person.described, ...shared, ...person.rows]
  }

  isOfNobody(row: number): boolean {
    this.#ofNobody ??= new Set(this.#sharedRows)
    return this.#ofNobody.has(row)
  }

  #ofNobody: ReadonlySet<number> | undefined
}

/** A base below which nobody lies. */
const nowhere = 'http://nowhere.invalid'

function withBase(name: string, base: string): string {
  return `${name} ${base}`
}

function withoutBase(name: string, base: string): string | undefined {
  return name.endsWith(` ${base}`) ? name.slice(0, -base.length - 1) : undefined
}

/** Provenances of Provenances are followed so far. */
const mostSteps = 4

function isSharedName(name: string): boolean {
  return isShared(/^[A-Za-z]+/.exec(name)?.[0] ?? '')
}

/** A line that is no resource of R4 is its own fault. */
async function resourceIn(bytes: Buffer | undefined): Promise<Resource | undefined> {
  if (bytes === undefined) return undefined
  try {
    return await resourceOf(bytes)
  } catch (error) {
    if (isProblem(error, 'invalid') || isProblem(error, 'too-large')) return undefined
    throw error
  }
}

function tooManyRows({ maxBulkRows }: IngestLimits): Problem {
  return new Problem('too-large', 'ingest.too-many-resources', `The files hold more than ${maxBulkRows} resources.`)
}
