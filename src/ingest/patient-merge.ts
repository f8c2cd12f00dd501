import { printJson, type Resource, shapeOf } from '#fhir'
import { otherForms } from './choices.ts'
import { withContained } from './contained.ts'
import { covers } from './standing.ts'

type Elements = Readonly<Record<string, unknown>>

/**
 * The Patient as it should be; undefined when it is so already.
 *
 * @param replace  what is named takes the place of what is there; else it fills what is absent
 * @param nulls    elements to be deleted
 */
export function merge(
  current: Resource,
  { identifier, ...elements }: Elements,
  replace: boolean,
  nulls: readonly string[],
): Resource | undefined {
  const next: Resource = { ...current }
  for (const [name, element] of Object.entries(elements)) {
    if (!replace && isStated(current, name)) continue
    next[name] = element
    for (const other of supersededBy(name)) if (elements[other] === undefined) delete next[other]
  }
  for (const name of nulls.filter(name => elements[name] === undefined))
    for (const gone of [name, `_${name}`]) delete next[gone]
  const merged = addIdentifiers(current.identifier, identifier)
  if (merged !== undefined) next.identifier = merged
  const whole = withContained(next, current, elements)
  return printJson(whole) === printJson(current) ? undefined : whole
}

/** What an element's new value replaces beside the old one: what was said of that value, and the other forms of a choice. */
function supersededBy(name: string): readonly string[] {
  return name.startsWith('_') ? [] : [`_${name}`, ...otherForms(shapeOf('Patient'), name)]
}

/** `_birthDate` belongs to `birthDate`, and the forms of a choice are one element. */
export function isStated(current: Resource, name: string): boolean {
  const plain = name.replace(/^_/, '')
  return [plain, `_${plain}`, ...otherForms(shapeOf('Patient'), plain)].some(one => current[one] !== undefined)
}

/** Identifiers are added, and one that is known gains what it leaves unsaid; undefined when nothing is new. */
function addIdentifiers(current: unknown, found: unknown): unknown {
  const known: readonly Identifier[] = Array.isArray(current) ? current : []
  const said: readonly Identifier[] = Array.isArray(found) ? found.filter(one => one !== null) : []
  const next = [...known]
  const places = new Map(next.map((one, at) => [identifierKey(one), at]))
  let isNew = false
  for (const one of said) {
    const at = places.get(identifierKey(one)) ?? next.length
    if (next[at] !== undefined && (covers(next[at], one) || !covers(one, next[at]))) continue
    next[at] = one
    places.set(identifierKey(one), at)
    isNew = true
  }
  return isNew ? next : undefined
}

interface Identifier {
  readonly system?: string
  readonly value?: string
}

/** What makes two identifiers the same: system and value. */
export function identifierKey(identifier: Identifier): string {
  return `${identifier.system ?? ''}|${identifier.value ?? ''}`
}
