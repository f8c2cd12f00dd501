import type { Grant } from '#access'
import { type Clock, type Log, toUtf8 } from '#kernel'
import type { KeyStore, Store } from '#store'
import { openDocuments, type Vault } from '#vault'
import { auditEventOfNote, ReadAudit } from './audit/audit.ts'
import { AuditOutbox } from './audit/audit-outbox.ts'
import { type Gathered, RefusalAudit } from './audit/refusals.ts'
import { Shelf } from './ledger/shelf.ts'
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
import { HeadNotes } from './upkeep/head-notes.ts'
import { KeySweep } from './upkeep/key-sweep.ts'
import { Maintenance } from './upkeep/maintenance.ts'
import { Rehousing, rehousingGrant } from './upkeep/rehousing.ts'
import { Upkeep } from './upkeep/upkeep.ts'
import { verifyAll } from './upkeep/verify.ts'

/** What the record is built on. The store and the keystore are the caller's and are closed by the caller. */
export interface RecordRooms {
  readonly store: Store
  readonly keys: KeyStore
  readonly vault: Vault
  readonly clock: Clock
  readonly log: Log
  /** The FHIR base under which references to this server are written, e.g. `http://127.0.0.1:8080/fhir`. */
  readonly baseUrl: string
  /** Bytes of index kept in memory together; 512 MiB unless told. */
  readonly indexBytes?: number
}

/** Records of reads are gathered for at most this long. */
const auditWindowMs = 250
/** What is refused again and again is written once in so long. */
const refusalWindowMs = 60_000
const noteEveryMs = 5_000
/** Expired documents are purged once in so many rounds of upkeep: every five minutes. */
const purgeEveryRounds = 60
const idleMs = 600_000
const defaultIndexBytes = 512 * 1024 * 1024

/**
 * Opens the record on a store: reads which compartment is whose, and makes the commons on first use.
 *
 * @throws Problem `fault` · `vault.seal-broken` when the documents are not this instance's
 */
export async function openRecord(rooms: RecordRooms): Promise<Record> {
  const { store, keys, vault, clock, log, baseUrl } = rooms
  const documents = openDocuments(store, vault, clock)
  const registry = new Registry(documents, vault, log)
  await registry.open()
  const household = new Household(documents)
  const shelf = new Shelf(vault, { store, clock, log }, { idleMs, indexBytes: rooms.indexBytes ?? defaultIndexBytes })
  const reach = new Reach({ baseUrl, store, vault, registry, shelf, household })
  const committer = new Committer({ store, clock, reach, shelf })
  const upkeep = new Upkeep(log)
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
  const notes = new HeadNotes({ keys, vault, store, log })
  const maintenance = new Maintenance({ store, keys, vault, documents, registry, household, clock, shelf, audit })
  await maintenance.finishShredding()
  const rehousing = new Rehousing({
    store,
    vault,
    registry,
    shelf,
    baseUrl,
    writer: new GrantWriter(rehousingGrant(), readerRooms, committer),
  })
  const sweep = new KeySweep({ keys, store, vault, registry, clock, log })
  const rounds = keepUp({
    shelf,
    upkeep,
    notes,
    outbox,
    purge: async () => {
      await store.purgeDocuments(clock.nowMs())
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
    await notes.write(shelf)
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
    allPatients: () => registry.patients(),
    // What waits for a person is no refusal: each of it has a record of its own.
    audit: note => (note.outcome === 'failure' && note.action !== 'import' ? refusals.note(note) : begin(note)),
    shred: patient => maintenance.shred(patient),
    verify: () => verifyAll({ store, vault, registry, notes, clock }),
    renewKeys: patient => maintenance.renewKeys(patient),
    reindex: async () => {
      await rehousing.run()
      return maintenance.reindex()
    },
    flush,
    close: async () => {
      clearInterval(rounds)
      await flush()
      outbox.close()
    },
  }
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
  readonly notes: HeadNotes
  purge(): Promise<unknown>
}): NodeJS.Timeout {
  const { shelf, upkeep, notes, outbox } = rooms
  let round = 0
  const once = () => {
    shelf.sweep()
    upkeep.begin(() => outbox.retry())
    upkeep.begin(() => notes.write(shelf))
    if (++round % purgeEveryRounds === 0) upkeep.begin(async () => void (await rooms.purge()))
  }
  return setInterval(once, noteEveryMs).unref()
}
