import type { Grant, restrict } from '#access'
import { parseResource, toInstant } from '#fhir'
import { type Clock, giveWay, Problem } from '#kernel'
import { type Exporter, filedTag, type Place, type Record } from '#record'
import { parseQuery, type Query } from '#search'
import { csvHead, csvLine } from './csv.ts'

/** Of when records of access are told, in Unix milliseconds: from one instant to before another. */
export interface AuditPeriod {
  readonly sinceMs?: number
  readonly untilMs?: number
}

/** Whose records of access are told, and how a query is bound to them. */
export interface AuditAsked extends AuditPeriod {
  readonly grant: Grant
  readonly restrict: (query: Query, grant: Grant) => ReturnType<typeof restrict>
  readonly baseUrl: string
  /** Asked before each portion: what is told may take long. @throws Problem when it may not be told any more */
  readonly check?: () => Promise<void>
}

/** What others have filed comes behind what this server has recorded. */
const origins = ['_tag:not', '_tag'] as const
const filed = `${filedTag.system}|${filedTag.code}`
const writtenAtOnce = 64 * 1024

/**
 * Records of access as CSV, those of one ledger in the order in which they were written. That they are told is recorded as well, behind them.
 *
 * @throws Problem `forbidden` · `scope.missing`; `fault` · `record.ledger-damaged` where any of them may be missing
 */
export async function* auditCsv(
  asked: AuditAsked,
  { record, clock }: { readonly record: Record; readonly clock: Clock },
): AsyncGenerator<Buffer, void, void> {
  const exporter = record.exporter(asked.grant)
  let text = csvHead
  for (const origin of origins)
    for (const places of await ledgersOf(exporter, origin, asked, clock))
      for await (const opened of exporter.open('AuditEvent', places)) {
        await asked.check?.()
        for (const { json } of opened) {
          text += csvLine(parseResource(json))
          await giveWay()
          if (text.length < writtenAtOnce) continue
          yield Buffer.from(text)
          text = ''
        }
      }
  if (text !== '') yield Buffer.from(text)
}

/** Where they lie, each ledger by itself. */
async function ledgersOf(
  exporter: Exporter,
  origin: (typeof origins)[number],
  { grant, restrict, baseUrl, sinceMs, untilMs }: AuditAsked,
  clock: Clock,
): Promise<readonly (readonly Place[])[]> {
  const params = new URLSearchParams({ [origin]: filed })
  if (sinceMs !== undefined) params.append('_lastUpdated', `ge${toInstant(sinceMs)}`)
  if (untilMs !== undefined) params.append('_lastUpdated', `lt${toInstant(untilMs)}`)
  const query = restrict(parseQuery('AuditEvent', params, { baseUrl }), grant)
  const places: Place[] = []
  const nowMs = Math.max(clock.nowMs(), await exporter.newestMs([query]))
  const { unreadable } = await exporter.locate([query], nowMs, found => void places.push(found))
  if (unreadable > 0) throw damaged()
  const ledgers = [...Map.groupBy(places, ({ compartment }) => compartment).values()]
  return ledgers.map(each => each.toSorted((one, other) => one.seq - other.seq))
}

function damaged(): Problem {
  const text = 'Some records of access cannot be read, and would be missing. The administrator runs kinhold verify.'
  return new Problem('fault', 'record.ledger-damaged', text)
}
