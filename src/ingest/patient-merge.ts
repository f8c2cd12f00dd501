import { printJson, type Resource } from '#fhir'

type Elements = Readonly<Record<string, unknown>>

/** The Patient as it should be; undefined when it is so already. */
export function merge(
  current: Resource,
  { identifier, ...elements }: Elements,
  replace: boolean,
  nulls: readonly string[],
): Resource | undefined {
  const next: Resource = { ...current }
  for (const [name, element] of Object.entries(elements)) if (replace || !isStated(current, name)) next[name] = element
  if (replace && elements.birthDate !== undefined && elements._birthDate === undefined) delete next._birthDate
  for (const name of nulls) if (elements[name] === undefined) delete next[name]
  const merged = addIdentifiers(current.identifier, identifier)
  if (merged !== undefined) next.identifier = merged
  return printJson(next) === printJson(current) ? undefined : next
}

/** `_birthDate` belongs to `birthDate`, and the two forms of `deceased` are one element. */
function isStated(current: Resource, name: string): boolean {
  const stem = name.replace(/^_/, '').replace(/(Boolean|DateTime|Integer)$/, '')
  return Object.keys(current).some(key => key === name || key.replace(/(Boolean|DateTime|Integer)$/, '') === stem)
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
