import { toUtf8 } from '#kernel'
import type { DocumentWrite, Store } from '#store'
import type { Vault } from '#vault'
import { claimsCollection as collection } from '../documents/document-rows.ts'

/**
 * Conditions share so many documents, by chance: enough that two different ones hardly ever meet, and then one of them is judged
 * once more; few enough that none needs to be removed.
 */
const places = 65_536
const mostKnown = 20_000

/** A document that stands for a condition, and what its revision was before the condition was judged. */
export interface Claim {
  readonly key: string
  readonly revision: number
}

/** What is to be committed of claims, and to be told what became of it. */
export interface TakenClaims {
  readonly writes: readonly DocumentWrite[]
  settle(won: boolean): void
}

/**
 * By what equal conditions collide, in whatever processes they are judged: whoever writes because nothing was found gives the
 * document of the condition a new revision in the same commit, which is lost if somebody else did so since the look. Of the
 * documents only the revision tells anything; they are in no digest, for a claim that is put back costs at most a race.
 */
export class Claims {
  readonly #store: Store
  readonly #vault: Vault
  /** Revisions as this process saw them last. One that is outdated makes the commit fail, and is read anew. */
  readonly #known = new Map<string, number>()
  /** Claims in commits of this process that are under way. */
  readonly #taken = new Map<string, Promise<void>>()

  constructor(store: Store, vault: Vault) {
    this.#store = store
    this.#vault = vault
  }

  /** To be called before a condition is judged, with what it is known by. */
  async look(names: readonly string[]): Promise<readonly Claim[]> {
    const keys = new Set(names.map(name => this.#keyOf(name)))
    const claims: Claim[] = []
    for (const key of keys) claims.push({ key, revision: await this.#revisionOf(key) })
    return claims
  }

  /** Who must be waited for before these can be taken; undefined when they can be. */
  obstacle(claims: readonly Claim[]): Promise<void> | undefined {
    for (const { key, revision } of claims) {
      const taken = this.#taken.get(key)
      if (taken !== undefined) return taken
      if ((this.#known.get(key) ?? revision) !== revision) return Promise.resolve()
    }
    return undefined
  }

  /** Takes them for a commit, in the turn in which nothing was in the way. */
  take(claims: readonly Claim[]): TakenClaims {
    if (claims.length === 0) return noneTaken
    const { promise, resolve } = Promise.withResolvers<void>()
    for (const { key } of claims) this.#taken.set(key, promise)
    const settle = (won: boolean) => {
      for (const { key, revision } of claims) {
        this.#taken.delete(key)
        if (won) this.#know(key, revision + 1)
        else this.#known.delete(key)
      }
      resolve()
    }
    return { writes: claims.map(claim => this.#write(claim)), settle }
  }

  async #revisionOf(key: string): Promise<number> {
    for (let taken = this.#taken.get(key); taken !== undefined; taken = this.#taken.get(key)) await taken
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const stored = await this.#store.document(collection, key, 0)
    return this.#known.get(key) ?? this.#know(key, stored?.revision ?? 0)
  }

  #know(key: string, revision: number): number {
    if (this.#known.size >= mostKnown) this.#known.clear()
    this.#known.set(key, revision)
    return revision
  }

  #write({ key, revision }: Claim): DocumentWrite {
    const sealed = this.#vault.sealDocument({ collection, key, revision: revision + 1 }, nothing)
    return { op: 'put', collection, key, sealed, ifRevision: revision }
  }

  #keyOf(name: string): string {
    const place = this.#vault.mac('conditions', toUtf8(name)).readUInt32BE() % places
    return this.#vault.documentKey(collection, String(place))
  }
}

const noneTaken: TakenClaims = { writes: [], settle: () => undefined }
const nothing = toUtf8('{"name":"","value":null}')
