import type { Meta } from '#fhir'
import { Problem } from '#kernel'
import { type Message, value } from './message.ts'

/** What is agreed with one sender. A sender is told by MSH-4, MSH-3, or both. */
export interface SenderSettings {
  /** MSH-3.1 */
  readonly application?: string
  /** MSH-4.1 */
  readonly facility?: string
  /** IANA zone in which it writes times without an offset, `Europe/Berlin`. */
  readonly zone?: string
  /** Whether a value that cannot be read refuses the whole message. */
  readonly strict?: boolean
  /** Which of P, T and D in MSH-11 are taken; all where it is not said. */
  readonly processing?: readonly string[]
}

/** Everybody's settings, and what holds for those who have none. */
export interface Senders {
  /** IANA zone. */
  readonly zone: string
  readonly known: readonly SenderSettings[]
}

/** How one message is to be read. */
export interface Sending {
  /** IANA zone or offset, `Europe/Berlin`, `+01:00`. */
  readonly zone: string
  /** Who says so. */
  readonly zoneOf: 'sender' | 'message' | 'server'
  readonly strict: boolean
  /** Which processing ids are taken. */
  readonly processing: readonly string[]
}

/** Table 0103: production, training, debugging. */
const processingIds = ['P', 'T', 'D']

export const nobody: Senders = { zone: 'UTC', known: [] }

/**
 * What holds for a message: what was agreed with its sender; else the offset that MSH-7 has, which is the default of the
 * whole message (HL7 v2.5.1, 2.15.9.7); else the zone of this server.
 */
export function sendingOf(message: Message, senders: Senders): Sending {
  const own = senders.known.filter(sender => isFrom(message, sender)).toSorted(byPrecision)[0]
  const offset = /([+-]\d{2})(\d{2})$/.exec(value(message.msh, 7))
  const agreed = { strict: own?.strict ?? false, processing: own?.processing ?? processingIds }
  if (own?.zone !== undefined) return { zone: own.zone, zoneOf: 'sender', ...agreed }
  if (offset !== null) return { zone: `${offset[1]}:${offset[2]}`, zoneOf: 'message', ...agreed }
  return { zone: senders.zone, zoneOf: 'server', ...agreed }
}

/**
 * What marks a resource of a message that is no production: `meta.tag` with its code of table 0103.
 *
 * @see https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-datatype-pt-to-meta.html
 */
export function processingMeta({ msh }: Message): { readonly meta?: Meta } {
  const code = value(msh, 11)
  const tag = [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0103', code }]
  return code === 'T' || code === 'D' ? { meta: { tag } } : {}
}

function isFrom({ msh }: Message, { application, facility }: SenderSettings): boolean {
  const fits = (wanted: string | undefined, number: number) => wanted === undefined || wanted === value(msh, number)
  return fits(application, 3) && fits(facility, 4)
}

/** Who is named by application and facility comes before who is named by one of them. */
function byPrecision(one: SenderSettings, other: SenderSettings): number {
  return precision(other) - precision(one)
}

function precision({ application, facility }: SenderSettings): number {
  return Number(application !== undefined) + Number(facility !== undefined)
}

const whoseZone: Readonly<Record<Sending['zoneOf'], string>> = {
  sender: 'the zone of its sender',
  message: 'the offset of MSH-7',
  server: 'the zone of this server, as nothing is known of the sender',
}

/** What is said of a message that has a time without an offset; undefined when it has none. */
export function zoneRemark(message: Message, { zone, zoneOf }: Sending): string | undefined {
  return hasLocalTimes(message) ? `Times without an offset were read as ${zone}: ${whoseZone[zoneOf]}.` : undefined
}

const localTime = /^(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])(?:[01]\d|2[0-3])(?:[0-5]\d){0,2}(?:\.\d+)?$/

function hasLocalTimes({ segments }: Message): boolean {
  return segments.some(({ fields }) =>
    fields.some(field => field?.some(repetition => repetition.some(([text = '']) => localTime.test(text)))),
  )
}

const members: Readonly<Record<string, (value: unknown) => boolean>> = {
  application: isText,
  facility: isText,
  zone: value => isText(value) && isZone(value as string),
  strict: value => typeof value === 'boolean',
  processing: value => Array.isArray(value) && value.length > 0 && value.every(one => processingIds.includes(one)),
}

/**
 * The settings of senders, as the file that `KINHOLD_SENDERS` names has them: a JSON list: `[{"facility": "NORDKLINIK", "zone": "Europe/Berlin", "strict": true}]`.
 *
 * @throws Problem `invalid` · `ingest.senders-malformed`, which names the entry and the member
 */
export function parseSenders(text: string): readonly SenderSettings[] {
  const list = parsed(text)
  if (!Array.isArray(list)) throw malformed('no list')
  for (const [at, entry] of list.entries()) checkEntry(entry, at)
  return list as SenderSettings[]
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw malformed('no JSON')
  }
}

function checkEntry(entry: unknown, at: number): void {
  if (typeof entry !== 'object' || entry === null) throw malformed(`entry ${at + 1} is no object`)
  for (const [name, value] of Object.entries(entry))
    if (!Object.hasOwn(members, name) || !members[name]?.(value)) throw malformed(`entry ${at + 1}: ${name}`)
  if (!('application' in entry || 'facility' in entry)) throw malformed(`entry ${at + 1} names no sender`)
}

function malformed(what: string): Problem {
  return new Problem('invalid', 'ingest.senders-malformed', `The settings of senders cannot be read: ${what}.`)
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

/** Whether a name is that of an IANA time zone, or an offset. */
function isZone(name: string): boolean {
  try {
    Temporal.Now.zonedDateTimeISO(name)
    return true
  } catch {
    return false
  }
}
