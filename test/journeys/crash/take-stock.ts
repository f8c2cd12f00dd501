/** Compares what the server holds after a crash with what its clients wrote down. */
import type { AuditEvent, BundleEntry, Observation } from '@medplum/fhirtypes'
import { type Client, everyEntry } from '../server/client.ts'
import { type Books, deleted, type Effect, type Fact, type Mark } from './books.ts'
import { markSystem, onceSystem, roundSystem } from './load.ts'

/** Everything that is wrong, by kind; all are empty lists when nothing is. */
export interface Faults {
  /** Acknowledged versions that are not there, or say something else. */
  readonly lost: string[]
  /** Requests of which only a part has happened. */
  readonly halfWritten: string[]
  /** Versions that nobody wrote, or that leave a gap. */
  readonly unexplained: string[]
  /** Versions without a record in the audit. */
  readonly unaudited: string[]
  /** What search finds and reading does not, or the other way round. */
  readonly misindexed: string[]
}

/** What is looked at: everything written since an instant of the server's clock. */
export interface Span {
  readonly since: string
  /** How many facts the books held at that instant. */
  readonly factsBefore: number
  /** The tag that all versions written since carry; undefined when there are several. */
  readonly round?: string
  /** Ids of patients whose some Observations are together. */
  readonly patients: readonly string[]
  /** So many of the resources are read one by one; all of them unless told. */
  readonly reads?: number
}

type Held = ReadonlyMap<string, ReadonlyMap<number, Mark>>

const pageSize = 1000

/** Settles what was in doubt, then compares. */
export async function takeStock(client: Client, books: Books, span: Span): Promise<Faults> {
  const faults: Faults = { lost: [], halfWritten: [], unexplained: [], unaudited: [], misindexed: [] }
  const held = await heldSince(client, span.since)
  settleDoubts(books, held, faults)
  const facts = books.facts.slice(span.factsBefore)
  compareVersions(books, facts, held, faults)
  compareAudit(await recordedSince(client, span.since), held, faults)
  const references = [...new Set(facts.map(({ reference }) => reference))]
  const found = await findAll(client, span.round)
  compareIndex(books, references, found, faults)
  compareTwins(await inCompartments(client, span), faults)
  await compareReads(client, books, references.slice(-(span.reads ?? references.length)), faults)
  return faults
}

async function heldSince(client: Client, since: string): Promise<Held> {
  const held = new Map<string, Map<number, Mark>>()
  for (const entry of await everyEntry(client, `/fhir/_history?_since=${since}&_count=${pageSize}`)) {
    const { reference, version, mark } = factOf(entry)
    const versions = held.get(reference) ?? new Map<number, Mark>()
    versions.set(version, mark)
    held.set(reference, versions)
  }
  return held
}

function factOf(entry: BundleEntry): Fact {
  const version = Number(/[0-9]+/.exec(entry.response?.etag ?? '')?.[0])
  const reference = entry.fullUrl?.split('/').slice(-2).join('/') ?? ''
  return { reference, version, mark: entry.resource === undefined ? deleted : markOf(entry.resource as Observation) }
}

function markOf(resource: Observation): Mark {
  return resource.identifier?.find(({ system }) => system === markSystem)?.value ?? 'unmarked'
}

/** Each request without an answer happened wholly, and then counts from now on, or not at all. */
function settleDoubts(books: Books, held: Held, faults: Faults): void {
  const byMark = new Map<Mark, Fact>()
  for (const [reference, versions] of held)
    for (const [version, mark] of versions) byMark.set(mark, { reference, version, mark })
  for (const doubt of books.doubts) {
    const found = doubt.map(effect => happened(effect, held, byMark)).filter(fact => fact !== undefined)
    if (found.length !== 0 && found.length !== doubt.length)
      faults.halfWritten.push(`${found.length} of ${doubt.length}: ${found.map(({ reference }) => reference)}`)
    for (const fact of found) books.enter(fact)
  }
  books.doubts = []
}

function happened(effect: Effect, held: Held, byMark: ReadonlyMap<Mark, Fact>): Fact | undefined {
  const { reference = byMark.get(effect.mark)?.reference, version, mark } = effect
  if (reference === undefined) return undefined
  return held.get(reference)?.get(version) === mark ? { ...effect, reference } : undefined
}

