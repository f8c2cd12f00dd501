import { isIP } from 'node:net'
import { availableParallelism, totalmem } from 'node:os'
import ipaddr from 'ipaddr.js'
import type { LogLevel } from '#kernel'
import type { Config, LimitName } from './shape.ts'
import { malformed, type Name } from './variables.ts'

export function parseHost(text: string): string {
  if (isIP(text) === 0 && !/^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(text))
    throw malformed('KINHOLD_HOST', 'an IP address or a host name')
  return text
}

export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(port <= 65_535)) throw malformed('KINHOLD_PORT', 'a port number from 0 to 65535')
  return port
}

export function parseNetworks(name: Name, text: string): string[] {
  const networks = text.split(/[\s,]+/).filter(part => part !== '')
  if (!networks.every(network => ipaddr.isValid(network) || ipaddr.isValidCIDR(network)))
    throw malformed(name, 'a list of addresses and CIDRs, such as 127.0.0.1, 10.0.0.0/8, fd00::/8')
  return networks
}

/** Whoever may try tokens for years must not find it, and it must fit into a header. */
const metricsToken = /^[A-Za-z0-9\-._~+/]{16,}=*$/

export function parseMetrics(text: string, token: string | undefined): Pick<Config, 'metrics'> {
  if (text !== 'off' && text !== 'loopback')
    throw malformed('KINHOLD_METRICS', 'off, or loopback: programs on this machine see figures without a token')
  if (token !== undefined && !metricsToken.test(token))
    throw malformed('KINHOLD_METRICS_TOKEN', '16 or more letters, digits and - . _ ~ + /')
  const loopback = text === 'loopback'
  if (token !== undefined) return { metrics: Object.freeze({ token, loopback }) }
  return loopback ? { metrics: Object.freeze({ loopback }) } : {}
}

const limitVariables = {
  network: 'KINHOLD_LIMIT_NETWORK',
  token: 'KINHOLD_LIMIT_TOKEN',
  strangers: 'KINHOLD_LIMIT_STRANGERS',
  misses: 'KINHOLD_LIMIT_MISSES',
} as const satisfies Record<LimitName, Name>

export function readLimits(read: (name: Name) => string | undefined): Config['limits'] {
  const rows = Object.entries(limitVariables).map(([limit, name]) => [limit, parseLimit(name, read(name))] as const)
  return Object.fromEntries(rows.filter(([, limit]) => limit !== undefined))
}

/** So many in so many seconds. */
function parseLimit(name: Name, text: string | undefined) {
  if (text === undefined) return undefined
  if (text === 'off') return { points: Number.POSITIVE_INFINITY, seconds: 1 }
  const [, points = '', seconds = ''] = /^([1-9]\d{0,8})\/([1-9]\d{0,4})$/.exec(text) ?? []
  if (points === '') throw malformed(name, 'a count and seconds, such as 600/10, or off')
  return { points: Number(points), seconds: Number(seconds) }
}

const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent']

export function parseLogLevel(text: string): LogLevel {
  const level = logLevels.find(known => known === text)
  if (level === undefined) throw malformed('KINHOLD_LOG_LEVEL', `one of ${logLevels.join(', ')}`)
  return level
}

export function parseZone(text: string): string {
  try {
    return Temporal.Now.zonedDateTimeISO(text).timeZoneId
  } catch {
    throw malformed('KINHOLD_ZONE', 'the name of a time zone, such as Europe/Berlin')
  }
}

const mostWorkers = 64

/** A number, or one for each core that this process may use. */
export function parseWorkers(text: string): number {
  if (text === 'cores') return Math.min(mostWorkers, availableParallelism())
  const workers = /^\d{1,2}$/.test(text) ? Number(text) : 0
  if (workers < 1 || workers > mostWorkers)
    throw malformed('KINHOLD_WORKERS', `cores, or a number of processes from 1 to ${mostWorkers}`)
  return workers
}

const powers: Readonly<Record<string, number>> = { '': 0, K: 1, M: 2, G: 3, T: 4 }

/** `500M` is 500 MiB; a number alone is bytes. */
export function parseSize(name: Name, text: string): number {
  const [, number = '', power = ''] = /^(\d{1,12})([KMGT]?)$/i.exec(text) ?? []
  const bytes = number === '' ? Number.NaN : Number(number) * 1024 ** (powers[power.toUpperCase()] ?? 0)
  if (!Number.isSafeInteger(bytes)) throw malformed(name, 'a size such as 500M or 16G')
  return bytes
}

/** A part of what the machine has, or of what a container may use of it. */
export function parsePopulationMax(text: string | undefined): number {
  if (text !== undefined) return parseSize('KINHOLD_POPULATION_MAX', text)
  const allowed = process.constrainedMemory()
  return Math.floor((allowed > 0 ? Math.min(allowed, totalmem()) : totalmem()) / 4)
}

const unitMs: Readonly<Record<string, number>> = { m: 60_000, h: 60 * 60_000 }
/** As long as a session lives. */
const longestIdleMs = 12 * 60 * 60_000

/** From a minute to twelve hours, such as `30m`; in ms. */
export function parseIdle(text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,3})([mh])$/.exec(text) ?? []
  const ms = Number(number) * (unitMs[unit] ?? Number.NaN)
  if (!(ms >= 60_000 && ms <= longestIdleMs))
    throw malformed('KINHOLD_SESSION_IDLE', 'a time from 1m to 12h, such as 30m')
  return ms
}

/** A whole number from 1 on, or infinitely many. */
export function parseCount(name: Name, text: string): number {
  if (text === 'off') return Number.POSITIVE_INFINITY
  if (!/^[1-9]\d{0,8}$/.test(text)) throw malformed(name, 'a whole number from 1 on, or off')
  return Number(text)
}

const dayMs = 24 * 60 * 60_000
const mostWaitDays = 90

/** From a day to 90 of them, such as `14d`; in ms. */
export function parseDeletionWait(text: string): number {
  const days = Number(/^([1-9]\d?)d$/.exec(text)?.[1])
  if (!(days <= mostWaitDays)) throw malformed('KINHOLD_DELETION_WAIT', 'a time from 1d to 90d, such as 14d')
  return days * dayMs
}

const switches: Readonly<Record<string, boolean>> = {
  true: true,
  '1': true,
  yes: true,
  false: false,
  '0': false,
  no: false,
}

export function parseSwitch(name: Name, text: string): boolean {
  const value = switches[text.toLowerCase()]
  if (value === undefined) throw malformed(name, 'true or false')
  return value
}
