import { withBudget } from '#kernel'
import { anyMayMatch, conditionNames, type Query, type Restricted } from '#search'
import type { Claim, Claims, TakenClaims } from './claims.ts'
import type { UnderWay, Watch, WrittenRow } from './under-way.ts'

/** What a condition found: one version of one resource. */
export interface Found {
  readonly type: string
  readonly id: string
  readonly version: number
}

/** What stands in the way of a commit: the work is run again when that is settled. */
export interface Obstacle {
  readonly settled: Promise<unknown>
}

interface Judged {
  readonly query: Restricted<Query>
  readonly claims: readonly Claim[]
  /** Where it was judged on an index of many, which shows what is durable; elsewhere the heads of ledgers tell. */
  readonly watch: Watch | undefined
  /** Versions by type and id. */
  readonly found: ReadonlyMap<string, number>
}

/** What conditions are judged beside. */
export interface ConditionRooms {
  readonly claims: Claims
  readonly underWay: UnderWay
}

/** The conditions that one run of a transaction has judged, and whether they would still be judged so. */
export class Conditions {
  readonly #rooms: ConditionRooms
  readonly #judged: Judged[] = []
  readonly #watches: Watch[] = []
  /** Of those that were judged on an index of many, by type and id: the first that found it. */
  readonly #foundWidely = new Map<string, number>()

  constructor(rooms: ConditionRooms) {
    this.#rooms = rooms
  }

  /**
   * Judges one.
   *
   * @param isWide  whether `look` sees what is durable alone
   */
  async judge(
    query: Restricted<Query>,
    isWide: boolean,
    look: () => Promise<readonly Found[]>,
  ): Promise<readonly Found[]> {
    const claims = await this.#rooms.claims.look(conditionNames(query))
    const watch = isWide ? this.#watch() : undefined
    const found = await look()
    const versions = new Map(found.map(each => [nameOf(each), each.version]))
    this.#judged.push({ query, claims, watch, found: versions })
    if (watch !== undefined) for (const [name, version] of versions) this.#foundWidely.getOrInsert(name, version)
    return found
  }

  /** What was written or claimed since, here, that might change what was found. Others' writes the store's commit finds out. */
  obstacle(): Obstacle | undefined {
    const claimed = this.#rooms.claims.obstacle(this.#toClaim())
    return claimed === undefined ? this.writtenSince() : { settled: claimed }
  }

  /** The same of what was written alone. */
  writtenSince(): Obstacle | undefined {
    for (const judged of this.#judged) {
      const { watch } = judged
      const batch = watch && this.#rooms.underWay.firstUnseen(watch, rows => mayChange(judged, rows))
      if (batch !== undefined) return batch
    }
    return undefined
  }

  /** The version of a resource that was found, where the commit must build on that very one. */
  foundVersion(type: string, id: string): number | undefined {
    return this.#foundWidely.get(nameOf({ type, id }))
  }

  /** Takes the claims for a commit: of conditions that found nothing. What was found has a version, on which commits collide. */
  take(): TakenClaims {
    return this.#rooms.claims.take(this.#toClaim())
  }

  ended(): void {
    for (const watch of this.#watches) this.#rooms.underWay.ended(watch)
  }

  #watch(): Watch {
    const watch = this.#rooms.underWay.watch()
    this.#watches.push(watch)
    return watch
  }

  #toClaim(): readonly Claim[] {
    const unfound = this.#judged.filter(({ found }) => found.size === 0).flatMap(({ claims }) => claims)
    // The first look at a claim counts, should there be several.
    return [...new Map(unfound.toReversed().map(claim => [claim.key, claim])).values()]
  }
}

const nameOf = ({ type, id }: Pick<Found, 'type' | 'id'>) => `${type}/${id}`

/** Whether these rows may be the reason why something else would be found. */
function mayChange({ query, found }: Judged, rows: readonly WrittenRow[]): boolean {
  const asked = rows.filter(({ row }) => query.types.includes(row.type))
  const within = asked.length === 0 ? asked : asked.filter(({ holder, row }) => isSeen(query, row.type, holder))
  if (within.some(({ row }) => row.version > (found.get(nameOf(row)) ?? Number.POSITIVE_INFINITY))) return true
  return query.types.some(type => {
    const others = within.filter(({ row }) => row.type === type && !row.deleted && !found.has(nameOf(row)))
    const criteria = query.criteriaByType.get(type) ?? query.criteria
    return withBudget('unbounded', () =>
      anyMayMatch(
        type,
        others.map(({ row }) => row),
        criteria,
      ),
    )
  })
}

function isSeen({ vision }: Restricted<Query>, type: string, holder: WrittenRow['holder']): boolean {
  return vision(type, holder).kind !== 'none'
}
