import { encodeJsonInSteps, encodeXmlInSteps, isLarge, parseSentJson, type Resource } from '#fhir'
import { inSlices, isProblem, spend, withBudget } from '#kernel'
import type { FhirResponse } from '../types.ts'
import { partOfAnswer, type WantedPart } from './answered-subset.ts'
import { type Format, mediaTypes } from './negotiate.ts'

/** How an answer is to look. */
export interface Look {
  /** What of it is wanted; all of it unless told. */
  readonly part?: WantedPart
  readonly isPretty: boolean
  readonly format: Format
  /** Whether it only reads: what may have been written must be told. */
  readonly isRead: boolean
}

/**
 * The answer as it was asked for: a part of it, in lines for people, in XML. What rests is JSON and goes out as it is; only here is it
 * parsed. Lines and XML can be many times as long, so what is more than the JSON is charged like any other answer; where that is too
 * much lines are left out. Of what may have written, all goes out in JSON rather than nothing, also where XML cannot say it.
 *
 * @throws Problem of what only reads: `not-acceptable` · `xml.unprintable`; `too-costly` · `budget.answered-exceeded`,
 *   `budget.parsed-exceeded`, `budget.cpu-exceeded`
 */
export async function shown(whole: FhirResponse, look: Look): Promise<FhirResponse> {
  try {
    const response = look.part === undefined ? whole : await partOfAnswer(whole, look.part)
    if (look.isPretty || look.format === 'xml') return await inFormat(response, look)
    return response === whole && !isLong(whole) ? whole : await asJson(response)
  } catch (error) {
    if (look.isRead || !(isProblem(error, 'too-costly') || isProblem(error, 'not-acceptable'))) throw error
    return inAnyCase(whole)
  }
}

async function inFormat(response: FhirResponse, look: Look): Promise<FhirResponse> {
  const { body, headers } = response
  if (body === undefined || headers['content-type'] !== undefined) return response
  try {
    return await printed(response, body, look)
  } catch (error) {
    if (look.format === 'xml' || !isProblem(error, 'too-costly')) throw error
    return inAnyCase(response)
  }
}

/** As JSON, whatever was used up by then: nothing is left of it to pay for the same once more. */
function inAnyCase(response: FhirResponse): Promise<FhirResponse> {
  return withBudget('unbounded', () => asJson(response))
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

/** Whether making JSON of it would take so long that others notice. */
function isLong({ body }: FhirResponse): boolean {
  return body !== undefined && typeof body !== 'string' && !Buffer.isBuffer(body) && isLarge(body)
}

/** The answer as JSON, made bit by bit. */
async function asJson(response: FhirResponse): Promise<FhirResponse> {
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
