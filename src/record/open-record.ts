import type { Grant } from '#access'
import { type Clock, isProblem, type Log } from '#kernel'
import type { Holder } from '#search'
import type { KeyStore, Store } from '#store'
import { openDocuments, type Vault } from '#vault'
import { auditEventOfNote, ReadAudit } from './audit.ts'
import { Committer } from './committer.ts'
import { Cursors } from './cursors.ts'
import { HeadNotes } from './head-notes.ts'
import { Histories } from './history.ts'
import { Household } from './household.ts'
import { Reach } from './reach.ts'
import { GrantReader, type ReaderRooms } from './reader.ts'
import { Registry } from './registry.ts'
import { Shelf } from './shelf.ts'
import { Sighting } from './sighting.ts'
import type { AuditNote, Record } from './types.ts'
import { everyHolder, verifyAll } from './verify.ts'
import { GrantWriter } from './writer.ts'

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
  const audit = new ReadAudit(clock, auditWindowMs, events => upkeepOf(() => committer.audit(events), log))
  const sighting = new Sighting(reach)
  const cursors = new Cursors(vault, documents, clock)
  const histories = new Histories({ store, reach, sighting, cursors })
  const readerRooms: ReaderRooms = { reach, registry, cursors, audit, histories, sighting }
  const notes = new HeadNotes({ keys, vault, store, log })
  const unwritten = new Set<Promise<void>>()
  let rounds = 0
  const upkeep = setInterval(() => {
    shelf.sweep()
    track(upkeepOf(() => notes.write(shelf), log))
    if (++rounds % purgeEveryRounds === 0) track(upkeepOf(() => purge(), log))
  }, noteEveryMs).unref()

  function track(work: Promise<void>): void {
    unwritten.add(work)
    void work.finally(() => unwritten.delete(work))
  }

  async function purge(): Promise<void> {
    await store.purgeDocuments(clock.nowMs())
  }

  async function noteEvent(note: AuditNote): Promise<void> {
    const pair = note.patient === undefined ? undefined : await registry.ofPatient(note.patient)
    const holder = pair?.audit ?? registry.instanceAudit
    await committer.audit([{ holder, event: auditEventOfNote(note, clock.nowMs()) }])
  }

  async function flush(): Promise<void> {
    await audit.flush()
    await Promise.all(unwritten)
    await notes.write(shelf)
  }

  async function reindex(): Promise<number> {
    let entries = 0
    for (const holder of await everyHolder(registry)) {
      for (const ledger of shelf.opened()) if (ledger.holder.compartment === holder.compartment) shelf.discard(ledger)
      await store.dropSegments(holder.compartment)
      const ledger = await shelf.open(holder)
      await ledger.sealFullSegments()
      entries += ledger.durableHead
    }
    return entries
  }

  async function shred(patient: string): Promise<void> {
    const pair = await registry.ofPatient(patient)
    if (pair === undefined) return
    await audit.flush()
    for (const ledger of shelf.opened()) if (ledger.holder.compartment === pair.data.compartment) shelf.discard(ledger)
    await vault.destroy(pair.data.compartment)
    await remove(pair.data)
  }

  async function remove({ compartment, patient }: Holder): Promise<void> {
    await store.dropCompartment(compartment)
    if (patient === undefined) return
    await documents.delete('compartments', `patient/${patient}`)
    registry.forget(patient)
    await store.commit({ appends: [], documents: [registry.counting(undefined)] })
  }

  // A crash between the destruction of a key and the removal of what it had sealed leaves the rest to do.
  async function finishShredding(): Promise<void> {
    const heads = await store.allHeads()
    for (const { owner } of await keys.tombstones()) {
      const holder = registry.known(owner)
      if (holder !== undefined) await remove(holder)
      else if (heads.has(owner)) await store.dropCompartment(owner)
    }
  }

  await finishShredding()

  return {
    reader: (grant: Grant) => new GrantReader(grant, readerRooms),
    writer: (grant: Grant) => new GrantWriter(grant, readerRooms, committer),
    documents,
    patientsOf: account => household.patientsOf(account),
    addPatientTo: (account, patient) => household.add(account, patient),
    allPatients: () => registry.patients(),
    audit: note => track(upkeepOf(() => noteEvent(note), log)),
    shred,
    verify: () => verifyAll({ store, vault, registry, notes, clock }),
    reindex,
    flush,
    close: async () => {
      clearInterval(upkeep)
      await flush()
    },
  }
}

/** Upkeep that fails – an audit record, a head note, a purge – is an alarm, but does not undo what it is about. */
async function upkeepOf(write: () => Promise<void>, log: Log): Promise<void> {
  try {
    await write()
  } catch (error) {
    const code = isProblem(error) ? error.code : 'unexpected'
    log.error('an audit record, a head note or a purge failed', { room: 'record', code })
  }
}
