import { mapLinks, mapLinksInSteps, mapReferencesInSteps, type Resource } from '#fhir'
import type { Steps } from '#kernel'

/** What a reference becomes: another text, or words and an identifier that point nowhere. */
export type Rewritten =
  | { readonly reference: string }
  | { readonly display?: string; readonly identifier?: object; readonly code?: object }

const mark = 'urn:x-ingest-logical:'

/**
 * Rewrites every reference of a resource, in place. What points nowhere loses its `reference` and keeps, or gets, an
 * identifier and a display; a medication that points nowhere becomes its code.
 */
export function* rewriteReferences(resource: Resource, rewrite: (reference: string) => Rewritten): Steps<void> {
  const logical: Exclude<Rewritten, { reference: string }>[] = []
  yield* mapReferencesInSteps(resource, text => {
    const rewritten = rewrite(text)
    if ('reference' in rewritten) return rewritten.reference
    return `${mark}${logical.push(rewritten) - 1}`
  })
  if (logical.length > 0) yield* replaceMarked(resource, logical)
}

/**
 * Rewrites the addresses of a resource, in place: urls of attachments above all, and links in narratives.
 *
 * @param rewrite  gives the address that is to stand in place of another, or the same
 * @see            https://hl7.org/fhir/R4/http.html#trules
 */
export function rewriteUrls(resource: Resource, rewrite: (url: string) => string): Steps<void> {
  return mapLinksInSteps(resource, rewrite)
}

/** The addresses and references of a resource. */
export function linksOf(resource: Resource): readonly string[] {
  const links: string[] = []
  mapLinks(resource, text => {
    links.push(text)
    return text
  })
  return links
}

type Node = { [element: string]: unknown }

function* replaceMarked(node: unknown, logical: readonly Exclude<Rewritten, { reference: string }>[]): Steps<void> {
  if (Array.isArray(node)) {
    for (const item of node) yield* replaceMarked(item, logical)
    return
  }
  if (typeof node !== 'object' || node === null) return
  yield
  const holder = node as Node
  for (const [name, child] of Object.entries(holder)) {
    const found = markedOf(child, logical)
    if (found?.code !== undefined && name === 'medicationReference') {
      delete holder[name]
      holder.medicationCodeableConcept = found.code
    } else yield* replaceMarked(child, logical)
  }
  const own = markedOf(node, logical)
  if (own !== undefined) becomeLogical(holder, own)
}

function markedOf(node: unknown, logical: readonly Exclude<Rewritten, { reference: string }>[]) {
  const reference = typeof node === 'object' && node !== null ? (node as Node).reference : undefined
  if (typeof reference !== 'string' || !reference.startsWith(mark)) return undefined
  return logical[Number(reference.slice(mark.length))]
}

function becomeLogical(node: Node, { display, identifier }: { display?: string; identifier?: object }): void {
  delete node.reference
  if (node.identifier === undefined && identifier !== undefined) node.identifier = identifier
  if (node.display === undefined && display !== undefined) node.display = display
}
