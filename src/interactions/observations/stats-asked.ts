import { parseDateInterval, toInstant } from '#fhir'
import { Problem } from '#kernel'
import { type Part, partsOf, plainValue, textIn } from '../operations/parameters.ts'
import { readOptionalResource } from '../rest/body.ts'
import type { FhirRequest } from '../types.ts'
import { statistics } from './statistics.ts'

/** What Observation/$stats is asked. */
export interface StatsAsked {
  readonly subject: string
  readonly codes: readonly { readonly system: string | undefined; readonly code: string }[]
  /** Of the time of interest; undefined: no limit. */
  readonly start: string | undefined
  readonly end: string | undefined
  readonly statistics: readonly string[]
  readonly includes: boolean
  readonly limit: number
}

/** The parameters of $stats that may stand in a URL; `coding` and `period` come in Parameters alone. */
export const statsParameters = ['subject', 'code', 'system', 'duration', 'statistic', 'include', 'limit'] as const

const largestLimit = 1_000

/** @throws Problem `invalid` · `stats.malformed`, which names the parameter, and what `partsOf` throws */
export async function readStatsAsked(request: FhirRequest, nowMs: number): Promise<StatsAsked> {
  const body = request.method === 'POST' ? await readOptionalResource(request, 'Parameters') : undefined
  const parts = body === undefined ? [] : partsOf(body)
  const given = new URLSearchParams(request.query)
  for (const part of parts) if (!complex.has(String(part.name))) given.append(...plainOf(part))
  return {
    subject: onlyOne(given, 'subject'),
    codes: codesOf(given, parts),
    ...timeOf(given, parts, nowMs),
    statistics: statisticsOf(given),
    includes: flagOf(given, 'include'),
    limit: limitOf(given),
  }
}

const complex: ReadonlySet<string> = new Set(['coding', 'period'])

/** A parameter that is one value; those of the URL, where the form of an answer stands as well, were looked at already. */
function plainOf(part: Part): [name: string, value: string] {
  const [name, value] = plainValue(part)
  if (!statsParameters.some(each => each === name)) throw malformed(name, 'is not known')
  return [name, value]
}

function malformed(name: string, why: string): Problem {
  return new Problem('invalid', 'stats.malformed', `Of $stats the parameter ${name} ${why}.`, { expression: name })
}

function onlyOne(given: URLSearchParams, name: string): string {
  const [value, ...more] = given.getAll(name)
  if (value === undefined || value === '' || more.length > 0) throw malformed(name, 'is given once')
  return value
}

function codesOf(given: URLSearchParams, parts: readonly Part[]): StatsAsked['codes'] {
  const system = given.has('system') ? onlyOne(given, 'system') : undefined
  const codings = parts.filter(({ name }) => name === 'coding').map(({ valueCoding }) => valueCoding)
  const codes = [
    ...given.getAll('code').map(code => ({ system, code })),
    ...codings.map(coding => ({ system: textIn(coding, 'system'), code: textIn(coding, 'code') ?? '' })),
  ]
  if (codes.length === 0) throw malformed('code', 'is given, or coding is')
  if (codes.some(({ code }) => code === '')) throw malformed('coding', 'is a Coding with a code')
  return codes
}

function timeOf(given: URLSearchParams, parts: readonly Part[], nowMs: number): Pick<StatsAsked, 'start' | 'end'> {
  const periods = parts.filter(({ name }) => name === 'period').map(({ valuePeriod }) => valuePeriod)
  if (given.has('duration')) {
    const hours = Number(onlyOne(given, 'duration'))
    if (periods.length > 0 || !(hours > 0 && hours < 1e7))
      throw malformed('duration', 'is a number of hours, without period')
    return { start: toInstant(nowMs - hours * 3_600_000), end: toInstant(nowMs) }
  }
  if (periods.length > 1) throw malformed('period', 'is given once')
  const [start, end] = ['start', 'end'].map(name => textIn(periods[0], name))
  const isSound = [start, end].every(text => text === undefined || parseDateInterval(text) !== undefined)
  if (!isSound || (periods.length > 0 && start === undefined && end === undefined))
    throw malformed('period', 'is a Period with dates')
  return { start, end }
}

function statisticsOf(given: URLSearchParams): readonly string[] {
  const names = [...new Set(given.getAll('statistic').flatMap(text => text.split(',')))]
  if (names.length === 0) throw malformed('statistic', 'is given at least once')
  if (names.every(name => name === 'total-count' || Object.hasOwn(statistics, name))) return names
  throw malformed('statistic', `is one of total-count, ${Object.keys(statistics).join(', ')}`)
}

function flagOf(given: URLSearchParams, name: string): boolean {
  const value = given.has(name) ? onlyOne(given, name) : 'false'
  if (value !== 'true' && value !== 'false') throw malformed(name, 'is true or false')
  return value === 'true'
}

function limitOf(given: URLSearchParams): number {
  const value = given.has('limit') ? onlyOne(given, 'limit') : String(largestLimit)
  if (!/^[1-9][0-9]{0,8}$/.test(value)) throw malformed('limit', 'is a positive whole number')
  return Math.min(Number(value), largestLimit)
}
