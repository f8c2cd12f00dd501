import { type Component, type Field, field, isEmpty, type Repetition, type Segment } from './message.ts'
import { isNumbered } from './structure.ts'

/** A field that is being read: once it is kept, what was looked at counts as read. */
export interface Look {
  readonly field: Field
  /** Notes a part of a repetition, all counted from 0 and 1 as HL7 does: `note(0)(1, 3)`. */
  note(repetition: number): Used
  keep(): void
}

/** Says that a component was made use of, or one of its subcomponents; both from 1. */
export type Used = (component: number, subcomponent?: number) => void

/** What was looked at of a repetition: `2` a component, `2.3` a subcomponent, both from 1. */
type Parts = Set<string>

/** What was looked at, by number of the repetition from 0. */
type Seen = Map<number, Parts>

const index = /^\d+$/

/**
 * What was made use of in the segments of a message, by field, repetition, component and subcomponent. What is valued
 * and was not made use of has to be said to the sender.
 */
export class Ledger {
  readonly #read = new Map<Segment, Map<number, Seen | 'all'>>()

  /** A field to be read; counts nothing until it is kept. */
  look(segment: Segment, number: number): Look {
    const seen: Seen = new Map()
    const note = (at: number) => noting(partsAt(seen, at))
    return { field: watched(field(segment, number), note), note, keep: () => this.#add(segment, number, seen) }
  }

  /** Fields that went somewhere as a whole. */
  keep(segment: Segment, ...numbers: readonly number[]): void {
    for (const number of numbers) this.#fields(segment).set(number, 'all')
  }

  /** What has a value and was not read: `PV1-50`, `PID-5.14`, `PID-5.1.3`, `PV1-7[2]`. */
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
    else for (const [at, parts] of seen) known.set(at, known.get(at)?.union(parts) ?? parts)
  }
}

function isSetId({ name }: Segment, number: number, given: Field): boolean {
  return number === 1 && isNumbered(name) && /^\d{1,4}$/.test(given[0]?.[0]?.[0] ?? '')
}

function unreadParts(name: string, given: Field, seen: Seen): readonly string[] {
  return given.flatMap((repetition, at) => {
    if (isEmpty([repetition])) return []
    const parts = seen.get(at)
    const place = at === 0 ? name : `${name}[${at + 1}]`
    if (parts === undefined) return [place]
    return repetition.flatMap((component, part) => unreadBelow(place, component, part + 1, parts))
  })
}

/** A component of which nothing was read is named as a whole. */
function unreadBelow(place: string, component: Component, number: number, parts: Parts): readonly string[] {
  if (parts.has(`${number}`) || isEmpty([[component]])) return []
  const valued = component.flatMap((text, at) => (isEmpty([[[text]]]) ? [] : [`${number}.${at + 1}`]))
  const left = valued.filter(part => !parts.has(part))
  return left.length === valued.length ? [`${place}.${number}`] : left.map(part => `${place}.${part}`)
}

function partsAt(seen: Seen, at: number): Parts {
  const parts = seen.get(at) ?? new Set()
  seen.set(at, parts)
  return parts
}

function noting(parts: Parts): Used {
  return (component, subcomponent) =>
    void parts.add(subcomponent === undefined ? `${component}` : `${component}.${subcomponent}`)
}

/** The field itself; what is asked for of its repetitions is noted. */
function watched(given: Field, note: (repetition: number) => Used): Field {
  return listening(given, at => watching(given[at] as Repetition, note(at)))
}

/** The repetition itself; which of its components and subcomponents are asked for is told. */
export function watching(given: Repetition, used: Used): Repetition {
  const watched = listening(given, at => {
    const component = given[at] as Component
    // What is not divided is read as soon as it is asked for.
    if (component.length > 1) return listening(component, below => tell(component[below], used, at + 1, below + 1))
    used(at + 1)
    return component
  })
  originals.set(watched, given)
  return watched
}

function tell(text: string | undefined, used: Used, component: number, subcomponent: number): string | undefined {
  used(component, subcomponent)
  return text
}

const originals = new WeakMap<readonly unknown[], Repetition>()

/** The repetition itself, to be looked at before something is made of it: nothing is noted. */
export function unwatched(given: Repetition): Repetition {
  return originals.get(given) ?? given
}

function listening<T>(list: readonly T[], answer: (at: number) => T | undefined): readonly T[] {
  return new Proxy(list, {
    get: (target, name, receiver) =>
      typeof name === 'string' && index.test(name) && Number(name) < target.length
        ? answer(Number(name))
        : Reflect.get(target, name, receiver),
  })
}
