import type { Resource } from '#fhir'

/** What is noted of a resource for when its source says more of it: https://hl7.org/fhir/R4/extensibility.html#Extension */
export interface MetaExtension {
  readonly url?: string
  readonly valueInstant?: string
  readonly valueString?: string
  readonly extension?: readonly {
    readonly url?: string
    readonly valueString?: string
    readonly valueInstant?: string
  }[]
}

/** Those of a resource; what a file has there that is no extension is left to validation. */
export function metaExtensions(resource: Resource): readonly MetaExtension[] {
  return listed(resource).filter(one => one !== null)
}

/** The resource with these in place of those that have one of the urls; others stay where they are. */
export function withMetaExtensions(
  resource: Resource,
  urls: ReadonlySet<string>,
  added: readonly MetaExtension[],
): Resource {
  const kept = listed(resource).filter(one => !urls.has(one?.url ?? ''))
  const { extension, ...meta } = (resource.meta ?? {}) as Record<string, unknown>
  const next = [...kept, ...added]
  return { ...resource, meta: next.length === 0 ? meta : { ...meta, extension: next } }
}

function listed({ meta }: Resource): readonly (MetaExtension | null)[] {
  const { extension } = (meta ?? {}) as { extension?: unknown }
  return Array.isArray(extension) ? extension : []
}
