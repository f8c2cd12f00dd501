/** AuditEvents as a table for people and their spreadsheets. https://www.rfc-editor.org/rfc/rfc4180 */
import type { Resource } from '#fhir'

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
 * What a spreadsheet would take for a formula begins with an apostrophe, by which it is text: names and paths are what strangers wrote.
 *
 * @see https://owasp.org/www-community/attacks/CSV_Injection
 */
const formula = /^[\s\p{C}]*[=+\-@\uff0b\uff0d\uff1d\uff20]/u

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
  const harmless = formula.test(text) ? `'${text}` : text
  return `"${harmless.replaceAll('"', '""')}"`
}

/** By its parameters' names in a patient's ledger, whole in that of the instance. */
function queryOf({ query, name }: Node): unknown {
  return typeof query === 'string' ? Buffer.from(query, 'base64').toString('utf8') : name
}

/** What somebody else than this server has written: `filed-events.ts` of the record. */
function isFiled({ system, code }: Node): boolean {
  return system === 'https://kinhold.org/fhir/audit-origin' && code === 'filed'
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
