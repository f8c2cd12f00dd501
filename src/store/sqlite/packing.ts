import type { Steps } from '#kernel'
import type { Append, Commit, DocumentWrite, Entry } from '../contract.ts'
import { idBytes, toHex } from '../ids.ts'
import type { CheckedCommit } from '../well-formed.ts'
import { sealedFromDatabase } from './row-ids.ts'

/** Entries that are packed without a pause: less than a millisecond. */
const packedAtOnce = 128

const idLength = 16

interface PackedAppend extends Omit<Append, 'entries'> {
  readonly count: number
}

interface PackedCommit {
  readonly appends: readonly PackedAppend[]
  readonly documents: readonly DocumentWrite[]
  readonly urgent: boolean
}

/** Commits as they go to another thread: what all entries hold lies in four arrays, which are handed over and not copied. */
export interface PackedCommits {
  readonly commits: readonly PackedCommit[]
  readonly locators: Uint8Array<ArrayBuffer>
  readonly versions: Float64Array<ArrayBuffer>
  /** Where each entry's sealed bytes end. */
  readonly ends: Float64Array<ArrayBuffer>
  readonly sealed: Uint8Array<ArrayBuffer>
}

/** How many entries commits hold, and how many sealed bytes these. */
export function sizeOf(commits: readonly CheckedCommit[]): { readonly entries: number; readonly bytes: number } {
  let entries = 0
  let bytes = 0
  for (const { appends } of commits)
    for (const append of appends) {
      entries += append.entries.length
      for (const { sealed } of append.entries) bytes += sealed.length
    }
  return { entries, bytes }
}

/** What is handed over with packed commits. */
export function buffersOf({ locators, versions, ends, sealed }: PackedCommits): ArrayBuffer[] {
  return [locators.buffer, versions.buffer, ends.buffer, sealed.buffer]
}

export function* pack(commits: readonly CheckedCommit[]): Steps<PackedCommits> {
  const { entries, bytes } = sizeOf(commits)
  const packed: PackedCommits = {
    commits: commits.map(packedCommit),
    locators: new Uint8Array(entries * idLength),
    versions: new Float64Array(entries),
    ends: new Float64Array(entries),
    sealed: new Uint8Array(bytes),
  }
  let at = 0
  for (const { appends } of commits)
    for (const append of appends)
      for (const entry of append.entries) {
        putEntry(packed, at++, entry)
        if (at % packedAtOnce === 0) yield
      }
  return packed
}

// A view of a larger buffer would take all of that with it.
function packedCommit({ appends, documents, urgent }: CheckedCommit): PackedCommit {
  return {
    urgent,
    appends: appends.map(({ entries, headTag, ...append }) => {
      return { ...append, ...(headTag && { headTag: Uint8Array.from(headTag) }), count: entries.length }
    }),
    documents: documents.map(write =>
      write.op === 'put' ? { ...write, sealed: sealedFromDatabase(Uint8Array.from(write.sealed)) } : write,
    ),
  }
}

function putEntry({ locators, versions, ends, sealed }: PackedCommits, at: number, entry: Entry): void {
  const from = ends[at - 1] ?? 0
  locators.set(idBytes(entry.locator), at * idLength)
  versions[at] = entry.version
  sealed.set(entry.sealed, from)
  ends[at] = from + entry.sealed.length
}

/** The commits that were packed. */
export function unpack(packed: PackedCommits): readonly Commit[] {
  let at = 0
  const appendOf = ({ count, ...append }: PackedAppend): Append => {
    const entries = Array.from({ length: count }, (_, index) =>
      entryAt(packed, at++, { compartment: append.compartment, seq: append.expectedHead + 1 + index }),
    )
    return { ...append, entries }
  }
  return packed.commits.map(({ appends, ...commit }) => ({ ...commit, appends: appends.map(appendOf) }))
}

function entryAt(packed: PackedCommits, at: number, place: Pick<Entry, 'compartment' | 'seq'>): Entry {
  const { locators, versions, ends, sealed } = packed
  return {
    ...place,
    locator: toHex(locators.subarray(at * idLength, (at + 1) * idLength)),
    version: versions[at] ?? 0,
    sealed: sealedFromDatabase(sealed.subarray(ends[at - 1] ?? 0, ends[at])),
  }
}
