import { isCommonsType } from '#access'
import { parseResource } from '#fhir'
import { type Clock, isProblem, newHashing, type Problem } from '#kernel'
import { type CompartmentId, type Entry, mayFollow, type Store } from '#store'
import type { CompartmentKeys, Documents, Vault } from '#vault'
import { forgottenUntil, holdsText } from '../audit/forget-texts.ts'
import { bytesOf } from '../contents/parts.ts'
import type { DocumentLedger } from '../documents/document-ledger.ts'
import { decodePayload, firstLink, linkOf, type Payload } from '../ledger/payload.ts'
import type { Registry } from '../registry/registry.ts'
import type { Content, Finding } from '../types.ts'
import type { HeadNote, HeadNotes } from './head-notes.ts'
import type { KeystoreWatch } from './keystore-watch.ts'

const readAhead = 1024
const entriesPerPause = 50

interface VerifyRooms {
  readonly store: Store
  readonly vault: Vault
  readonly documents: Documents
  readonly registry: Registry
  readonly notes: HeadNotes
  readonly clock: Clock
  readonly documentLedger: DocumentLedger
  readonly keystore: KeystoreWatch
}

/** Opens every entry and segment of every compartment, follows the chains, and compares the heads with their notes. */
export async function* verifyAll(rooms: VerifyRooms): AsyncGenerator<Finding, void, void> {
  for (const text of await rooms.store.check()) yield { kind: 'store-fault', text }
  for (const text of await rooms.vault.keys.check()) yield { kind: 'store-fault', text: `keystore ${text}` }
  yield* await rooms.keystore.findings()
  const heads = await rooms.store.allHeads()
  const known = await rooms.vault.compartments()
  const compartments = new Set([...heads.keys(), ...known.map(({ id }) => id)])
  const notes = Map.groupBy(await rooms.notes.all(), ({ compartment }) => compartment)
  for (const compartment of compartments) {
    const noted = (notes.get(compartment) ?? []).map(({ note }) => note)
    if (noted.length === 0 && heads.has(compartment) && rooms.notes.mayBeMissing)
      yield {
        kind: 'note-missing',
        compartment,
        text: 'No head is noted of this ledger, and the keystore is not whole.',
      }
    yield* verifyLedger(rooms, { compartment, head: heads.get(compartment) ?? 0, noted })
  }
  for (const compartment of notes.keys())
    if (!compartments.has(compartment) && !(await rooms.vault.isDestroyed(compartment)))
      yield { kind: 'note-broken', text: 'A head is noted of a compartment that never was: the keystore is damaged.' }
  yield* verifyDocuments(rooms)
  yield* verifyRegistrations(rooms, heads, known)
  yield* verifyCommons(rooms)
}

/** A ledger, how many entries it has, and what is noted of them. */
interface LedgerAsked {
  readonly compartment: CompartmentId
  readonly head: number
  readonly noted?: readonly (HeadNote | 'forged')[]
  /** Called after every few entries. */
  readonly pause?: () => Promise<void>
}

/** What is wrong within one compartment: its key, its entries and their order, its segments. */
export async function* verifyLedger(
  rooms: Pick<VerifyRooms, 'store' | 'vault' | 'documents'>,
  asked: LedgerAsked,
): AsyncGenerator<Finding, void, void> {
  const keys = await keysOf(rooms.vault, asked.compartment)
  if (typeof keys !== 'string') yield* verifyCompartment(rooms, keys, asked)
  else yield { kind: keys, compartment: asked.compartment, text: keyFaults[keys] }
}

