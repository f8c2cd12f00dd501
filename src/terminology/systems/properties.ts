import type { ConceptProperty } from '../definitions.ts'
import type { CodeSystem, Concept } from './code-system.ts'

type Read = (concept: Concept) => readonly string[]

const one = (text: string | undefined): readonly string[] => (text === undefined ? [] : [text])

/** Properties that every concept has. @see https://hl7.org/fhir/R4/codesystem.html#defined-props and #filters */
const always: Readonly<Record<string, Read>> = {
  code: ({ code }) => [code],
  concept: ({ code }) => [code],
  display: ({ display }) => one(display),
  definition: ({ definition }) => one(definition),
  parent: ({ parents }) => parents,
  child: ({ children }) => children,
  inactive: ({ isInactive }) => [String(isInactive)],
  notSelectable: ({ isAbstract }) => [String(isAbstract)],
}

/** How the values of a property are read, as texts; undefined where the code system has no such property. */
export function readingOf(system: CodeSystem, property: string): Read | undefined {
  const standard = Object.hasOwn(always, property) ? always[property] : undefined
  if (standard !== undefined) return standard
  if (!system.properties.has(property)) return undefined
  return ({ properties }) => properties.filter(({ code }) => code === property).flatMap(each => one(textOf(each)))
}

/** The value of a property as a text; of a Coding its code. */
export function textOf(property: ConceptProperty): string | undefined {
  const [, value] = Object.entries(property).find(([name]) => name.startsWith('value')) ?? []
  if (typeof value === 'object' && value !== null && 'code' in value) return String(value.code)
  return value === undefined || value === null ? undefined : String(value)
}
