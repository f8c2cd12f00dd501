import type { Place } from '#record'

/** Places of one type, gathered by compartment: whoever opens them opens each ledger once. */
export type Run = readonly [compartment: string, seqs: readonly number[]]

/** What an export has found so far: some ten bytes a resource. */
export class Found {
  readonly #byType = new Map<string, Map<string, number[]>>()
  count = 0

  readonly take = ({ type, compartment, seq }: Place & { readonly type: string }): void => {
    const ofType = this.#byType.get(type) ?? new Map<string, number[]>()
    this.#byType.set(type, ofType)
    const seqs = ofType.get(compartment)
    if (seqs === undefined) ofType.set(compartment, [seq])
    else seqs.push(seq)
    this.count++
  }

  get types(): readonly string[] {
    return [...this.#byType.keys()].sort()
  }

  /** Everything of a type, in pieces of at most so many places. */
  *pieces(type: string, atMost: number): Generator<readonly Run[]> {
    let piece: Run[] = []
    let left = atMost
    for (const [compartment, seqs] of this.#byType.get(type) ?? [])
      for (let from = 0; from < seqs.length; ) {
        const some = seqs.slice(from, from + left)
        piece.push([compartment, some])
        from += some.length
        left -= some.length
        if (left > 0) continue
        yield piece
        piece = []
        left = atMost
      }
    if (piece.length > 0) yield piece
  }
}

export function placesIn(runs: readonly Run[]): readonly Place[] {
  return runs.flatMap(([compartment, seqs]) => seqs.map(seq => ({ compartment, seq })))
}
