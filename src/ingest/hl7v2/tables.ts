import { lazyTable } from '../tables.ts'

/** How one field becomes one element. */
export interface FieldRule {
  /** `PID-3` */
  readonly from: string
  /** Path below the resource: `name[]` adds to a list, `reaction[0].severity` goes into the first of one. */
  readonly to: string
  readonly as: string
  readonly table?: string
  readonly use?: string
  readonly type?: string
  /** What stands beside the value in each entry that `[]` adds. */
  readonly beside?: Readonly<Record<string, unknown>>
  /** Only when that field has a value, or only when it has none. */
  readonly when?: string
  readonly unless?: string
  /** Only when that element is there already. */
  readonly needs?: string
}

export interface SegmentMap {
  readonly segment: string
  readonly resource: string
  readonly rows: readonly FieldRule[]
}

export interface CodeTable {
  readonly system?: string
  readonly systems?: Readonly<Record<string, string>>
  readonly codes?: Readonly<Record<string, string>>
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
}

interface Tables {
  readonly tables: Readonly<Record<string, CodeTable>>
  readonly codingSystems: { readonly systems: Readonly<Record<string, string>> }
  readonly charsets: { readonly labels: Readonly<Record<string, string>> }
  readonly units: { readonly ucum: Readonly<Record<string, string>> }
}

/** `mappings/hl7v2/tables.json`: codes, coding systems, character sets, spellings of units. */
export const codeTables = lazyTable<Tables>('hl7v2/tables.json')

const segmentMaps = lazyTable<{ maps: SegmentMap[] }>('hl7v2/segments.json')
const messageRows = lazyTable<{ rows: MessageRow[] }>('hl7v2/messages.json')

/** The rules by which a segment gives a resource; none when the table has no such map. */
export function rulesOf(segment: string, resource: string): readonly FieldRule[] {
  return segmentMaps().maps.find(map => map.segment === segment && map.resource === resource)?.rows ?? []
}

/** How a message type is treated; undefined when it is not taken in. */
export function messageRow(type: string, event: string): MessageRow | undefined {
  return messageRows().rows.find(row => row.type === type && row.event === event)
}

/** Whether any event of the message type is taken in. */
export function isMessageType(type: string): boolean {
  return messageRows().rows.some(row => row.type === type)
}

/** A value of a table's record, with nothing of Object.prototype. */
export function lookUp<T>(record: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined
}
