/** A component's subcomponents. */
export type Component = readonly string[]
/** One repetition's components. */
export type Repetition = readonly Component[]
/** A field's repetitions. */
export type Field = readonly Repetition[]

/** A segment; `fields[n]` is the field that HL7 calls n. */
export interface Segment {
  readonly name: string
  /** Which of its name in the message, from 1. */
  readonly nth: number
  readonly fields: readonly (Field | undefined)[]
}

export interface Message {
  readonly segments: readonly Segment[]
  readonly msh: Segment
  /** Places (ERR-2) of characters that no FHIR string holds; U+FFFD stands for them. */
  readonly replaced: readonly string[]
}

const none: Field = []

/** A field by its number; no repetitions when it is absent. */
export function field(segment: Segment | undefined, number: number): Field {
  return segment?.fields[number] ?? none
}

/** Component and subcomponent of a repetition, counted from 1; empty when absent. `""` (HL7's null) counts as empty. */
export function part(repetition: Repetition | undefined, component: number, subcomponent = 1): string {
  const text = repetition?.[component - 1]?.[subcomponent - 1] ?? ''
  return text === '""' ? '' : text.trim()
}

/** What a component is made of: its subcomponents as components. */
export function below(repetition: Repetition | undefined, component: number): Repetition {
  return (repetition?.[component - 1] ?? []).map(text => [text])
}

/** First component of the first repetition. */
export function value(segment: Segment | undefined, number: number, component = 1): string {
  return part(field(segment, number)[0], component)
}

/** Whether the sender wrote `""`, in each repetition: delete what is stored. */
export function isNull(of: Field): boolean {
  return of.length > 0 && of.every(repetition => repetition.length === 1 && repetition[0]?.[0] === '""')
}

/** Whether nothing stands in the field. */
export function isEmpty(of: Field): boolean {
  return of.every(repetition => repetition.every(component => component.every(text => text === '' || text === '""')))
}

/** A place in a segment: `PID-3`, `SPM-2.1`, `PID-11[2]`, `PID-5[2].1.3`. */
export interface Place {
  readonly segment: string
  readonly number: number
  readonly component?: number
  /** From 1. */
  readonly repetition?: number
}

const placePattern = /^(\w+)-(\d+)(?:\[(\d+)\])?(?:\.(\d+)(?:\.\d+)?)?$/

/** The places that tables name are few and asked for in each message. */
const places = new Map<string, Place>()

/** `PV1-2.1` → segment, field and component. */
export function parsePlace(place: string): Place {
  const known = places.get(place)
  if (known !== undefined) return known
  const parsed = placeOf(place)
  if (places.size < 2000) places.set(place, parsed)
  return parsed
}

function placeOf(place: string): Place {
  const [, segment = '', number, repetition, component] = placePattern.exec(place) ?? []
  return {
    segment,
    number: Number(number),
    ...(component === undefined ? {} : { component: Number(component) }),
    ...(repetition === undefined ? {} : { repetition: Number(repetition) }),
  }
}
