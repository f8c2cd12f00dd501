import { isInstant, parseDateInterval, parseJson } from '#fhir'
import { Problem } from '#kernel'
import type { WebRequest } from '#web'

/** The members of a posted JSON object; unknown ones are ignored, as the specification asks. */
export type Fields = Readonly<Record<string, unknown>>

function malformed(expression: string, text: string): Problem {
  return new Problem('invalid', 'share.request-malformed', text, { expression })
}

/** @throws Problem `invalid` · `share.request-malformed`, or what `parseJson` throws */
export async function readFields(request: WebRequest): Promise<Fields> {
  const json = parseJson(await request.body())
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw malformed('body', 'The body must be a JSON object.')
  return json as Fields
}

/** @throws Problem `invalid` · `share.request-malformed` when it is there and no text */
export function textField(fields: Fields, name: string): string | undefined {
  const value = fields[name]
  if (value === undefined || typeof value === 'string') return value
  throw malformed(name, `${name} must be a text.`)
}

/** @throws Problem `invalid` · `share.request-malformed` */
export function neededText(fields: Fields, name: string): string {
  const value = textField(fields, name)
  if (value === undefined || value === '') throw malformed(name, `${name} is needed.`)
  return value
}

/** @throws Problem `invalid` · `share.request-malformed` */
export function flagField(fields: Fields, name: string): boolean | undefined {
  const value = fields[name]
  if (value === undefined || typeof value === 'boolean') return value
  throw malformed(name, `${name} must be true or false.`)
}

/** @throws Problem `invalid` · `share.request-malformed` */
export function countField(fields: Fields, name: string): number | undefined {
  const value = fields[name]
  if (value === undefined) return undefined
  const count = Number(value)
  if (typeof value === 'string' || !Number.isSafeInteger(count) || count < 0)
    throw malformed(name, `${name} must be a whole number.`)
  return count
}

/** A FHIR instant as Unix milliseconds. @throws Problem `invalid` · `share.request-malformed` */
export function instantField(fields: Fields, name: string): number | undefined {
  const text = textField(fields, name)
  if (text === undefined) return undefined
  const interval = isInstant(text) ? parseDateInterval(text) : undefined
  if (interval === undefined) throw malformed(name, `${name} must be an instant such as 2026-03-01T12:00:00Z.`)
  return interval.fromMs
}
