import { type Grant, knowingVerbs, seesAlike, visionOf } from '#access'
import { inSlices, isProblem, mapFew } from '#kernel'
import { type Holder, seqsUnseen, type VersionsSeen, type Vision, versionsSeen } from '#search'
import type { CompartmentId } from '#store'
import type { Ledger } from '../ledger/ledger.ts'
import type { Named } from '../ledger/opened-versions.ts'
import { ledgersAtOnce, type Shelf } from '../ledger/shelf.ts'
import type { Registry } from '../registry/registry.ts'
import type { Reached } from './reached.ts'

/** What a grant sees of one resource, before anything of it is fetched or opened. */
export interface Foreseen {
  /** Compartments of which the grant sees all of the type, and such whose index cannot be read: what lies there is judged once it is open. */
  readonly whole: readonly CompartmentId[]
  /** By compartment, the versions that are seen, where some are. */
  readonly some: ReadonlyMap<CompartmentId, VersionsSeen>
}

/** What is theirs, and the audit of that. */
const ledgersEach = 2

/** How the compartments within reach are seen, as to one type. */
interface Parted {
  readonly whole: readonly CompartmentId[]
  readonly judged: readonly Holder[]
  /** Whether all of them are seen whole. */
  readonly isWhole: boolean
}

/**
 * Says by the index what a grant may know of, where that depends on what a resource says, or on whose it is: so that what is hidden is
 * neither fetched nor opened, and is answered in the time of what never was.
 */
export class Foresight {
  readonly #registry: Registry
  readonly #shelf: Shelf
  readonly #apart: number
  readonly #parted = new WeakMap<Reached, Map<string, Parted>>()

  constructor(rooms: {
    readonly registry: Registry
    readonly shelf: Shelf
    /** Of so many compartments each is asked for itself. */
    readonly apart: number
  }) {
    this.#registry = rooms.registry
    this.#shelf = rooms.shelf
    this.#apart = rooms.apart
  }

  /** What is seen of a resource: `whole` where all of its type is, `wide` where too many would have to be asked. */
  async of(grant: Grant, named: Named, reached: Reached): Promise<Foreseen | 'whole' | 'wide'> {
    if (seesAlike(grant, named.type)) return 'whole'
    if (this.#isWide(reached)) return 'wide'
    const parted = await this.#part(grant, named.type, reached)
    if (parted.isWhole) return 'whole'
    return parted.judged.length > this.#apart ? 'wide' : this.#foresee(grant, named, parted)
  }

  /** Whether a grant reaches so many that each of them is not asked. */
  #isWide({ everybody }: Reached): boolean {
    const { patients, households } = this.#registry.counts
    return everybody && patients + households > this.#apart
  }

  /** As `of`, where it is known that the resource lies with these alone; undefined where all of its type is seen. */
  async among(grant: Grant, named: Named, holders: readonly Holder[]): Promise<Foreseen | undefined> {
    const parted = seesAlike(grant, named.type) ? undefined : part(holders, grant, named.type)
    return parted === undefined || parted.isWhole ? undefined : this.#foresee(grant, named, parted)
  }

