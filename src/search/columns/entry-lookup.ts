import type { Steps } from '#kernel'
import type { Dictionary } from './dictionary.ts'
import { GrowUint32 } from './growable.ts'
import { hashBytes } from './packed-texts.ts'

/** The texts under which an entry may be sought; more than one when it holds several codings. */
export type EntryKeys = (entry: string) => readonly string[]

/** What is taken in in one go: entries, and letters of them. */
const atATime = { entries: 512, letters: 65_536 }

/**
 * Which entries of a dictionary may have a key, by hash: for columns of unique values, such as identifiers, that would be
 * slow to look through. Finds too much at times, so entries are still tested. Built at the first question, then kept up.
 */
export class EntryLookup {
  // @NOTE differs per process, so that nobody can choose values that collide; results never depend on it.
  readonly #seed = (Math.random() * 0x1_0000_0000) >>> 0
  readonly #dictionary: Dictionary
  readonly #keysOf: EntryKeys
  /** Hash bucket → entry of a chain, plus one. */
  #heads = new Uint32Array(1_024)
  readonly #numbers = new GrowUint32()
  readonly #hashes = new GrowUint32()
  readonly #next = new GrowUint32()
  #indexed = 0

  constructor(dictionary: Dictionary, keysOf: EntryKeys) {
    this.#dictionary = dictionary
    this.#keysOf = keysOf
  }

  get sizeBytes(): number {
    const arrays = [this.#numbers, this.#hashes, this.#next]
    return arrays.reduce((sum, each) => sum + each.array.byteLength, this.#heads.byteLength)
  }

  /** Takes in what the dictionary has got since, which `candidates` would else do in one go. */
  *ready(): Steps<void> {
    while (this.#indexed < this.#dictionary.count) {
      this.#takeSome()
      yield
    }
  }

  /** Numbers of the entries that may have one of the keys. */
  *candidates(keys: readonly string[]): Iterable<number> {
    while (this.#indexed < this.#dictionary.count) this.#takeSome()
    for (const key of keys) {
      const hash = this.#hash(key)
      let at = this.#heads[hash & (this.#heads.length - 1)] as number
      while (at !== 0) {
        if (this.#hashes.array[at - 1] === hash) yield this.#numbers.array[at - 1] as number
        at = this.#next.array[at - 1] as number
      }
    }
  }

  #hash(key: string): number {
    const bytes = Buffer.from(key, 'utf8')
    return hashBytes(bytes, 0, bytes.length, this.#seed)
  }

  #takeSome(): void {
    const until = Math.min(this.#dictionary.count, this.#indexed + atATime.entries)
    for (let letters = 0; this.#indexed < until && letters < atATime.letters; ) {
      const text = this.#dictionary.text(++this.#indexed)
      letters += text.length
      for (const key of this.#keysOf(text)) this.#add(this.#hash(key), this.#indexed)
    }
  }

  #add(hash: number, number: number): void {
    this.#numbers.push(number)
    this.#hashes.push(hash)
    this.#next.push(0)
    if (this.#numbers.length > this.#heads.length) this.#grow()
    else this.#chain(this.#numbers.length)
  }

  #chain(at: number): void {
    const bucket = (this.#hashes.array[at - 1] as number) & (this.#heads.length - 1)
    this.#next.array[at - 1] = this.#heads[bucket] as number
    this.#heads[bucket] = at
  }

  #grow(): void {
    this.#heads = new Uint32Array(this.#heads.length * 2)
    for (let at = 1; at <= this.#numbers.length; at++) this.#chain(at)
  }
}