/** What is a person's must not lie where every family reads; an earlier release put it there. */
async function* verifyCommons({ store, vault, registry }: VerifyRooms): AsyncGenerator<Finding, void, void> {
  const text = 'An entry is of a type that is somebody’s, but lies in the commons; run reindex.'
  for (const { compartment } of registry.commons) {
    const keys = await keysOf(vault, compartment)
    if (typeof keys === 'string') continue
    for (let from = 1; ; ) {
      const entries = await store.entriesFrom(compartment, from, readAhead)
      for (const entry of entries)
        if (isMisplaced(keys, entry) && (await store.newest(entry.locator, [compartment]))?.seq === entry.seq)
          yield { kind: 'misplaced', compartment, seq: entry.seq, text }
      if (!mayFollow(entries, readAhead)) break
      from = (entries.at(-1)?.seq ?? from) + 1
    }
  }
}

function isMisplaced(keys: CompartmentKeys, entry: Entry): boolean {
  const payload = payloadOf(keys, entry)
  if (payload === undefined || payload.deleted || payload.movedAway) return false
  return !isCommonsType(parseResource(payload.json).resourceType)
}

const keyFaults = {
  'key-missing': 'The compartment has entries, but its key is gone.',
  'key-broken': 'The key of the compartment is not the one that was put into the keystore.',
  'keystore-forged': 'A tombstone that was not written by us stands for this compartment.',
} as const

/** The documents are opened one by one: all that others rely on lies in them. */
async function* verifyDocuments(rooms: VerifyRooms): AsyncGenerator<Finding, void, void> {
  const { store, vault, documentLedger } = rooms
  const broken = new Set<string>()
  for (const collection of await store.collections())
    for (const document of await store.documents(collection, 0)) {
      if (opens(() => vault.openDocument(document))) continue
      const text = `A document of the collection ${collection} cannot be opened: ${document.key}.`
      broken.add(document.key)
      yield { kind: 'document-broken', text }
    }
  if (documentLedger.isLost) return
  for (const { collection, key, isMissing } of await staleDocuments(rooms))
    if (isMissing)
      yield { kind: 'document-missing', text: `A document of the collection ${collection} is missing: ${key}.` }
    else if (!broken.has(key))
      yield {
        kind: 'rolled-back',
        text: `A document of the collection ${collection} is not what was written last: ${key}.`,
      }
}

/** What of the ledger of documents does not open is named as an entry, and nothing can be said of the documents then. */
async function staleDocuments({ documentLedger }: VerifyRooms): ReturnType<DocumentLedger['differences']> {
  try {
    return await documentLedger.differences()
  } catch (error) {
    if (isProblem(error)) return []
    throw error
  }
}

/** Whose a compartment is stands in a document; without it everything in the compartment is out of reach. */
async function* verifyRegistrations(
  { registry }: VerifyRooms,
  heads: ReadonlyMap<CompartmentId, number>,
  known: readonly { id: CompartmentId; kind: string }[],
): AsyncGenerator<Finding, void, void> {
  const registered = new Set((await registry.everyHolder()).map(holder => holder.compartment))
  // The audit of an erased patient outlives the registration.
  for (const { id: compartment, kind } of known)
    if (kind !== 'audit' && kind !== 'documents' && heads.has(compartment) && !registered.has(compartment))
      yield { kind: 'document-missing', compartment, text: 'Nothing says any more whose this compartment is.' }
}

/** @returns false when what was sealed is not what is there */
function opens(open: () => unknown): boolean {
  try {
    open()
    return true
  } catch (error) {
    if (isProblem(error)) return false
    throw error
  }
}

async function keysOf(vault: Vault, compartment: CompartmentId): Promise<CompartmentKeys | keyof typeof keyFaults> {
  try {
    return await vault.compartment(compartment)
  } catch (error) {
    if (isProblem(error, 'gone') || (isProblem(error) && error.code === 'vault.key-lost')) return 'key-missing'
    if (isProblem(error) && error.code === 'vault.tombstone-forged') return 'keystore-forged'
    if (isProblem(error)) return 'key-broken'
    throw error
  }
}

