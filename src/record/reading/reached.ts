import { type Grant, homeInReach, patientsInReach } from '#access'
import type { Holder } from '#search'
import type { CompartmentId } from '#store'
import type { Registry } from '../registry/registry.ts'

/** All that a grant reaches. */
export interface Reachable {
  readonly data: readonly Holder[]
  readonly audit: readonly Holder[]
}

/** What a grant was found to reach, as long as nobody comes or goes. */
export interface Reached {
  readonly generation: number
  readonly everybody: boolean
  /** An account whose household is not there yet; another process may make it at any time. */
  readonly homeless: string | undefined
  /** Whose a compartment is, if it is within reach. */
  holder(compartment: CompartmentId): Holder | undefined
  /** The compartments of all; of who reaches everybody they are gathered when somebody goes through them. */
  ids(): Promise<readonly CompartmentId[]>
  all(): Promise<Reachable>
}

/** What grants were found to reach. */
export class Reaches {
  readonly #registry: Registry
  readonly #found = new WeakMap<Grant, Reached>()

  constructor(registry: Registry) {
    this.#registry = registry
  }

  /** What was found before, if nobody has come or gone since. */
  known(grant: Grant): Reached | undefined {
    const known = this.#found.get(grant)
    return known?.generation === this.#registry.generation ? known : undefined
  }

  async look(grant: Grant): Promise<Reached> {
    const reached = await lookFor(grant, this.#registry)
    this.#found.set(grant, reached)
    return reached
  }

  /** What it reaches now: others may have been taken in or erased since, by another process too. */
  async now(grant: Grant): Promise<Reached> {
    await this.#registry.refresh()
    return this.known(grant) ?? this.look(grant)
  }
}

async function lookFor(grant: Grant, registry: Registry): Promise<Reached> {
  const isEverybodys = patientsInReach(grant) === 'all' && homeInReach(grant) === 'all'
  return isEverybodys ? everybody(grant, registry) : some(await reachable(grant, registry), grant, registry)
}

/** Whenever somebody comes this is made anew, and there may be a hundred thousand others: the registry is asked for each that matters. */
function everybody(grant: Grant, registry: Registry): Reached {
  let gathered: Promise<Reachable> | undefined
  const all = () => {
    gathered ??= reachable(grant, registry)
    return gathered
  }
  return {
    generation: registry.generation,
    everybody: true,
    homeless: undefined,
    holder: compartment => registry.known(compartment),
    ids: async () => idsOf(await all()),
    all,
  }
}

function some(found: Reachable, grant: Grant, registry: Registry): Reached {
  const { data, audit } = found
  const home = homeInReach(grant)
  const isHomeless = home !== undefined && home !== 'all' && !data.some(({ account }) => account === home)
  const byCompartment = new Map([...data, ...audit].map(holder => [holder.compartment, holder]))
  const ids = idsOf(found)
  return {
    generation: registry.generation,
    everybody: patientsInReach(grant) === 'all',
    homeless: isHomeless ? home : undefined,
    holder: compartment => byCompartment.get(compartment),
    ids: async () => ids,
    all: async () => found,
  }
}

async function reachable(grant: Grant, registry: Registry): Promise<Reachable> {
  return { data: await registry.inReach(grant), audit: await registry.auditInReach(grant) }
}

function idsOf({ data, audit }: Reachable): readonly CompartmentId[] {
  return [...new Set([...data, ...audit].map(({ compartment }) => compartment))]
}
