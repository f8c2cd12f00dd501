import type { Resource } from '#fhir'
import { Problem } from '#kernel'
import { checkQuery } from '../perform.ts'
import { readOptionalResource } from '../rest/body.ts'
import type { FhirRequest } from '../types.ts'

/** One entry of a Parameters resource, as it was sent. */
export interface Part {
  readonly [member: string]: unknown
}

/**
 * What an operation is asked: the parameters of its URL and, by POST, those of a Parameters resource. A body is not needed.
 *
 * @param known  names of the parameters it takes, all of them primitive
 * @throws Problem `invalid` · `request.parameter-unknown`, `operation.parameter-malformed` and what `readOptionalResource` throws
 * @see https://hl7.org/fhir/R4/operations.html#executing
 */
export async function operationParameters(request: FhirRequest, known: readonly string[]): Promise<URLSearchParams> {
  const asked = await plainParameters(request)
  if (request.method === 'POST') checkQuery({ query: known }, request, asked)
  return asked
}

/**
 * The parameters of a URL and, by POST, those of a Parameters resource: names and values as in a URL, whatever they are.
 *
 * @throws Problem `invalid` · `operation.parameter-malformed`; `too-costly` · `operation.too-many-parameters`, and what
 *   `readOptionalResource` throws
 */
export async function plainParameters(request: FhirRequest): Promise<URLSearchParams> {
  const given = new URLSearchParams(request.query)
  const body = request.method === 'POST' ? await readOptionalResource(request, 'Parameters') : undefined
  if (body === undefined) return given
  const parts = partsOf(body)
  if (parts.length > mostParameters) throw tooMany()
  for (const part of parts) given.append(...plainValue(part))
  return given
}

/** No operation is asked as much; each of them is read several times, as what stands in a URL is. */
const mostParameters = 1_000

function tooMany(): Problem {
  const text = `An operation is asked by at most ${mostParameters} parameters.`
  return new Problem('too-costly', 'operation.too-many-parameters', text, { expression: 'Parameters.parameter' })
}

/** The entries of a Parameters resource. @throws Problem `invalid` · `operation.parameter-malformed` */
export function partsOf({ parameter = [] }: Resource): readonly Part[] {
  if (!Array.isArray(parameter) || !parameter.every(isPart)) throw malformed('Parameters.parameter')
  return parameter
}

/** A member of an object that was sent, if it is a text. */
export function textIn(value: unknown, member: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const text = (value as Part)[member]
  return typeof text === 'string' ? text : undefined
}

function isPart(value: unknown): value is Part {
  return typeof value === 'object' && value !== null && 'name' in value && typeof value.name === 'string'
}

/** An entry with one primitive value, as a URL would have it. @throws Problem `invalid` · `operation.parameter-malformed` */
export function plainValue(part: Part): [name: string, value: string] {
  const name = String(part.name)
  const [value, ...more] = Object.keys(part).filter(key => key.startsWith('value'))
  const given = value === undefined ? undefined : part[value]
  if (more.length > 0 || !isPrimitive(given)) throw malformed('Parameters.parameter.value')
  return [name, String(given)]
}

/** Numbers may have kept their digits. */
function isPrimitive(value: unknown): boolean {
  return typeof value !== 'object' ? value !== undefined : value !== null && typeof value.valueOf() === 'number'
}

function malformed(expression: string): Problem {
  return new Problem(
    'invalid',
    'operation.parameter-malformed',
    'Each parameter of this operation has a name and one primitive value.',
    { expression },
  )
}
