import { Problem } from '#kernel'
import { at, type Place } from './faults.ts'

/** What came of a field, to be put under a name. */
export interface Yield {
  readonly key: string
  /** FHIR type; what is put together under one name must be of one. */
  readonly type: string
  readonly values: readonly unknown[]
  readonly isList: boolean
  /** A list is shown although it is empty. */
  readonly showsEmpty?: boolean
}

interface Slot {
  readonly type: string
  readonly isList: boolean
  readonly values: unknown[]
}

/** An object of the answer while it is put together: what is flattened into it comes from several elements. */
export class Output {
  private readonly slots = new Map<string, Slot>()

  /**
   * @throws Problem `unprocessable` · `graphql.types-differ`, `graphql.not-single`
   * @see https://hl7.org/fhir/R4/graphql.html#flattening
   */
  add({ key, type, values, isList, showsEmpty = false }: Yield, place: Place): void {
    if (values.length === 0 && !showsEmpty) return
    const slot = this.slots.get(key) ?? { type, isList, values: [] }
    this.slots.set(key, slot)
    if (slot.type !== type || slot.isList !== isList)
      throw at(
        place,
        new Problem('unprocessable', 'graphql.types-differ', 'What is flattened into one name is of several types.'),
      )
    for (const value of values) slot.values.push(value)
    if (!isList && slot.values.length > 1)
      throw at(
        place,
        new Problem('unprocessable', 'graphql.not-single', 'There is more than one value where one was asked for.'),
      )
  }

  /** The object, without what has no value. */
  toObject(): object {
    return Object.fromEntries(Array.from(this.slots, ([key, { isList, values }]) => [key, isList ? values : values[0]]))
  }
}
