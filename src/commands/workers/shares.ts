import type { ShareClaim, ShareVerdict } from '#ingest'

type Held = Pick<ShareClaim, 'kind' | 'owner' | 'amount'>

/** How much of what there is a limited amount of somebody has, in which worker: what a dead one had is free again. */
export class Shares {
  /** By worker, then by kind and owner. */
  readonly #held = new Map<number, Map<string, Held>>()

  claim(worker: number, { mostOfOne, most, ...held }: ShareClaim): ShareVerdict {
    const ofKind = [...this.#held.values()].flatMap(of => [...of.values()]).filter(({ kind }) => kind === held.kind)
    if (sum(ofKind.filter(({ owner }) => owner === held.owner)) + held.amount > mostOfOne) return 'own'
    if (sum(ofKind) + held.amount > most) return 'all'
    this.#add(worker, held)
    return 'granted'
  }

  release(worker: number, held: Held): void {
    this.#add(worker, { ...held, amount: -held.amount })
  }

  forget(worker: number): void {
    this.#held.delete(worker)
  }

  #add(worker: number, held: Held): void {
    const of = this.#held.get(worker) ?? new Map<string, Held>()
    this.#held.set(worker, of)
    const key = `${held.kind}:${held.owner}`
    const amount = (of.get(key)?.amount ?? 0) + held.amount
    if (amount > 0) of.set(key, { ...held, amount })
    else of.delete(key)
  }
}

const sum = (held: readonly Held[]) => held.reduce((all, { amount }) => all + amount, 0)
