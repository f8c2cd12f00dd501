import { parseAppleDate } from '../apple/dates.ts'
import { systems } from '../codes.ts'
import { toFhirNumber } from '../numbers.ts'
import type { Outcome } from '../outcome.ts'
import { type AutoExportContext, rejected } from './map-metric.ts'
import { appleDate, isObject, JsonObject } from './rows.ts'

/** What became of a dose; what nobody answered is not known. */
const statuses: ReadonlyMap<string, string> = new Map([
  ['Taken', 'completed'],
  ['Skipped', 'not-taken'],
])

const name = 'HKMedicationDoseEvent'

/** A dose that was to be taken: a MedicationStatement of what the person says of it. */
export function mapMedication(row: JsonObject, context: AutoExportContext): Outcome[] {
  const [text, nickname] = [row.text('displayText'), row.text('nickname')]
  const start = parseAppleDate(appleDate(row.text('start', 'startDate', 'date')))
  const end = parseAppleDate(appleDate(row.text('end', 'endDate')))
  const scheduled = parseAppleDate(appleDate(row.text('scheduledDate')))
  const at = start ?? scheduled
  if (text === undefined && nickname === undefined)
    return [rejected(name, 'element-missing', 'medications.displayText')]
  if (at === undefined || (end !== undefined && end.ms < at.ms))
    return [rejected(name, 'date-malformed', 'medications.start')]
  const said = row.text('status') ?? ''
  const [form, dosage] = [row.text('form'), row.get('dosage')]
  const dose = typeof dosage === 'string' ? toFhirNumber(dosage) : undefined
  const extension = [
    ...(scheduled === undefined
      ? []
      : [{ url: `${systems.healthKit}#${name}.scheduledDate`, valueDateTime: scheduled.text }]),
    ...(form === undefined
      ? []
      : [{ url: `${systems.healthKit}#HKMedication.generalForm`, valueString: form.slice(0, 200) }]),
  ]
  row.get('isArchived')
  const resource = {
    resourceType: 'MedicationStatement',
    id: context.fingerprint(
      'auto-export',
      name,
      text ?? nickname ?? '',
      String((scheduled ?? at).ms),
      String(scheduled === undefined ? dosage : ''),
    ),
    meta: { source: context.source },
    ...(extension.length === 0 ? {} : { extension }),
    status: statuses.get(said) ?? 'unknown',
    ...(said === ''
      ? {}
      : {
          statusReason: [
            {
              coding: [{ system: `${systems.healthKit}#${name}.logStatus`, code: said.replaceAll(' ', '-') }],
              text: said.slice(0, 200),
            },
          ],
        }),
    medicationCodeableConcept: { ...codingsOf(row), text: (text ?? nickname ?? '').slice(0, 1000) },
    subject: context.subject,
    ...(end === undefined || end.ms === at.ms
      ? { effectiveDateTime: at.text }
      : { effectivePeriod: { start: at.text, end: end.text } }),
    ...(dose === undefined ? {} : { dosage: [{ doseAndRate: [{ doseQuantity: { value: dose } }] }] }),
    ...(nickname === undefined ? {} : { note: [{ text: nickname.slice(0, 1000) }] }),
  }
  return [{ kind: 'mapped', row: name, mode: 'upsert', resource }, ...row.unread()]
}

/** Codes of systems that have a URI. */
function codingsOf(row: JsonObject) {
  const coding = row.list('codings').flatMap(one => {
    if (!isObject(one)) return []
    const said = new JsonObject(one, 'medications.codings')
    const [system, code, version] = [said.text('system'), said.text('code'), said.text('version')]
    const isUri = /^(?:https?:\/\/|urn:)\S+$/.test(system ?? '')
    if (code === undefined || !isUri || /\s/.test(code)) return []
    return [{ system, ...(version === undefined ? {} : { version }), code }]
  })
  return coding.length === 0 ? {} : { coding }
}
