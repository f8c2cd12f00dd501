import { isProblem } from '#kernel'
import type { Append, BlobChunk, CommitResult, DocumentWrite, Entry, Sealed } from '#store'

/** Opens a new, empty store or keystore, and says how to get rid of it. */
export type Opening<T> = () => Promise<{ subject: T; dispose(): Promise<void> }>

/** What is under test; opened anew for each test. */
export interface Held<T> {
  subject: T
}

/** Stands in for the room vault: to a store, sealed bytes are just bytes. */
export function sealedForTest(content: string | Uint8Array): Sealed {
  return new Uint8Array(Buffer.from(content)) as Sealed
}

/** A 16-byte id in hex that a test can read: `id('a', 1)` is a000…0001. */
export function id(letter: string, number = 0): string {
  return letter + number.toString(16).padStart(31, '0')
}

export function entry(
  compartment: string,
  seq: number,
  locator: string,
  version = 1,
  content = `${locator}/${version}`,
): Entry {
  return { compartment, seq, locator, version, sealed: sealedForTest(content) }
}

export function append(
  compartment: string,
  expectedHead: number,
  ...rest: readonly (readonly [string, number?])[]
): Append {
  return {
    compartment,
    expectedHead,
    entries: rest.map(([locator, version], index) => entry(compartment, expectedHead + 1 + index, locator, version)),
  }
}

export function put(key: string, content: string, more: object = {}): DocumentWrite {
  return { op: 'put', collection: 'tokens', key, sealed: sealedForTest(content), ...more }
}

export async function* chunksOf(...contents: readonly string[]): AsyncGenerator<BlobChunk> {
  for (const [index, content] of contents.entries()) yield { index, sealed: sealedForTest(content) }
}

export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'nothing was thrown'
  } catch (error) {
    return isProblem(error) ? error.code : `not a Problem: ${String(error)}`
  }
}

export async function read(chunks: AsyncIterable<BlobChunk>): Promise<string[]> {
  const contents: string[] = []
  for await (const chunk of chunks) contents.push(`${chunk.index}:${text(chunk.sealed)}`)
  return contents
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()
export const won: CommitResult = { ok: true }
export const lost = (conflict: object) => ({ ok: false, heads: [], locators: [], documents: [], ...conflict })

export const anna = id('a')
export const ben = id('b')
export const pulse = id('1', 1)
export const weight = id('2', 2)
// Shares its first 31 digits with `pulse`: an index by a part of the locator must not take one for the other.
export const pulseNeighbour = id('1', 2)
