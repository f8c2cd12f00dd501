/** AuditEvents as a table for people and their spreadsheets. https://www.rfc-editor.org/rfc/rfc4180 */
import type { Resource } from '#fhir'
import { filedTag } from '#record'

type Node = { readonly [element: string]: unknown }

/** The columns, and what of an event stands in each; several are joined. */
const columns: Readonly<Record<string, (event: Resource) => readonly unknown[]>> = {
  recorded: ({ recorded }) => [recorded],
  from: ({ period }) => [nodeOf(period).start],
  until: ({ period }) => [nodeOf(period).end],
  type: ({ type }) => [nodeOf(type).code],
  subtype: ({ subtype }) => listOf(subtype).map(({ code }) => code),
  action: ({ action }) => [action],
  outcome: ({ outcome }) => [outcome],
  description: ({ outcomeDesc }) => [outcomeDesc],
  agent: ({ agent }) => listOf(agent).map(({ name }) => name),
  who: ({ agent }) => listOf(agent).map(({ who }) => nodeOf(who).reference ?? nodeOf(nodeOf(who).identifier).value),
  client: ({ agent }) => listOf(agent).map(({ altId }) => altId),
  purpose: ({ purposeOfEvent }) =>
    listOf(purposeOfEvent).flatMap(({ coding }) => listOf(coding).map(({ code }) => code)),
  entities: ({ entity }) => listOf(entity).map(({ what, description }) => nodeOf(what).reference ?? description),
  queries: ({ entity }) => listOf(entity).map(queryOf),
  origin: ({ meta }) => [listOf(nodeOf(meta).tag).some(isFiled) ? 'filed' : 'server'],
  id: ({ id }) => [id],
}

/**
 * What is passed over before what a spreadsheet takes for a formula, which names and paths may hold that strangers wrote: from its first sign
 * on, so that a long one is gone through once.
 *
 * @see https://owasp.org/www-community/attacks/CSV_Injection
 */
const beforeFormula = /(?<![;"\s\p{C}])[;"\s\p{C}]*(?=[=+\-@\uff0b\uff0d\uff1d\uff20])/gu
/** Much of Europe parts cells by semicolons, and what was copied is parted by tabs: the quotes around a cell count for nothing there. */
const upToCell = /^(.*[;\t\n\v\f\r\u2028\u2029])?(.*)$/su

const lineEnd = '\r\n'

/** The names of the columns. */
export const csvHead = Object.keys(columns).map(cellOf).join(',') + lineEnd

/** An AuditEvent as a line. */
export function csvLine(event: Resource): string {
  const cells = Object.values(columns).map(read => cellOf(read(event).filter(isTold).join(' ')))
  return cells.join(',') + lineEnd
}

/** Each is quoted, so that nothing in it ends it: neither a comma nor a line. */
function cellOf(text: string): string {
  return `"${text.replace(beforeFormula, asText).replaceAll('"', '""')}"`
}

/** With an apostrophe wherever a cell may begin, by which it is text. */
function asText(passed: string, at: number): string {
  const begin = at === 0 ? "'" : ''
  const [, parted, rest = ''] = upToCell.exec(passed) ?? []
  return begin + (parted === undefined ? passed : `${parted}'${rest}`)
}

/** By its parameters' names in a patient's ledger, whole in that of the instance. */
function queryOf({ query, name }: Node): unknown {
  return typeof query === 'string' ? Buffer.from(query, 'base64').toString('utf8') : name
}

/** What somebody else than this server has written. */
function isFiled({ system, code }: Node): boolean {
  return system === filedTag.system && code === filedTag.code
}

function isTold(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function nodeOf(value: unknown): Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Node) : {}
}

function listOf(value: unknown): readonly Node[] {
  return Array.isArray(value) ? value.map(nodeOf) : []
}
