import type { Grant } from '#access'
import { type Clock, isProblem, type Log, toUtf8, withBudget } from '#kernel'
import type { CompartmentId, Store } from '#store'
import { openDocuments, type Vault } from '#vault'
import { auditEventOfNote, ReadAudit } from './audit/audit.ts'
import { AuditOutbox } from './audit/audit-outbox.ts'
import { type Gathered, RefusalAudit } from './audit/refusals.ts'
import { DocumentLedger } from './documents/document-ledger.ts'
import { Shelf } from './ledger/shelf.ts'
import { Population } from './population/population.ts'
import { Cursors } from './reading/cursors.ts'
import { Histories } from './reading/history.ts'
import { Reach } from './reading/reach.ts'
import { GrantReader, type ReaderRooms } from './reading/reader.ts'
import { Sighting } from './reading/sighting.ts'
import { Household } from './registry/household.ts'
import { Registry } from './registry/registry.ts'
import { Committer } from './transaction/committer.ts'
import { ownerUnknown } from './transaction/owners.ts'
import { GrantWriter } from './transaction/writer.ts'
import type { AuditNote, Record, WriterOptions } from './types.ts'
import { type HeadNote, HeadNotes } from './upkeep/head-notes.ts'
import { KeySweep } from './upkeep/key-sweep.ts'
import { KeystoreWatch } from './upkeep/keystore-watch.ts'
import { LedgersWatch } from './upkeep/ledgers-watch.ts'
import { Maintenance } from './upkeep/maintenance.ts'
import { PlacesWatch } from './upkeep/places-watch.ts'
import { Rehousing, rehousingGrant } from './upkeep/rehousing.ts'
import { Upkeep } from './upkeep/upkeep.ts'
import { verifyAll, verifyLedger } from './upkeep/verify.ts'

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
  /** So many patients and households are searched by an index for each, and more of them as one; 8 unless told. */
  readonly searchedApart?: number
}

/** Records of reads are gathered for at most this long. */
const auditWindowMs = 250
/** What is refused again and again is written once in so long. */
const refusalWindowMs = 60_000
/** How soon it is seen that somebody else has written to the store, and looked at what. */
const watchEveryMs = 1_000
/** In so many rounds ledgers are swept and audit tried again, and expired documents purged: every five seconds, every five minutes. */
const sweepEveryRounds = 5
const purgeEveryRounds = 300
const idleMs = 600_000
/**
 * A family, whose indexes are open anyway. To ask one more index takes some 20 µs of a question; the one of all compartments is
 * made once, for some 100 µs a compartment.
 */
const defaultSearchedApart = 8
const defaultIndexBytes = 512 * 1024 * 1024

/**
 * Opens the record on a store: reads which compartment is whose, and makes the commons on first use.
 *
 * @throws Problem `fault` · `vault.seal-broken` when the documents are not this instance's
 */
export async function openRecord(rooms: RecordRooms): Promise<Record> {
  const { store, vault, clock, log, baseUrl } = rooms
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
  const household = new Household(documents)
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
    { idleMs, indexBytes: rooms.indexBytes ?? defaultIndexBytes },
  )
  let checked = Promise.resolve()
  const kept = { store, vault, registry, shelf, notes, log, checked: () => checked }
  const populations = { data: new Population('data', kept), audit: new Population('audit', kept) }
  late.populations = [populations.data, populations.audit]
  const apart = rooms.searchedApart ?? defaultSearchedApart
  const reach = new Reach({ baseUrl, store, vault, registry, shelf, household, populations, apart })
  const committer = new Committer({ store, clock, reach, shelf, documents: documentLedger })
  const outbox = new AuditOutbox((events, urgent) => committer.audit(events, urgent), log)
  const audit = new ReadAudit(clock, auditWindowMs, {
    write: events => upkeep.run(() => outbox.put(events)),
    check: () => outbox.check(),
  })
  const sighting = new Sighting(reach)
  const cursors = new Cursors(vault, documents, clock)
  const histories = new Histories({ store, reach, sighting, cursors })
  const digestOf = (text: string) => vault.mac('audit.query', toUtf8(text)).toString('hex')
  const readerRooms: ReaderRooms = { reach, registry, cursors, audit, histories, sighting, digestOf }
  const maintenance = new Maintenance({
    store,
    vault,
    documents,
    registry,
    household,
    shelf,
    audit,
    notes,
    documentLedger: documentLedger.compartment,
  })
  if (!documentLedger.isLost) await unlessDamaged(log, () => maintenance.finishShredding())
  checked = upkeep.begin(() => notes.checkNoted())
  upkeep.begin(() => keystore.look())
  const rehousing = new Rehousing({
    store,
    vault,
    registry,
    shelf,
    baseUrl,
    writer: new GrantWriter(rehousingGrant(), readerRooms, committer),
  })
  const places = new PlacesWatch({ store, log, notes })
  const ledgers = new LedgersWatch({
    store,
    vault,
    log,
    verify: (compartment, head, pause) => verifyLedger({ store, vault }, { compartment, head, pause }),
  })
  const watch = watching(store, async isFirst => {
    places.begin()
    if (!isFirst) ledgers.want()
    await notes.check()
    await documentLedger.check()
  })
  const sweep = new KeySweep({ store, vault, registry, clock, log })
  const steady = steadyClock(clock)
  const rounds = keepUp({
    shelf,
    upkeep,
    watch,
    outbox,
    finish: () => maintenance.removeOwed(),
    lookAtKeys: () => keystore.look(),
    ledgers,
    purge: async () => {
      await documents.purge(steady())
      await sweep.run()
    },
  })

  async function noteEvent(note: AuditNote, gathered?: Gathered): Promise<void> {
    const pair = note.patient === undefined ? undefined : await registry.ofPatient(note.patient)
    const holder = pair?.audit ?? registry.instanceAudit
    // What a stranger fails at must not use up what is kept for those who end an access.
    const isUrgent = urgentNotes.has(note.action) && note.outcome === 'success'
    await outbox.put([{ holder, event: auditEventOfNote(note, clock.nowMs(), gathered) }], isUrgent)
  }
  const begin = (note: AuditNote, gathered?: Gathered) => upkeep.begin(() => noteEvent(note, gathered))
  const refusals = new RefusalAudit(clock, refusalWindowMs, begin)

  async function flush(): Promise<void> {
    await audit.flush()
    refusals.flush()
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
    reader: (grant: Grant) => new GrantReader(grant, readerRooms),
    writer: (grant: Grant, options?: WriterOptions) => new GrantWriter(grant, readerRooms, committer, options),
    documents,
    patientsOf: account => household.patientsOf(account),
    addPatientTo: async (account, patient) => {
      if ((await registry.ofPatient(patient)) === undefined) throw ownerUnknown()
      await household.add(account, patient)
    },
    keepsPatient: async patient => (await registry.ofPatient(patient)) !== undefined,
    isReplaced: async patient => {
      const into = await registry.mergedInto(patient)
      return into !== undefined && (await registry.ofPatient(into)) !== undefined
    },
    allPatients: async () => {
      const patients = await registry.patients()
      registry.checkComplete()
      return patients
    },
    // What waits for a person is no refusal: each of it has a record of its own.
    audit: note => (note.outcome === 'failure' && note.action !== 'import' ? refusals.note(note) : begin(note)),
    // Once it has begun it is finished, whether somebody still waits for it or not.
    shred: patient => withBudget('unbounded', () => maintenance.shred(patient)),
    verify: () => verifyAll({ store, vault, registry, notes, clock, documentLedger, keystore }),
    acceptRestore,
    faults: () => faultsOf({ notes, documentLedger, registry, places, ledgers, keystore }),
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
    close: async () => {
      clearInterval(rounds)
      await Promise.all([places.close(), ledgers.close()])
      await flush()
      await shelf.seal()
      outbox.close()
    },
  }
}

