import type { Resource } from '#fhir'

type Node = { readonly [element: string]: unknown }

/** What every AuditEvent carries that somebody else than this server has written. */
export const filedTag = {
  system: 'https://kinhold.org/fhir/audit-origin',
  code: 'filed',
  display: 'Filed by an app or a device, not by this server',
} as const

/**
 * What devices and apps file of their own lies with the data of whom it concerns, apart from the server's ledgers of audit, and says so:
 * nobody takes it for the server's word, whatever it says itself.
 */
export function asFiled(resource: Resource): Resource {
  if (resource.resourceType !== 'AuditEvent') return resource
  const meta = (resource.meta ?? {}) as Node
  const tags = Array.isArray(meta.tag) ? (meta.tag as readonly Node[]) : []
  const others = tags.filter(({ system, code }) => system !== filedTag.system || code !== filedTag.code)
  return { ...resource, meta: { ...meta, tag: [...others, filedTag] } }
}