/** Both ways: what was acknowledged is held, and nothing is held that nobody wrote. */
function compareVersions(books: Books, facts: readonly Fact[], held: Held, faults: Faults): void {
  for (const { reference, version, mark } of facts)
    if (held.get(reference)?.get(version) !== mark) faults.lost.push(`${reference}/_history/${version}`)
  for (const [reference, version, mark] of versionsOf(held))
    if (books.markOf(reference, version) !== mark) faults.unexplained.push(`${reference}/_history/${version}`)
}

function* versionsOf(held: Held): Generator<[reference: string, version: number, mark: Mark]> {
  for (const [reference, versions] of held) for (const [version, mark] of versions) yield [reference, version, mark]
}

async function recordedSince(client: Client, since: string): Promise<ReadonlySet<string>> {
  const events = await everyEntry(client, `/fhir/AuditEvent/_history?_since=${since}&_count=${pageSize}`)
  const entities = events.flatMap(({ resource }) => (resource as AuditEvent).entity ?? [])
  return new Set(entities.map(entity => entity.what?.reference ?? ''))
}

/** The record of a write is in the same commit as the write. */
function compareAudit(recorded: ReadonlySet<string>, held: Held, faults: Faults): void {
  for (const [reference, version] of versionsOf(held)) {
    const written = `${reference}/_history/${version}`
    if (!recorded.has(written)) faults.unaudited.push(written)
  }
}

/** Each by a request of its own. */
async function compareReads(
  client: Client,
  books: Books,
  references: readonly string[],
  faults: Faults,
): Promise<void> {
  const waiting = [...references]
  const readNext = async () => {
    for (let reference = waiting.pop(); reference !== undefined; reference = waiting.pop()) {
      const answer = await client.send({ path: `/fhir/${reference}` })
      const mark = answer.status === 200 ? markOf(answer.json<Observation>()) : wordFor(answer.status)
      if (mark !== books.markOf(reference)) faults.lost.push(`${reference} is read as ${mark}`)
    }
  }
  await Promise.all(Array.from({ length: 8 }, readNext))
}

function wordFor(status: number): string {
  return status === 410 ? deleted : `status ${status}`
}

async function findAll(client: Client, round: string | undefined): Promise<readonly Observation[]> {
  const tag = round === undefined ? '' : `_tag=${roundSystem}|${round}&`
  const pages = ['Observation', 'Patient'].map(type => everyEntry(client, `/fhir/${type}?${tag}_count=${pageSize}`))
  return (await Promise.all(pages)).flat().map(({ resource }) => resource as Observation)
}

/** What each patient's compartment holds, by patient. */
async function inCompartments(client: Client, { patients, round }: Span): Promise<ReadonlyMap<string, Observations>> {
  const tag = round === undefined ? '' : `_tag=${roundSystem}|${round}&`
  const held = new Map<string, Observations>()
  for (const patient of patients) {
    const entries = await everyEntry(client, `/fhir/Patient/${patient}/Observation?${tag}_count=${pageSize}`)
    const observations = entries.map(({ resource }) => resource as Observation)
    held.set(patient, new Map(observations.map(each => [each.id ?? '', each])))
  }
  return held
}

type Observations = ReadonlyMap<string, Observation>

/** A copy is never without its twin, and both are the same version. */
function compareTwins(held: ReadonlyMap<string, Observations>, faults: Faults): void {
  for (const [patient, observations] of held)
    for (const [id, { meta, subject, performer = [] }] of observations)
      for (const { reference = '' } of [subject ?? {}, ...performer]) {
        const twin = held.get(reference.replace('Patient/', ''))?.get(id)
        if (held.has(reference.replace('Patient/', '')) && twin?.meta?.versionId !== meta?.versionId)
          faults.halfWritten.push(`Observation/${id} of ${patient} is not the same with ${reference}`)
      }
}

/** The index knows everything that is current as it is, and nothing else. */
function compareIndex(books: Books, written: readonly string[], found: readonly Observation[], faults: Faults): void {
  const indexed = new Map(found.map(resource => [`${resource.resourceType}/${resource.id}`, markOf(resource)]))
  for (const reference of written)
    if ((indexed.get(reference) ?? deleted) !== books.markOf(reference))
      faults.misindexed.push(`${reference} is not found as it is`)
  const known = new Set(written)
  for (const reference of indexed.keys())
    if (!known.has(reference)) faults.misindexed.push(`${reference} is found and was not written`)
  if (indexed.size !== found.length) faults.misindexed.push('something is found twice')
  const names = found.flatMap(({ identifier = [] }) => identifier.filter(({ system }) => system === onceSystem))
  if (new Set(names.map(({ value }) => value)).size !== names.length)
    faults.unexplained.push('a conditional create made a second resource')
}