async function* verifyCompartment(
  { store, documents }: Pick<VerifyRooms, 'store' | 'documents'>,
  keys: CompartmentKeys,
  { head, noted: notes = [], pause }: LedgerAsked,
): AsyncGenerator<Finding, void, void> {
  const { compartment } = keys
  if (notes.includes('forged'))
    yield { kind: 'rolled-back', compartment, text: 'The head note in the keystore is not ours.' }
  const noted = notes.filter(note => note !== 'forged')
  for (const { seq } of noted)
    if (seq > head)
      yield { kind: 'rolled-back', compartment, seq, text: 'The ledger ends before the head that was noted.' }
  const forgotten = await forgottenUntil(documents, compartment)
  const atOnce = pause === undefined ? readAhead : entriesPerPause
  let link: Uint8Array = firstLink
  let expected = 1
  for (;;) {
    const entries = await store.entriesFrom(compartment, expected, atOnce)
    for (const entry of entries) {
      const { seq } = entry
      if (seq > expected) yield { kind: 'entry-missing', compartment, seq: expected, text: 'Entries are missing.' }
      const opened = opening(keys, entry)
      const payload = isProblem(opened) ? undefined : opened
      if (isProblem(opened)) yield { kind: 'entry-broken', compartment, seq, text: whyClosed(opened) }
      else if (seq === expected && !Buffer.from(opened.chain).equals(link))
        yield { kind: 'chain-broken', compartment, seq, text: 'The entry does not follow the one before it.' }
      else if (seq <= forgotten && holdsText(opened))
        yield { kind: 'rolled-back', compartment, seq, text: 'The entry holds what an erasure took out of it.' }
      if (pause === undefined && payload?.content !== undefined && !(await isWhole(store, keys, payload.content)))
        yield {
          kind: 'content-broken',
          compartment,
          seq,
          text: 'The content of the entry is missing, or cannot be opened.',
        }
      link = linkOf(entry, payload)
      expected = seq + 1
      if (noted.some(note => note.seq === seq && !Buffer.from(note.link).equals(link)))
        yield { kind: 'rolled-back', compartment, seq, text: 'The entry is not the one that was noted as head.' }
    }
    if (!mayFollow(entries, atOnce)) break
    if (pause !== undefined) await pause()
  }
  if (expected <= head)
    yield { kind: 'entry-missing', compartment, seq: expected, text: 'Entries are missing at the end.' }
  yield* verifySegments(store, keys)
}

/** Whether all of a content can be opened, and is what was written. */
async function isWhole(store: Store, keys: CompartmentKeys, content: Content): Promise<boolean> {
  const hash = newHashing()
  const blob = (name: string) => keys.openBlob(name, store.blob(keys.compartment, name))
  try {
    for await (const piece of bytesOf(content, blob)) hash.update(piece)
    return hash.end() === content.sha256
  } catch (error) {
    if (isProblem(error)) return false
    throw error
  }
}

function payloadOf(keys: CompartmentKeys, entry: Entry): Payload | undefined {
  const opened = opening(keys, entry)
  return isProblem(opened) ? undefined : opened
}

/** Who put a backup back without its keystore can put that right. */
function whyClosed({ code, message }: Problem): string {
  return code === 'vault.data-older' ? message : 'The entry cannot be opened.'
}

function opening(keys: CompartmentKeys, entry: Entry): Payload | Problem {
  try {
    return decodePayload(keys.openEntry(entry))
  } catch (error) {
    if (isProblem(error)) return error
    throw error
  }
}

async function* verifySegments(store: Store, keys: CompartmentKeys): AsyncGenerator<Finding, void, void> {
  const { compartment } = keys
  let expected = 1
  for (const segment of await store.segments(compartment)) {
    const { fromSeq: seq, untilSeq } = segment
    if (seq !== expected)
      yield { kind: 'segment-missing', compartment, seq: expected, text: 'An index segment is missing; run reindex.' }
    if (!opens(() => keys.openSegment(segment)))
      yield { kind: 'segment-broken', compartment, seq, text: 'An index segment cannot be opened; run reindex.' }
    expected = untilSeq + 1
  }
}
