import type { Grant } from '#access'
import { type Clock, closeAll, isProblem, type Log, toUtf8, withBudget } from '#kernel'
import type { CompartmentId, Store } from '#store'
import { openDocuments, type Vault } from '#vault'
import { ReadAudit } from './audit/audit.ts'
import { AuditDesk } from './audit/audit-desk.ts'
import { AuditOutbox } from './audit/audit-outbox.ts'
import { Contents } from './contents/contents.ts'
import { DocumentLedger } from './documents/document-ledger.ts'
import { Shelf } from './ledger/shelf.ts'
import { Population } from './population/population.ts'
import { SliceRoom } from './population/slice-room.ts'
import { Absences } from './reading/absences.ts'
import { Cursors } from './reading/cursors.ts'
import { Explaining } from './reading/explaining.ts'
import { GrantExporter } from './reading/exporter.ts'
import { Following } from './reading/following.ts'
import { Foresight } from './reading/foresight.ts'
import { Histories } from './reading/history.ts'
import { Questions } from './reading/questions.ts'
import { Reach } from './reading/reach.ts'
import { GrantReader, type ReaderRooms } from './reading/reader.ts'
import { Sighting } from './reading/sighting.ts'
import { Consents } from './registry/consents.ts'
import { EnteredNumbers } from './registry/entered-numbers.ts'
import { givePatient } from './registry/giving.ts'
import { Household } from './registry/household.ts'
import { Registry } from './registry/registry.ts'
import { Claims } from './transaction/claims.ts'
import { Committer } from './transaction/committer.ts'
import { ownerUnknown } from './transaction/owners.ts'
import { GrantWriter } from './transaction/writer.ts'
import type { Record, WriterOptions } from './types.ts'
import { alone, type Company, examines } from './upkeep/company.ts'
import { type HeadNote, HeadNotes } from './upkeep/head-notes.ts'
import { Housekeeping } from './upkeep/housekeeping.ts'
import { KeystoreWatch } from './upkeep/keystore-watch.ts'
import { Maintenance } from './upkeep/maintenance.ts'
import { Rehousing, rehousingGrant } from './upkeep/rehousing.ts'
import { Upkeep } from './upkeep/upkeep.ts'
import { verifyAll } from './upkeep/verify.ts'

/** What the record is built on. The store and the vault are the caller's and are closed by the caller. */
export interface RecordRooms {
  readonly store: Store
  readonly vault: Vault
  readonly clock: Clock
  readonly log: Log
  /** The FHIR base under which references to this server are written, e.g. `http://127.0.0.1:8080/fhir`. */
  readonly baseUrl: string
  /** Bytes of index kept in memory together; 512 MiB unless told. */
  readonly indexBytes?: number
  /** Compartments that stay open, least recently used ones closed first; 16,384 unless told. */
  readonly openLedgers?: number
  /** Bytes of rows of open compartments beyond which those that are no longer needed are forgotten at once; 64 MiB unless told. */
  readonly rowBytes?: number
  /** Bytes of opened versions that are kept for who asks for them again; 32 MiB unless told. */
  readonly versionBytes?: number
  /** Bytes of sealed segments that are kept for who opens the index of a compartment next; 16 MiB unless told. */
  readonly segmentBytes?: number
  /** Bytes of the indexes of all compartments that are kept in memory together; 1 GiB unless told. */
  readonly populationBytes?: number
  /** So many patients and households are searched by an index for each, and more of them as one; 8 unless told. */
  readonly searchedApart?: number
  /** How many patients an account may keep in its own right; without end unless told. */
  readonly mostPatients?: number | undefined
  /** Other processes that serve the same house; none unless told. */
  readonly company?: Company
  /** Records of reads are gathered for at most so long; 250 ms unless told. */
  readonly auditWindowMs?: number
}

const defaultAuditWindowMs = 250
const idleMs = 600_000
/** As many as there are keys at hand: whoever needs more reads the keys anew, which takes longer than to open the ledger. */
const defaultOpenLedgers = 16_384
/** Rows of some ten seconds of loading. */
const defaultRowBytes = 64 * 1024 * 1024
const defaultVersionBytes = 32 * 1024 * 1024
const defaultSegmentBytes = 16 * 1024 * 1024
/**
 * A family, whose indexes are open anyway. To ask one more index takes some 20 µs of a question; the one of all compartments is
 * made once, for some 100 µs a compartment.
 */
const defaultSearchedApart = 8
const defaultIndexBytes = 512 * 1024 * 1024
const defaultPopulationBytes = 1024 * 1024 * 1024

/**
 * Opens the record on a store: reads which compartment is whose, and makes the commons on first use.
 *
 * @throws Problem `fault` · `vault.seal-broken` when the documents are not this instance's
 */
