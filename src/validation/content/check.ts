import type { ElementDefinition, Shape } from '#fhir'
import type { Node, Surroundings } from '../walk.ts'

/** An object of a resource and where it stands. */
export interface Met {
  readonly node: Node
  readonly shape: Shape
  /** What it is in the object around it; undefined for the resource itself. */
  readonly element: ElementDefinition | undefined
  /** The object around it; undefined for the resource itself. */
  readonly within: Shape | undefined
  /** JSON pointer. */
  readonly at: string
  readonly around: Surroundings
}

/** Tells a fault: the keyword of `issues.ts`, and where. */
export type Tell = (keyword: string, at: string) => void

/** Looks at an object whose structure is right. */
export type Check = (met: Met, tell: Tell) => void

/** An absolute address: a scheme and something behind it. @see https://www.rfc-editor.org/rfc/rfc3986#section-3.1 */
export function isAbsolute(text: unknown): boolean {
  return typeof text === 'string' && /^[A-Za-z][A-Za-z0-9+.-]*:./.test(text)
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : value === undefined ? [] : [value]
}

/** Visits the texts of an element, one or listed, with where each stands. */
export function eachText(value: unknown, at: string, use: (text: string, at: string) => void): void {
  if (typeof value === 'string') use(value, at)
  else if (Array.isArray(value))
    for (let i = 0; i < value.length; i++) if (typeof value[i] === 'string') use(value[i], `${at}/${i}`)
}
