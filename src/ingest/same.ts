import { printJson, type Resource } from '#fhir'
import { isPlain } from './plain.ts'

/** Whether two versions differ in nothing but what the server or the import itself put there. */
export function saysTheSame(one: Resource, other: Resource): boolean {
  return printJson(bare(one)) === printJson(bare(other))
}

function bare(resource: Resource): unknown {
  const { meta, id, ...rest } = resource
  const { versionId, lastUpdated, source, ...kept } = meta ?? {}
  return sorted(Object.keys(kept).length === 0 ? rest : { ...rest, meta: kept })
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isPlain(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, part]) => [name, sorted(part)]),
  )
}