/**
 * The time as the clock told it at the start, and what has passed since. A clock that jumps forward refuses what is over for as long as
 * it is wrong; what was deleted then would not come back.
 */
function steadyClock(clock: Clock): () => number {
  const [openedAtMs, since] = [clock.nowMs(), performance.now()]
  return () => openedAtMs + performance.now() - since
}

/** What is written from the reserve of a full disk: who ended what, and who came in to do so. */
const urgentNotes: ReadonlySet<AuditNote['action']> = new Set([
  'login',
  'logout',
  'token',
  'revoke',
  'reset',
  'recover',
  'rotate',
  'erase',
])

/** What goes on as long as the record is open. */
function keepUp(rooms: {
  readonly shelf: Shelf
  readonly upkeep: Upkeep
  readonly outbox: AuditOutbox
  watch(): Promise<void>
  lookAtKeys(): Promise<void>
  readonly ledgers: LedgersWatch
  /** What an erasure has left. */
  finish(): Promise<void>
  purge(): Promise<unknown>
}): NodeJS.Timeout {
  const { shelf, upkeep, outbox } = rooms
  let round = 0
  const once = () => {
    round++
    if (round % sweepEveryRounds === 0) {
      upkeep.begin(async () => {
        await shelf.settle()
        shelf.sweep()
      })
      upkeep.begin(() => outbox.retry())
      upkeep.begin(() => rooms.finish())
    }
    upkeep.begin(() => rooms.watch())
    upkeep.begin(() => rooms.lookAtKeys())
    rooms.ledgers.goOn()
    if (round % purgeEveryRounds === 0) upkeep.begin(async () => void (await rooms.purge()))
  }
  return setInterval(once, watchEveryMs).unref()
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

/** Looks when somebody else has written to the store since it was looked at last, once at a time. */
function watching(store: Store, look: (isFirst: boolean) => Promise<void>): () => Promise<void> {
  let lookedAt: number | undefined
  let looking: Promise<void> | undefined
  const once = async () => {
    const mark = await store.othersMark()
    if (mark === lookedAt) return
    await look(lookedAt === undefined)
    lookedAt = mark
  }
  return () => (looking ??= once().finally(() => (looking = undefined)))
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

interface Watched {
  readonly notes: HeadNotes
  readonly documentLedger: DocumentLedger
  readonly registry: Registry
  readonly places: PlacesWatch
  readonly ledgers: LedgersWatch
  readonly keystore: KeystoreWatch
}

/** What `faults` tells: how much is wrong, and never what it is about. */
function faultsOf({ notes, documentLedger, registry, places, ledgers, keystore }: Watched): readonly string[] {
  const counted: readonly (readonly [number, string])[] = [
    [notes.lost.size, 'ledgers show less than was written'],
    [documentLedger.stale.length, 'documents are not what was written last'],
    [places.misled, 'entries are not where they are looked for'],
    [registry.broken, 'registrations cannot be read'],
    [Math.max(notes.unreadable, ledgers.damaged), 'ledgers hold what was not written there'],
  ]
  const said = [
    ...counted.filter(([count]) => count > 0).map(([count, text]) => `${count} ${text}`),
    ...(places.failed ? ['the database could not be gone through'] : []),
    ...keystore.faults(),
  ]
  return said.map(text => `${text}; run kinhold verify`)
}
