import { lazyTable, perEdition } from '../tables.ts'

/** How one field becomes one element, or one component of a data type does. */
export interface FieldRule {
  /** `PID-3`, `SPM-2.1`, `CX.4` */
  readonly from: string
  /**
   * Path below the resource, see element-paths.ts. `$this`: what it gives goes into the resource itself; `$said`: it says
   * what another field has said.
   */
  readonly to: string
  /** A data type of data-types.json, or one that code reads. */
  readonly as?: string
  /** What is put instead of what stands there. */
  readonly constant?: unknown
  /** A table of code-tables.json, or the number of an HL7 table whose codes stay as they are. */
  readonly table?: string
  /** What the value says besides, unless it says something else itself. */
  readonly with?: Readonly<Record<string, unknown>>
  /** What stands beside the value in the entries that the path adds; a list for several, outermost first. */
  readonly beside?: Readonly<Record<string, unknown>> | readonly Readonly<Record<string, unknown>>[]
  /** A condition of the guide, see conditions.ts. */
  readonly when?: string
  /** Only when that element is there already. */
  readonly needs?: string
  /** Only when that element is not there. */
  readonly unless?: string
  /** Only the repetitions behind the first: further names and numbers of the one whom the first names. */
  readonly further?: boolean
}

export interface SegmentMap {
  readonly segment: string
  readonly resource: string
  readonly rows: readonly FieldRule[]
}

/** What the components of a data type give: an element's parts or, with `resource`, a resource that is referred to. */
export interface TypeMap {
  readonly type: string
  readonly resource?: string
  /** The element without which it says nothing. */
  readonly needs?: string
  readonly rows: readonly FieldRule[]
}

/** `[code, display]`, and the system where it is not the table's. */
export type CodeRow = readonly [code: string, display: string, system?: string]

export interface CodeTable {
  /** Number of the HL7 table. */
  readonly hl7?: string
  readonly system?: string
  readonly codes: Readonly<Record<string, CodeRow>>
  readonly own?: { readonly why: string; readonly codes: Readonly<Record<string, string>> }
}

/**
 * How an event changes the state of a visit: `begin` forward only, `end` as its discharge, `undo` and `event` whatever
 * was before; `none` not at all; `mention` is no event of the visit.
 */
export type Moves = 'begin' | 'end' | 'undo' | 'event' | 'none' | 'mention'

export interface MessageRow {
  readonly type: string
  readonly event: string
  readonly structure: string
  /** Status that the event gives the visit. */
  readonly status?: string
  readonly moves: Moves
  readonly patient: 'fill' | 'replace'
  readonly createsPatient: boolean
  /** Its MRG segments name people who are those of its PID segments. */
  readonly merges?: true
  /** It orders: its OBR is no report, and what it says of results is what the one who orders knows. */
  readonly asks?: true
  /** Status that the event gives an appointment of which SCH-25 says none. */
  readonly appointment?: string
  /** It changes an appointment and says nothing of its status: what was cancelled stays so. */
  readonly keeps?: true
  /** Status that the event gives a document. */
  readonly document?: string
  /** What its document is to the one that TXA-13 names. */
  readonly relates?: 'appends' | 'replaces'
}

/** An event that is not taken in, for a reason that its sender is told. */
interface RefusedRow {
  readonly type: string
  readonly event: string
  readonly why: string
}

interface Tables {
  readonly codingSystems: { readonly systems: Readonly<Record<string, string>> }
  readonly charsets: { readonly labels: Readonly<Record<string, string>> }
}

/** `mappings/hl7v2/tables.json`: coding systems, character sets. */
export const codeTables = lazyTable<Tables>('hl7v2/tables.json')

const segmentMaps = lazyTable<{ maps: SegmentMap[] }>('hl7v2/segments.json')
const ownMaps = lazyTable<{ maps: SegmentMap[] }>('hl7v2/own-segments.json')
const typeMaps = lazyTable<{ maps: TypeMap[] }>('hl7v2/data-types.json')
const codes = lazyTable<{ tables: Readonly<Record<string, CodeTable>> }>('hl7v2/code-tables.json')
const messageRows = lazyTable<{ rows: MessageRow[]; refused: RefusedRow[] }>('hl7v2/messages.json')

const rules = perEdition(
  () => new Map([...segmentMaps().maps, ...ownMaps().maps].map(map => [`${map.segment} ${map.resource}`, map.rows])),
)

/** The rules by which a segment gives a resource; none when the table has no such map. */
export function rulesOf(segment: string, resource: string): readonly FieldRule[] {
  return rules().get(`${segment} ${resource}`) ?? []
}

/** The names of the segments that give a resource. */
export function segmentsFor(resource: string): readonly string[] {
  return segmentsByResource().get(resource) ?? []
}

const segmentsByResource = perEdition(() => {
  const byResource = Map.groupBy([...segmentMaps().maps, ...ownMaps().maps], ({ resource }) => resource)
  return new Map([...byResource].map(([resource, maps]) => [resource, maps.map(({ segment }) => segment)]))
})

/** The names of senders' own segments of which something is made, in the order of the table. */
export function ownSegments(resource: string): readonly string[] {
  return ownMaps()
    .maps.filter(map => map.resource === resource)
    .map(({ segment }) => segment)
}

/**
 * The rules by which other segments give the same resource, where one of them is a sender's own: of these nobody has looked at what they
 * share with each other.
 */
export function rulesBeside(segment: string, resource: string): readonly FieldRule[] {
  const isOwn = ownSegments(resource).includes(segment)
  const maps = isOwn ? [...segmentMaps().maps, ...ownMaps().maps] : ownMaps().maps
  return maps.filter(map => map.resource === resource && map.segment !== segment).flatMap(({ rows }) => rows)
}

const types = perEdition(() => new Map(typeMaps().maps.map(map => [map.type, map])))

/** How the components of a data type are read; undefined when the table has no such type. */
export function typeMap(type: string): TypeMap | undefined {
  return types().get(type)
}

/** A table of codes by its name in the guide. */
export function codeTable(name: string): CodeTable | undefined {
  return lookUp(codes().tables, name)
}

/** How a message type is treated; undefined when it is not taken in. */
export function messageRow(type: string, event: string): MessageRow | undefined {
  return messageRows().rows.find(row => row.type === type && row.event === event)
}

/** Why messages of an event are refused, where there is more to say than that they are not taken in. */
export function refusalOf(type: string, event: string): string | undefined {
  return messageRows().refused.find(row => row.type === type && row.event === event)?.why
}

/** Whether any event of the message type is taken in. */
export function isMessageType(type: string): boolean {
  return messageRows().rows.some(row => row.type === type)
}

/** A value of a table's record, with nothing of Object.prototype. */
export function lookUp<T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined
}
