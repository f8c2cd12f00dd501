import type { Steps } from '#kernel'
import { GrowUint32 } from '../columns/growable.ts'
import type { TypeTable } from '../columns/type-table.ts'
import type { Holder, RowIndex } from '../row-index.ts'
import { pieces } from './pieces.ts'
import type { Sight, Vision } from './types.ts'

/** Holders that are looked at in one go. */
const holdersAtATime = 4_096

/** Holders of one kind that are seen alike, by one vision in one index: found once, and kept up with those who come. */
class Classes {
  /** One holder of each class. */
  readonly examples: Holder[] = []
  /** By the number of the holder. */
  readonly of = new GrowUint32()
  readonly #numbers = new Map<string, number>()

  #add(holder: Holder, vision: Vision): void {
    const key = `${holder.kind} ${vision.classOf?.(holder) ?? holder.compartment}`
    let number = this.#numbers.get(key)
    if (number === undefined) {
      number = this.examples.push(holder) - 1
      this.#numbers.set(key, number)
    }
    this.of.push(number)
  }

  *keepUp(vision: Vision, { holders }: RowIndex): Steps<void> {
    while (this.of.length < holders.length) {
      const until = Math.min(holders.length, this.of.length + holdersAtATime)
      while (this.of.length < until) this.#add(holders[this.of.length] as Holder, vision)
      if (until < holders.length) yield
    }
  }
}

// @NOTE a token is presented many times, and there may be a hundred thousand holders.
const found = new WeakMap<Vision, WeakMap<RowIndex, Classes>>()

function* classesOf(vision: Vision, index: RowIndex): Steps<Classes> {
  const byIndex = found.get(vision) ?? new WeakMap<RowIndex, Classes>()
  found.set(vision, byIndex)
  const classes = byIndex.get(index) ?? new Classes()
  byIndex.set(index, classes)
  yield* classes.keepUp(vision, index)
  return classes
}

/** What a vision shows of one type in one index. */
export class Sights {
  readonly #index: RowIndex
  readonly #classes: Classes
  /** By class. */
  readonly #sights: readonly Sight[]

  private constructor(index: RowIndex, classes: Classes, sights: readonly Sight[]) {
    this.#index = index
    this.#classes = classes
    this.#sights = sights
  }

  static *of(vision: Vision, index: RowIndex, type: string): Steps<Sights> {
    const classes = yield* classesOf(vision, index)
    return new Sights(
      index,
      classes,
      classes.examples.map(example => vision(type, example)),
    )
  }

  /** The different ones. */
  get all(): readonly Sight[] {
    return [...new Set(this.#sights)]
  }

  /**
   * Of these rows those whose holders fit. Where all do, the same array; where none does, undefined.
   */
  *only(
    table: TypeTable,
    rows: Uint8Array,
    fits: (sight: Sight, holder: Holder) => boolean,
  ): Steps<Uint8Array | undefined> {
    const { examples, of } = this.#classes
    const fitting = this.#sights.map((sight, at) => fits(sight, examples[at] as Holder))
    if (fitting.every(each => each)) return rows
    if (!fitting.includes(true)) return undefined
    const kept = new Uint8Array(rows.length)
    // Another one may have come since, whose rows lie beyond these.
    yield* pieces(rows.length, (from, to) =>
      this.#index.stretches(table, from, to, (holder, first, end) => {
        if (fitting[of.array[holder] as number] === true) copyRows(rows, kept, first, end)
      }),
    )
    return kept
  }
}

/** Stretches are short, and there are many. */
function copyRows(from: Uint8Array, to: Uint8Array, first: number, end: number): void {
  for (let row = first; row < end; row++) to[row] = from[row] as number
}
