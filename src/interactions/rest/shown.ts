import { encodeXmlInSteps, parseJsonInSteps, type Resource } from '#fhir'
import { inSlices } from '#kernel'
import type { FhirResponse } from '../types.ts'
import { type Format, mediaTypes } from './negotiate.ts'

/**
 * The same answer in lines for people, or in XML. What rests is JSON and goes out as it is; only here is it parsed.
 *
 * @throws Problem `not-acceptable` · `xml.unprintable`
 */
export async function shown(
  response: FhirResponse,
  { isPretty, format }: { readonly isPretty: boolean; readonly format: Format },
): Promise<FhirResponse> {
  const { body, headers } = response
  if (body === undefined || headers['content-type'] !== undefined) return response
  const value = Buffer.isBuffer(body) || typeof body === 'string' ? await parsed(body) : body
  if (format === 'json') return { ...response, body: `${JSON.stringify(value, null, 2)}\n` }
  const xml = await inSlices(encodeXmlInSteps(value as Resource, { isPretty }))
  return { ...response, headers: { ...headers, 'content-type': mediaTypes.xml }, body: xml }
}

function parsed(body: Buffer | string) {
  return inSlices(parseJsonInSteps(typeof body === 'string' ? Buffer.from(body) : body))
}
