import type { FhirRequest } from '../types.ts'

/** What the caller would like, as far as this server knows it; unknown preferences are ignored, as RFC 7240 asks. */
export interface Preferences {
  readonly return: 'minimal' | 'representation' | 'OperationOutcome' | undefined
  readonly lenient: boolean
  readonly respondAsync: boolean
}

const none: Preferences = { return: undefined, lenient: false, respondAsync: false }
const returns = ['minimal', 'representation', 'OperationOutcome'] as const

/** @see https://hl7.org/fhir/R4/http.html#ops and https://www.rfc-editor.org/rfc/rfc7240 */
export function parsePrefer(request: Pick<FhirRequest, 'header'>): Preferences {
  const header = request.header('prefer')
  if (header === undefined) return none
  const tokens = header.split(/[,;]/).map(token => token.trim().replaceAll('"', ''))
  // Names in any case: https://www.rfc-editor.org/rfc/rfc7240#section-2
  const preferred = (name: string) =>
    tokens.find(token => token.toLowerCase().startsWith(`${name}=`))?.slice(name.length + 1)
  return {
    return: returns.find(known => known === preferred('return')),
    lenient: preferred('handling') === 'lenient',
    respondAsync: tokens.some(token => token.toLowerCase() === 'respond-async'),
  }
}
