import Negotiator from 'negotiator'
import { mediaType, plainAccept } from '../rest/negotiate.ts'
import type { FhirRequest } from '../types.ts'

const fhirTypes = ['application/fhir+json', 'application/fhir+xml'].flatMap(type => [type, `${type}; fhirversion=4.0`])
const jsonTypes = ['application/json', 'text/json'] as const
const xmlTypes = ['application/xml', 'text/xml'] as const
/** No media type that anybody asks for: it stands for content that is FHIR itself, and is had by asking for anything. */
const anything = 'application/x.its-own'

/**
 * Whether a Binary is asked for as what it holds and not as a resource: unless FHIR is asked for, by `_format` or by name in Accept.
 * JSON or XML in general mean the content if that is of the kind, else the resource.
 *
 * @see https://hl7.org/fhir/R4/binary.html#rest
 */
export function isContentWanted(request: Pick<FhirRequest, 'query' | 'header'>, contentType: string): boolean {
  if (request.query.size > 0 && request.query.has('_format')) return false
  const accept = request.header('accept')
  if (accept === undefined || accept === '' || accept === '*/*') return true
  const plain = plainAccept(accept)
  const own = ownTypes(mediaType(contentType))
  // Browsers say that they would take any XML.
  const general = plain.includes('text/html') ? [] : [...jsonTypes, ...xmlTypes].filter(type => !own.includes(type))
  const chosen = new Negotiator({ headers: { accept: plain } }).mediaType([...own, ...fhirTypes, ...general])
  return chosen === undefined || own.includes(chosen)
}

/** By which names the content can be asked for. */
function ownTypes(type: string): readonly string[] {
  const name = fhirTypes.includes(type) ? anything : type
  if (/^(?:application|text)\/json$|\+json$/.test(type)) return [name, ...jsonTypes]
  if (/^(?:application|text)\/xml$|\+xml$/.test(type)) return [name, ...xmlTypes]
  return [name]
}
