import { type BundleEntry, bundle, type Resource, toInstant } from '#fhir'
import { newResourceId } from '#kernel'

/** An address of what has none. */
export const urn = () => `urn:uuid:${newResourceId()}`

/**
 * A document: its Composition, and what that leads to, under an identifier of its own.
 *
 * @param nowMs  when it was put together, Unix milliseconds
 * @see https://hl7.org/fhir/R4/documents.html#bundle
 */
export function documentBundle(entries: readonly BundleEntry[], nowMs: number, profile?: string): Resource {
  return bundle('document', entries, {
    ...(profile === undefined ? {} : { meta: { profile: [profile] } }),
    identifier: { system: 'urn:ietf:rfc:3986', value: urn() },
    timestamp: toInstant(nowMs),
  })
}
