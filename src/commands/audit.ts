import { type Grant, restrict } from '#access'
import { parseDateInterval } from '#fhir'
import { Problem, systemClock } from '#kernel'
import { type Ground, hostGrant } from '../compose.ts'
import { configure } from './configure.ts'
import { naming } from './naming.ts'
import { output } from './output.ts'
import { withRecord } from './with-house.ts'

interface Asked {
  readonly patient?: string
  readonly since?: string
  readonly until?: string
}

/**
 * Who did what, as CSV on standard output: with the data of one patient, or of all and with the house itself. That it was told is recorded.
 *
 * @throws Problem as `auditCsv`; `invalid` · `command.time-malformed`
 */
export async function exportAudit({ patient, since, until }: Asked): Promise<void> {
  const [sinceMs, untilMs] = [instantOf(since, '--since'), instantOf(until, '--until')]
  const { auditCsv, narrowToPatient, restrictToCompartments } = await import('#interactions')
  const config = configure()
  const all = hostGrant(['system/AuditEvent.rs'])
  const ofOne = (id: string, record: Ground['record']): Promise<Grant> =>
    naming(id, /^record\./, () => narrowToPatient(all, id, record))
  await withRecord(
    async ({ record }) => {
      const about = {
        grant: patient === undefined ? all : await ofOne(patient, record),
        restrict: patient === undefined ? restrict : restrictToCompartments,
        baseUrl: `${config.baseUrl}/fhir`,
        ...(sinceMs === undefined ? {} : { sinceMs }),
        ...(untilMs === undefined ? {} : { untilMs }),
      }
      await output.results(auditCsv(about, { record, clock: systemClock }))
    },
    { config },
  )
}

function instantOf(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined
  const interval = parseDateInterval(text)
  if (interval === undefined)
    throw new Problem('invalid', 'command.time-malformed', `${option} must be a date, or an instant.`)
  return interval.fromMs
}
