import { type Grant, permits, restrict } from '#access'
import type { Resource } from '#fhir'
import { Problem } from '#kernel'
import type { Record, Txn } from '#record'
import { parseQuery } from '#search'
import { patientElements } from './map-patient.ts'
import { type Message, value } from './message.ts'
import { pidIdentifiers } from './pid-identifiers.ts'
import type { MessageRow } from './tables.ts'
import { zoneOfMessage } from './times.ts'

/**
 * Checks what every message must have.
 *
 * @throws Problem `unprocessable` · `ingest.hl7-field-missing`; `unsupported` · `ingest.hl7-version-unsupported`,
 *   `ingest.hl7-processing-unsupported`
 */
export function checkHeader(message: Message): void {
  if (value(message.msh, 10) === '')
    throw new Problem('unprocessable', 'ingest.hl7-field-missing', 'The message has no control id.', {
      expression: 'MSH-10',
    })
  const version = value(message.msh, 12)
  if (version !== '' && !/^2(\.\d+)*$/.test(version))
    throw new Problem('unsupported', 'ingest.hl7-version-unsupported', 'Only version 2 of HL7 messages is known.', {
      expression: 'MSH-12',
    })
  if (!['', 'P', 'D', 'T'].includes(value(message.msh, 11)))
    throw new Problem('unsupported', 'ingest.hl7-processing-unsupported', 'The processing id is not known.', {
      expression: 'MSH-11',
    })
}

/** Identifiers that PID-3 gives, as search tokens. */
function tokensOf(message: Message): readonly string[] {
  return pidIdentifiers(message).map(({ system = '', value: id }) => `${escapeToken(system)}|${escapeToken(id)}`)
}

/** https://hl7.org/fhir/R4/search.html#escaping */
function escapeToken(text: string): string {
  return text.replace(/[\\|,$]/g, char => `\\${char}`)
}

/**
 * Finds the patient a message is about among those the grant reaches, by PID-3. Where the event admits or registers
 * somebody, a grant that may create patients creates one.
 *
 * @throws Problem `unprocessable` · `ingest.hl7-field-missing`, `ingest.hl7-patient-unknown`,
 *   `ingest.hl7-patient-ambiguous`; `forbidden` · `scope.missing`
 */
export async function findPatient(
  message: Message,
  row: MessageRow,
  grant: Grant,
  record: Record,
  baseUrl: string,
): Promise<string> {
  const tokens = tokensOf(message)
  if (tokens.length === 0)
    throw new Problem('unprocessable', 'ingest.hl7-field-missing', 'The message does not identify its patient.', {
      expression: 'PID-3',
    })
  const query = parseQuery('Patient', new URLSearchParams([['identifier', tokens.join(',')]]), { baseUrl })
  const restricted = restrict(query, grant)
  return record.writer(grant).transact(async txn => {
    const found = await txn.find(restricted, 2)
    if (found.length > 1)
      throw new Problem('unprocessable', 'ingest.hl7-patient-ambiguous', 'The identifiers fit several patients.', {
        expression: 'PID-3',
      })
    const [only] = found
    return only?.id ?? (await createPatient(txn, message, row, grant))
  })
}

async function createPatient(txn: Txn, message: Message, row: MessageRow, grant: Grant): Promise<string> {
  const mayCreate = grant.terms.some(term => term.level !== 'patient') && permits(grant, 'c', 'Patient')
  if (!row.createsPatient || !mayCreate)
    throw new Problem('unprocessable', 'ingest.hl7-patient-unknown', 'The patient is not known here.', {
      expression: 'PID-3',
    })
  const { elements } = patientElements(message, zoneOfMessage(value(message.msh, 7)))
  const patient: Resource = { resourceType: 'Patient', ...elements }
  const created = await txn.create(patient)
  txn.note('create patient from HL7 v2')
  return created.id
}
