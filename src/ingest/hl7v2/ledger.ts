import { type Field, field, isEmpty, type Repetition, type Segment } from './message.ts'
import { isNumbered } from './structure.ts'

/** A field that is being read: once it is kept, what was looked at counts as read. */
export interface Look {
  readonly field: Field
  keep(): void
}

/** What was looked at: by number of the repetition the numbers of its components, both from 0. */
type Seen = Map<number, Set<number>>

const index = /^\d+$/

/**
 * What was made use of in the segments of a message, by field, repetition and component. What is valued and was not
 * made use of has to be said to the sender.
 */
export class Ledger {
  readonly #read = new Map<Segment, Map<number, Seen | 'all'>>()

  /** A field to be read; counts nothing until it is kept. */
  look(segment: Segment, number: number): Look {
    const seen: Seen = new Map()
    return { field: watched(field(segment, number), seen), keep: () => this.#add(segment, number, seen) }
  }

  /** Fields that went somewhere as a whole. */
  keep(segment: Segment, ...numbers: readonly number[]): void {
    for (const number of numbers) this.#fields(segment).set(number, 'all')
  }

  /** What has a value and was not read: `PV1-50`, `PID-5.14`, `PV1-7[2]`. */
  unread(segment: Segment): readonly string[] {
    const read = this.#fields(segment)
    return segment.fields.flatMap((given, number) => {
      if (given === undefined || isEmpty(given) || isSetId(segment, number, given)) return []
      const seen = read.get(number)
      if (seen === 'all') return []
      const name = `${segment.name}-${number}`
      return seen === undefined ? [name] : unreadParts(name, given, seen)
    })
  }

  #fields(segment: Segment): Map<number, Seen | 'all'> {
    const known = this.#read.get(segment)
    if (known !== undefined) return known
    const fields = new Map<number, Seen | 'all'>()
    this.#read.set(segment, fields)
    return fields
  }

  #add(segment: Segment, number: number, seen: Seen): void {
    const fields = this.#fields(segment)
    const known = fields.get(number)
    if (known === 'all') return
    if (known === undefined) fields.set(number, seen)
    else for (const [at, components] of seen) known.set(at, known.get(at)?.union(components) ?? components)
  }
}

function isSetId({ name }: Segment, number: number, given: Field): boolean {
  return number === 1 && isNumbered(name) && /^\d{1,4}$/.test(given[0]?.[0]?.[0] ?? '')
}

function unreadParts(name: string, given: Field, seen: Seen): readonly string[] {
  return given.flatMap((repetition, at) => {
    if (isEmpty([repetition])) return []
    const components = seen.get(at)
    const place = at === 0 ? name : `${name}[${at + 1}]`
    if (components === undefined) return [place]
    return repetition.flatMap((component, part) =>
      components.has(part) || isEmpty([[component]]) ? [] : [`${place}.${part + 1}`],
    )
  })
}

/** The field itself; which of its repetitions and components are asked for is noted. */
function watched(given: Field, seen: Seen): Field {
  return listening(given, at => {
    const components = seen.get(at) ?? new Set()
    seen.set(at, components)
    return listening(given[at] as Repetition, part => {
      components.add(part)
      return given[at]?.[part]
    })
  })
}

function listening<T>(list: readonly T[], answer: (at: number) => T | undefined): readonly T[] {
  return new Proxy(list, {
    get: (target, name, receiver) =>
      typeof name === 'string' && index.test(name) && Number(name) < target.length
        ? answer(Number(name))
        : Reflect.get(target, name, receiver),
  })
}