export async function openRecord(rooms: RecordRooms): Promise<Record> {
  const { store, vault, clock, log, baseUrl, company = alone } = rooms
  const openedAtMark = await store.othersMark()
  const upkeep = new Upkeep(log)
  // Whose audit is where is known once the documents are open, and they are opened with these.
  const late: { registry?: Registry; populations?: readonly Population[] } = {}
  const auditedBy = (compartment: CompartmentId) => late.registry?.auditedBy(compartment) ?? []
  const notes = new HeadNotes({ vault, store, log, begin: work => upkeep.begin(work), auditedBy })
  const documentLedger = await DocumentLedger.open({ store, vault, clock, log, notes })
  const keystore = new KeystoreWatch({ vault, log, onFault: () => notes.checkNoted() })
  if (!documentLedger.isLost) await keystore.takeOver()
  const documents = openDocuments(store, vault, clock, documentLedger)
  const registry = new Registry({
    documents,
    vault,
    log,
    repair: drafts => documentLedger.repair(drafts),
    changes: documentLedger,
  })
  late.registry = registry
  await registry.open()
  const household = new Household(documents, clock, rooms.mostPatients)
  const enteredNumbers = new EnteredNumbers(documents)
  const consents = new Consents({
    documents,
    household,
    clock,
    store,
  })
  const shelf = new Shelf(
    vault,
    {
      store,
      clock,
      log,
      notes,
      told: (...committed) => {
        for (const population of late.populations ?? []) population.committed(...committed)
      },
    },
    {
      idleMs,
      indexBytes: rooms.indexBytes ?? defaultIndexBytes,
      ledgers: rooms.openLedgers ?? defaultOpenLedgers,
      rowBytes: rooms.rowBytes ?? defaultRowBytes,
      versionBytes: rooms.versionBytes ?? defaultVersionBytes,
      segmentBytes: rooms.segmentBytes ?? defaultSegmentBytes,
    },
  )
  let checked = Promise.resolve()
  let isChecking = false
  const room = new SliceRoom(rooms.populationBytes ?? defaultPopulationBytes)
  const kept = { room, store, vault, registry, shelf, notes, log, clock, checked: () => checked }
  const populations = { data: new Population('data', kept), audit: new Population('audit', kept) }
  late.populations = [populations.data, populations.audit]
  const apart = rooms.searchedApart ?? defaultSearchedApart
  const foresight = new Foresight({ registry, shelf, apart })
  const reach = new Reach({ baseUrl, store, vault, registry, shelf, household, enteredNumbers, foresight })
  const questions = new Questions({ reach, registry, shelf, populations, room, apart })
  const committer = new Committer({
    store,
    clock,
    reach,
    shelf,
    documents: documentLedger,
    claims: new Claims(store, vault),
  })
  const outbox = new AuditOutbox((events, urgent) => committer.audit(events, urgent), log)
  const audit = new ReadAudit(clock, rooms.auditWindowMs ?? defaultAuditWindowMs, {
    write: events => upkeep.run(() => outbox.put(events)),
    check: () => outbox.check(),
  })
  const sighting = new Sighting(reach, questions)
  const cursors = new Cursors(vault, documents, clock)
  const absences = new Absences({ reach, notes, checking: () => (isChecking ? checked : undefined) })
  const histories = new Histories({ store, shelf, registry, reach, questions, sighting, cursors, absences, foresight })
  const following = new Following({ store, shelf, reach, sighting, nowMs: () => clock.nowMs() })
  const contents = new Contents({ store, documents, clock, log, ledger: holder => reach.ledger(holder) })
  const digestOf = (text: string) => vault.mac('audit.query', toUtf8(text)).toString('hex')
  const readerRooms: ReaderRooms = {
    reach,
    questions,
    registry,
    cursors,
    audit,
    histories,
    following,
    sighting,
    contents,
    consents,
    absences,
    digestOf,
  }
  const maintenance = new Maintenance({
    store,
    vault,
    documents,
    registry,
    household,
    shelf,
    audit,
    notes,
    log,
    documentLedger: documentLedger.compartment,
  })
  if (!documentLedger.isLost) await unlessDamaged(log, () => maintenance.finishShredding())
  if (examines(company)) {
    isChecking = true
    checked = upkeep
      .begin(() => notes.checkNoted())
      .finally(() => {
        isChecking = false
      })
    upkeep.begin(keystore.look)
  }
  const rehousing = new Rehousing({
    store,
    vault,
    registry,
    shelf,
    baseUrl,
    writer: new GrantWriter(rehousingGrant(), readerRooms, committer, { imports: 'moves' }),
  })
  const housekeeping = new Housekeeping({
    store,
    vault,
    clock,
    log,
    documents,
    documentLedger,
    registry,
    shelf,
    populations: late.populations,
    notes,
    keystore,
    upkeep,
    outbox,
    maintenance,
    contents,
    company,
    openedAtMark,
  })
  const desk = new AuditDesk({ clock, registry, outbox, upkeep })

  const explaining = new Explaining({
    consents,
    reach,
    audit: note => desk.note(note),
    reader: grant => new GrantReader(grant, readerRooms),
  })

  async function flush(): Promise<void> {
    await audit.flush()
    desk.flush()
    await upkeep.settled()
    await upkeep.run(() => outbox.retry())
    await notes.write()
    await documentLedger.noteKeystore()
    await notes.write()
  }

  const resetPopulations = () => {
    for (const population of late.populations ?? []) population.reset()
  }

  async function acceptRestore(): Promise<void> {
    await upkeep.settled()
    await vault.takeKeystoreAsItIs()
    await notes.accept(await headsOf(store, notes))
    await documentLedger.takeAsTheyAre()
    await documentLedger.check()
    await registry.mendCensus()
    await registry.reload()
    resetPopulations()
    await maintenance.finishShredding()
  }

  return {
    reader: (grant, options) => new GrantReader(grant, readerRooms, options),
    writer: (grant: Grant, options?: WriterOptions) => new GrantWriter(grant, readerRooms, committer, options),
    exporter: (grant: Grant) => new GrantExporter(grant, readerRooms, new GrantReader(grant, readerRooms)),
    documents,
    withheldNote: patient => consents.noteOf(patient),
    explain: (grant, patient, recipient, subject) => explaining.explain(grant, patient, recipient, subject),
    patientsOf: account => household.patientsOf(account),
    keptBy: account => household.keptBy(account),
    keepingOf: (account, patient) => household.keepingOf(account, patient),
    ownsPatient: (grant, patient) => reach.owns(grant, patient),
    addPatientTo: async (account, patient, as = { role: 'owner' }) => {
      if ((await registry.ofPatient(patient)) === undefined) throw ownerUnknown()
      await household.add(account, patient, as)
      // Whoever was erased in between is on no list.
      if ((await registry.ofPatient(patient)) === undefined) await household.removeFrom(account, patient)
    },
    limitKeeping: (account, patient, as) => household.limit(account, patient, as),
    givePatient: (giving, more) => givePatient({ household, registry, documents }, giving, more),
    removePatientFrom: (account, patient) => household.endInvited(account, patient),
    patientQuota: account => household.quotaOf(account),
    setPatientQuota: (account, most) => household.setQuota(account, most),
    keepersOf: patient => household.keepersOf(patient, one => registry.isFormerOf(one, patient)),
    closeAccount: (account, isClosed, more = async () => []) => household.close(account, isClosed, more),
    vacate: account => withBudget('unbounded', () => maintenance.vacate(account)),
    keepsPatient: async patient => (await registry.keptAmong([patient])).length > 0,
    keptAmong: patients => registry.keptAmong(patients),
    isReplaced: async patient => {
      const into = await registry.mergedInto(patient)
      return into !== undefined && (await registry.ofPatient(into)) !== undefined
    },
    allPatients: async () => {
      const patients = await registry.patients()
      registry.checkComplete()
      return patients
    },
    audit: note => desk.note(note),
    moved: mark => following.moved(mark),
    // Once it has begun it is finished, whether somebody still waits for it or not.
    shred: patient => withBudget('unbounded', () => maintenance.shred(patient)),
    shredOn: patient => withBudget('unbounded', () => maintenance.shredOn(patient)),
    verify: () => verifyAll({ store, vault, documents, registry, notes, clock, documentLedger, keystore }),
    acceptRestore,
    faults: () => housekeeping.faults(),
    checkTrusted: () => notes.checkSound(documentLedger.compartment),
    replaceDocument: (before, after) => documentLedger.replace(before, after),
    renewKeys: patient => maintenance.renewKeys(patient),
    reindex: async () => {
      await rehousing.run()
      const entries = await maintenance.reindex()
      resetPopulations()
      return entries
    },
    flush,
    close: () =>
      closeAll([() => housekeeping.close(), () => unlessTaken(log, flush), () => shelf.seal(), () => outbox.close()]),
  }
}

/**
 * What a disk without room does not take of the notes beside the keys must not keep a house from closing: the entries are durable, and
 * the next start notes them.
 */
async function unlessTaken(log: Log, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!isProblem(error, 'full') && !isProblem(error, 'busy')) throw error
    log.error('what was written last could not be noted beside the keys', { room: 'record', code: error.code })
  }
}

/** What is damaged is named elsewhere, and must not keep the house from starting. */
async function unlessDamaged(log: Log, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!isProblem(error, 'fault')) throw error
    log.error('what is left of an erased patient could not be removed; run verify', {
      room: 'record',
      code: error.code,
    })
  }
}

/** The heads of all ledgers as the store shows them. */
async function headsOf(store: Store, notes: HeadNotes): Promise<ReadonlyMap<CompartmentId, HeadNote>> {
  const heads = new Map<CompartmentId, HeadNote>()
  for (const compartment of (await store.allHeads()).keys()) {
    const head = await notes.headOf(compartment)
    if (head !== undefined) heads.set(compartment, head)
  }
  return heads
}