  /** Tells of seqs of some ledgers whether anything there may be seen; of those alone of which that must be asked. */
  async seqsSeen(grant: Grant, ledgers: readonly Ledger[]): Promise<ReadonlyMap<Ledger, (seq: number) => boolean>> {
    const seen = new Map<Ledger, (seq: number) => boolean>()
    const patients = ledgers.filter(({ holder }) => holder.kind !== 'commons')
    if (seesAlike(grant, '*') || patients.length > this.#apart * ledgersEach) return seen
    const read = await mapFew(patients, ledgersAtOnce, async ledger => {
      const index = await indexOf(ledger)
      return index === undefined ? [] : [{ ledger, index }]
    })
    const asked = read.flat()
    const looking = this.#looking(visionOf(grant, knowingVerbs))
    const indexes = asked.map(({ index }) => index)
    const isBeside = asked.length < patients.length
    const unseen = await inSlices(seqsUnseen(indexes, looking, isBeside))
    for (const [at, { ledger }] of asked.entries()) seen.set(ledger, seq => unseen[at]?.[seq] !== 1)
    return seen
  }

  async #foresee(grant: Grant, named: Named, { whole, judged }: Parted): Promise<Foreseen> {
    const vision = visionOf(grant, knowingVerbs)
    const some = new Map<CompartmentId, VersionsSeen>()
    const unread: CompartmentId[] = []
    await mapFew(await this.#fresh(judged), ledgersAtOnce, async ({ compartment, ledger }) => {
      const index = ledger && (await indexOf(ledger))
      if (ledger === undefined || index === undefined) unread.push(compartment)
      else some.set(compartment, await inSlices(versionsSeen(index, named, this.#looking(vision), ledger.durableHead)))
    })
    const opened = [...whole, ...unread]
    return { whole: opened, some: grant.withheld === undefined ? some : lastCounts(some, this.#areRecords(opened)) }
  }

  /** The ledgers as they are now; without one where it cannot be opened, which is nothing to those who look for what lies elsewhere. */
  async #fresh(holders: readonly Holder[]): Promise<readonly { compartment: CompartmentId; ledger?: Ledger }[]> {
    try {
      const ledgers = await this.#shelf.fresh(holders)
      return ledgers.map(ledger => ({ compartment: ledger.holder.compartment, ledger }))
    } catch (error) {
      if (!isProblem(error, 'fault')) throw error
      const [only, ...more] = holders
      if (only !== undefined && more.length === 0) return [{ compartment: only.compartment }]
      return (await mapFew(holders, ledgersAtOnce, holder => this.#fresh([holder]))).flat()
    }
  }

  /** Whether somebody's record is among them. */
  #areRecords(compartments: readonly CompartmentId[]): boolean {
    return compartments.some(compartment => this.#registry.known(compartment)?.kind !== 'commons')
  }

  #looking(vision: Vision) {
    return { vision, erased: this.#registry.erasedPatients }
  }

  async #part(grant: Grant, type: string, reached: Reached): Promise<Parted> {
    const byType = this.#parted.get(reached) ?? new Map<string, Parted>()
    this.#parted.set(reached, byType)
    const known = byType.get(type)
    if (known !== undefined) return known
    const { data, audit } = await reached.all()
    const parted = part(type === 'AuditEvent' ? [...data, ...audit] : data, grant, type)
    byType.set(type, parted)
    return parted
  }
}

function part(holders: readonly Holder[], grant: Grant, type: string): Parted {
  const vision = visionOf(grant, knowingVerbs)
  const isLesser = grant.within !== undefined || grant.withheld !== undefined
  const whole: CompartmentId[] = []
  const judged: Holder[] = []
  let isWhole = true
  for (const holder of holders) {
    const sight = vision(type, holder)
    // What is common property is judged by who refers to it, or made it.
    const isSeen = holder.kind === 'commons' || (sight.kind === 'all' && !(isLesser && sight.named !== undefined))
    isWhole &&= isSeen
    if (isSeen) whole.push(holder.compartment)
    else if (sight.kind !== 'none') judged.push(holder)
  }
  return { whole, judged, isWhole }
}

/** Undefined where something of it is damaged. */
async function indexOf(ledger: Ledger) {
  try {
    return await ledger.index()
  } catch (error) {
    if (isProblem(error, 'fault')) return undefined
    throw error
  }
}

/**
 * What Consents withhold of the version that says something last is withheld of those before it, too. Where that one went away, the last
 * one may lie elsewhere: then each is judged once it is open.
 *
 * @param isElsewhere  whether there is a record beside these to which it may have gone
 */
function lastCounts(
  some: ReadonlyMap<CompartmentId, VersionsSeen>,
  isElsewhere: boolean,
): ReadonlyMap<CompartmentId, VersionsSeen> {
  const there = [...some.values()].filter(({ isThere }) => isThere)
  const [only] = there
  if (only === undefined || there.length > 1 || only.isLastSeen) return some
  return isElsewhere && only.hasLeft ? some : new Map()
}
