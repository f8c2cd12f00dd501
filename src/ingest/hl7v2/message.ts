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

/** First component of the first repetition. */
export function value(segment: Segment | undefined, number: number, component = 1): string {
  return part(field(segment, number)[0], component)
}

/** Whether the sender wrote `""`: delete what is stored. */
export function isNull(of: Field): boolean {
  return of.length === 1 && of[0]?.length === 1 && of[0][0]?.[0] === '""'
}

/** Whether nothing stands in the field. */
export function isEmpty(of: Field): boolean {
  return of.every(repetition => repetition.every(component => component.every(text => text === '' || text === '""')))
}

/** `PID-3` → segment and number. */
export function parsePlace(place: string): { readonly segment: string; readonly number: number } {
  const [segment = '', number = ''] = place.split('-')
  return { segment, number: Number(number) }
}
