import Negotiator from 'negotiator'

const pageType = 'text/html'

/** What an answer can be, best first for those who take anything. */
const offered = ['application/fhir+json', 'application/json', pageType]

/**
 * Whether whoever asks is a browser that shows a page to a person: one that would rather have HTML than JSON.
 *
 * @param accept  the Accept header; without one JSON is sent
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1
 */
export function prefersPage(accept: string | undefined): boolean {
  const wanted = accept?.toLowerCase()
  if (wanted === undefined || !wanted.includes(pageType)) return false
  return new Negotiator({ headers: { accept: wanted } }).mediaType(offered) === pageType
}
