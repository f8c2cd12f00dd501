import { printJson, type Resource, shapeOf } from '#fhir'
import { otherForms } from './choices.ts'
import { withContained } from './contained.ts'

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
function isStated(current: Resource, name: string): boolean {
  const plain = name.replace(/^_/, '')
  return [plain, `_${plain}`, ...otherForms(shapeOf('Patient'), plain)].some(one => current[one] !== undefined)
}

function addIdentifiers(current: unknown, found: unknown): unknown {
  const known = Array.isArray(current) ? current : []
  const keys = new Set(known.map(identifierKey))
  const added = (Array.isArray(found) ? found : []).filter(one => {
    const key = identifierKey(one)
    if (keys.has(key)) return false
    keys.add(key)
    return true
  })
  return added.length === 0 ? undefined : [...known, ...added]
}

/** What makes two identifiers the same: system and value. */
export function identifierKey(identifier: { readonly system?: string; readonly value?: string }): string {
  return `${identifier.system ?? ''}|${identifier.value ?? ''}`
}
