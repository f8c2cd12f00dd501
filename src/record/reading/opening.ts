import { giveWay } from '#kernel'
import type { CompartmentId, Entry, Store } from '#store'
import { isMissing } from '../population/taking.ts'
import type { Place, Stored } from '../types.ts'

/** Sealed bytes that are fetched together, and bytes of versions that are open together before whoever asked has them. */
const mostBytes = 8 * 1024 * 1024
/** Of versions that were open together: more of them, and fewer are fetched the next time. */
const muchBytes = 1024 * 1024

/** Of what is found so many are open together where only their names are wanted. */
const fewAtOnce = 8

/** Which versions lie at some places, in their order; what they say is let go of as soon as that is known. */
export async function versionsOf<At extends Place>(
  places: readonly At[],
  open: (some: readonly At[]) => Promise<readonly Stored[]>,
): Promise<readonly Pick<Stored, 'type' | 'id' | 'version'>[]> {
  const found: Pick<Stored, 'type' | 'id' | 'version'>[] = []
  for (let from = 0; from < places.length; from += fewAtOnce)
    for (const { type, id, version } of await open(places.slice(from, from + fewAtOnce)))
      found.push({ type, id, version })
  return found
}

/**
 * How many versions are fetched at once: few while they are large. Where many of them turn out to be too much, nothing of it is kept and
 * fewer are asked for; one alone may have any size.
 */
export class Portion {
  readonly #least: number
  readonly #most: number
  size: number

  constructor({ least, most }: { readonly least: number; readonly most: number }) {
    this.#least = least
    this.#most = most
    this.size = least
  }

  /** What the next portion may have of sealed bytes. */
  get mostBytes(): number {
    return this.size === 1 ? Number.POSITIVE_INFINITY : mostBytes
  }

  /** It was too much. */
  shrink(): void {
    this.size = Math.ceil(this.size / 4)
  }

  /** @param bytes  of the versions that were opened together */
  adapt(bytes: number): void {
    this.size = bytes > muchBytes ? Math.min(this.size, this.#least) : Math.min(this.#most, this.size * 4)
  }
}

/** What opens the versions of one compartment: a ledger. */
export interface Opener<V> {
  /** A version that is not durable yet, of a ledger that shows such. */
  pendingAt(seq: number): V | undefined
  /** @throws Problem `gone` · `vault.key-destroyed` when it was erased meanwhile */
  open(entry: Entry): V
}

/** Where versions are fetched, and by whom they are opened; nothing is told of a compartment without an opener. */
export interface Opening<V> {
  readonly store: Store
  readonly openerOf: (compartment: CompartmentId) => Promise<Opener<V> | undefined>
}

/**
 * Opens versions in the order of their places, a portion at a time: what is open at once has some MB, or is one version, however
 * many are asked for, however small their sealed bytes are. What is not there, or has gone meanwhile, is left out.
 */
export async function* openInPortions<P extends Place, V extends Pick<Stored, 'json'>>(
  places: readonly P[],
  portion: Portion,
  opening: Opening<V>,
): AsyncGenerator<readonly { readonly place: P; readonly stored: V }[], void, void> {
  for (let from = 0; from < places.length; ) {
    const fetched = await fetch(places.slice(from, from + portion.size), portion.mostBytes, opening)
    if (fetched === undefined) {
      portion.shrink()
      continue
    }
    const opened: { readonly place: P; readonly stored: V }[] = []
    let bytes = 0
    for (const [place, open] of fetched) {
      if (bytes > mostBytes) break
      from++
      const stored = open()
      if (stored === undefined) continue
      opened.push({ place, stored })
      bytes += stored.json.length
      const pause = giveWay()
      if (pause !== undefined) await pause
    }
    portion.adapt(bytes)
    yield opened
  }
}

/** What opens each of some places, in their order; undefined when it is too much. */
async function fetch<P extends Place, V>(
  places: readonly P[],
  mostBytes: number,
  { store, openerOf }: Opening<V>,
): Promise<readonly (readonly [place: P, open: () => V | undefined])[] | undefined> {
  const opens = new Map<P, () => V | undefined>()
  let left = mostBytes
  for (const [compartment, own] of Map.groupBy(places, place => place.compartment)) {
    const opener = await openerOf(compartment)
    if (opener === undefined) continue
    const seqs = own.map(({ seq }) => seq)
    // Asked before the store is: what becomes durable meanwhile is in one of the two.
    const pending = new Map(seqs.map(seq => [seq, opener.pendingAt(seq)]))
    const entries = await store.entriesWithin(compartment, seqs, left)
    if (entries === undefined) return undefined
    left -= entries.reduce((sum, { sealed }) => sum + sealed.length, 0)
    const bySeq = new Map(entries.map(entry => [entry.seq, entry]))
    for (const place of own) {
      const entry = bySeq.get(place.seq)
      const undurable = pending.get(place.seq)
      opens.set(place, () => (entry === undefined ? undurable : unlessMissing(() => opener.open(entry))))
    }
  }
  return places.map(place => [place, opens.get(place) ?? nothing] as const)
}

function unlessMissing<V>(open: () => V): V | undefined {
  try {
    return open()
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

const nothing = (): undefined => undefined
