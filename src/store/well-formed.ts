import { Problem } from '#kernel'
import type { Append, BlobChunk, Commit, CompartmentId, DocumentWrite, Entry, Locator } from './contract.ts'

/** A compartment holds fewer entries than this; a store may count on it to pack its row ids. */
export const maxEntries = 2 ** 28

const hex32 = /^[0-9a-f]{32}$/
const hexBytes = /^(?:[0-9a-f]{2}){1,64}$/

/** A commit whose form is right, with its entries gathered by resource, each list in the order of versions. */
export interface CheckedCommit {
  readonly appends: readonly Append[]
  readonly documents: readonly DocumentWrite[]
  readonly byLocator: ReadonlyMap<Locator, readonly Entry[]>
  /** It may use what is kept in reserve. */
  readonly urgent: boolean
  /** It may be seen before it is durable. */
  readonly unhurried: boolean
}

function malformed(detail: string): Problem {
  return new Problem('fault', 'store.commit-malformed', 'The server prepared a commit that cannot be stored.', {
    detail,
  })
}

/** Compartment ids and locators: 16 bytes in hex. @throws Problem `fault` · `store.id-malformed` */
export function checkId16(id: string): void {
  if (!hex32.test(id)) throw new Problem('fault', 'store.id-malformed', 'An internal id does not have its form.')
}

/** Document keys and groups, which are HMACs in hex. @throws Problem `fault` · `store.id-malformed` */
export function checkHexKey(key: string): void {
  if (!hexBytes.test(key)) throw new Problem('fault', 'store.id-malformed', 'An internal id does not have its form.')
}

function checkEntry(entry: Entry, append: Append, index: number): void {
  checkId16(entry.locator)
  if (entry.compartment !== append.compartment) throw malformed('an entry names another compartment than its append')
  if (entry.seq !== append.expectedHead + 1 + index) throw malformed('the seqs of an append are not dense')
  if (!Number.isSafeInteger(entry.version) || entry.version < 1) throw malformed('a version is not a counting number')
}

/** How much of a sealed entry tells it from every other one: its authentication tag. */
export const headTagBytes = 16

/** Whether an append was decided on this very entry at the head. */
export function isHead({ headTag }: Append, sealed: Uint8Array | undefined): boolean {
  return headTag === undefined || (sealed !== undefined && equals(sealed.subarray(-headTagBytes), headTag))
}

const equals = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0

function checkAppend(append: Append): void {
  checkId16(append.compartment)
  if (!Number.isSafeInteger(append.expectedHead) || append.expectedHead < 0) throw malformed('a head is not a number')
  if (append.expectedHead + append.entries.length >= maxEntries)
    throw new Problem('fault', 'store.compartment-full', 'This record cannot take any more entries.')
  append.entries.forEach((entry, index) => {
    checkEntry(entry, append, index)
  })
}

/** @throws Problem `fault` · `store.commit-malformed` | `store.id-malformed` | `store.compartment-full` */
export function checkRestored(compartment: CompartmentId, head: number, entries: readonly Entry[]): void {
  checkAppend({ compartment, expectedHead: head, entries })
}

function gatherByLocator(appends: readonly Append[]): Map<Locator, Entry[]> {
  const byLocator = new Map<Locator, Entry[]>()
  for (const append of appends) {
    for (const entry of append.entries) {
      const others = byLocator.get(entry.locator)
      if (others === undefined) byLocator.set(entry.locator, [entry])
      else others.push(entry)
    }
  }
  return byLocator
}

// A resource that moves has its removal in one compartment and its next version in another, one of several owners has a copy
// of its version in each: the appends may come in any order.
function checkVersions(entries: Entry[]): void {
  if (entries.length === 1) return
  entries.sort((a, b) => a.version - b.version)
  const stepsOf = entries.map((entry, index) => entry.version - (entries[index - 1]?.version ?? entry.version))
  if (stepsOf.some(step => step > 1)) throw malformed('the versions of a resource are not dense')
  const copies = new Set(entries.map(entry => `${entry.version} ${entry.compartment}`))
  if (copies.size !== entries.length) throw malformed('a version stands twice in a compartment')
}

function checkDocument(write: DocumentWrite): void {
  checkHexKey(write.key)
  if (write.collection === '') throw malformed('a document names no collection')
  if (write.op === 'put' && write.group !== undefined) checkHexKey(write.group)
}

function checkDistinct(names: readonly string[], what: string): void {
  if (names.length > 1 && new Set(names).size !== names.length) throw malformed(`a commit names a ${what} twice`)
}

/** How a document is named in a conflict. */
export function documentName(document: { readonly collection: string; readonly key: string }): string {
  return `${document.collection}/${document.key}`
}

/** Tokens, sessions, permissions and registrations are far smaller, the pieces of a shared copy are not. */
const largestUrgentDocument = 4096

function mayUseReserve({ appends, urgent = false }: Commit, documents: readonly DocumentWrite[]): boolean {
  const grows = documents.some(write => write.op === 'put' && write.sealed.length > largestUrgentDocument)
  return !grows && (urgent || appends.every(({ entries }) => entries.length === 0))
}

/**
 * Refuses what no store could keep, before it joins others in a transaction: these are faults of the caller, not lost races.
 *
 * @throws Problem `fault` · `store.commit-malformed` | `store.id-malformed` | `store.compartment-full`
 */
export function checkCommit(commit: Commit): CheckedCommit {
  const documents = commit.documents ?? []
  commit.appends.forEach(checkAppend)
  documents.forEach(checkDocument)
  const compartments = commit.appends.map(append => append.compartment)
  checkDistinct(compartments, 'compartment')
  checkDistinct(documents.map(documentName), 'document')
  const byLocator = gatherByLocator(commit.appends)
  for (const entries of byLocator.values()) checkVersions(entries)
  const { appends, unhurried = false } = commit
  return { appends, documents, byLocator, urgent: mayUseReserve(commit, documents), unhurried }
}

/**
 * Passes an attachment's chunks on and makes sure that they come as 0, 1, 2 …
 *
 * @throws Problem `fault` · `store.blob-malformed`
 */
export async function* inOrder(chunks: AsyncIterable<BlobChunk>): AsyncGenerator<BlobChunk, void, void> {
  let next = 0
  for await (const chunk of chunks) {
    if (chunk.index !== next++)
      throw new Problem('fault', 'store.blob-malformed', 'The parts of an attachment came out of order.')
    yield chunk
  }
}
