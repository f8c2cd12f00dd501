import { encodeJsonInSteps, encodeXmlInSteps, parseSentJson, type Resource } from '#fhir'
import { inSlices, isProblem, spend } from '#kernel'
import type { FhirResponse } from '../types.ts'
import { type Format, mediaTypes } from './negotiate.ts'

/** How an answer is to look. */
export interface Look {
  readonly isPretty: boolean
  readonly format: Format
  /** Whether it only reads: what may have been written must be told. */
  readonly isRead: boolean
}

/**
 * The same answer in lines for people, or in XML. What rests is JSON and goes out as it is; only here is it parsed. Both can be many times as
 * long, so what is more than the JSON is charged like any other answer; where that is too much the answer goes out as the JSON it
 * was, unless it is XML that somebody reads.
 *
 * @throws Problem `not-acceptable` · `xml.unprintable`; `too-costly` · `budget.answered-exceeded`, `budget.parsed-exceeded`,
 *   `budget.cpu-exceeded`
 */
export async function shown(response: FhirResponse, look: Look): Promise<FhirResponse> {
  const { body, headers } = response
  if (body === undefined || headers['content-type'] !== undefined) return response
  try {
    return await printed(response, body, look)
  } catch (error) {
    if (isProblem(error, 'too-costly') && !(look.isRead && look.format === 'xml')) return asJson(response)
    throw error
  }
}

async function printed(
  response: FhirResponse,
  body: NonNullable<FhirResponse['body']>,
  { isPretty, format }: Look,
): Promise<FhirResponse> {
  const text = typeof body === 'string' ? Buffer.from(body) : body
  const value = Buffer.isBuffer(text) ? await parseSentJson(text) : text
  const printLook = { isPretty, grow: charging(Buffer.isBuffer(text) ? text.length : 0) }
  if (format === 'json') return { ...response, body: lineOf(await inSlices(encodeJsonInSteps(value, printLook))) }
  const xml = await inSlices(encodeXmlInSteps(value as Resource, printLook))
  return { ...response, headers: { ...response.headers, 'content-type': mediaTypes.xml }, body: xml }
}

/** The answer as JSON, made bit by bit. */
export async function asJson(response: FhirResponse): Promise<FhirResponse> {
  const { body } = response
  if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) return response
  return { ...response, body: await inSlices(encodeJsonInSteps(body)) }
}

/** @param paidBytes  what was charged for the same already */
function charging(paidBytes: number): (bytes: number) => void {
  let [made, paid] = [0, paidBytes]
  return bytes => {
    made += bytes
    if (made <= paid) return
    spend('answered', made - paid)
    paid = made
  }
}

function lineOf(json: Buffer): Buffer {
  return Buffer.concat([json, Buffer.from('\n')])
}
