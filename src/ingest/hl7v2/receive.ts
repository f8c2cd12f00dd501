import { type Grant, permits, restrict } from '#access'
import { newResourceId, Problem } from '#kernel'
import type { Record, Txn } from '#record'
import { parseQuery } from '#search'
import { type Message, value } from './message.ts'
import { pidIdentifiers } from './pid-identifiers.ts'
import { patientElements } from './resources/patient.ts'
import type { Elements } from './scene.ts'
import type { Group } from './structure.ts'
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
function tokensOf(group: Group): readonly string[] {
  return pidIdentifiers(group).map(({ system = '', value: id }) => `${escapeToken(system)}|${escapeToken(id)}`)
}

/** https://hl7.org/fhir/R4/search.html#escaping */
function escapeToken(text: string): string {
  return text.replace(/[\\|,$]/g, char => `\\${char}`)
}

/** Whom a message is about. */
export interface Subject {
  readonly patient: string
  /** Takes in somebody who is not here yet, in the transaction of the message: refused with it, they never were. */
  readonly admit?: (txn: Txn) => Promise<void>
}

/**
 * Finds the patient a group of a message is about among those the grant reaches, by PID-3. Where the event admits or registers
 * somebody, a grant that may create patients takes them in.
 *
 * @throws Problem `unprocessable` · `ingest.hl7-field-missing`, `ingest.hl7-patient-unknown`,
 *   `ingest.hl7-patient-ambiguous`; `forbidden` · `scope.missing`
 */
export async function findPatient(
  { message, row }: { readonly message: Message; readonly row: MessageRow },
  group: Group,
  grant: Grant,
  record: Record,
  baseUrl: string,
): Promise<Subject> {
  const tokens = tokensOf(group)
  if (tokens.length === 0)
    throw new Problem('unprocessable', 'ingest.hl7-field-missing', 'The message does not identify its patient.', {
      expression: 'PID-3',
    })
  const query = parseQuery('Patient', new URLSearchParams([['identifier', tokens.join(',')]]), { baseUrl })
  const restricted = restrict(query, grant)
  const known = await record.writer(grant).transact(txn => onlyOne(txn, restricted))
  if (known !== undefined) return { patient: known }
  const mayCreate = grant.terms.some(term => term.level !== 'patient') && permits(grant, 'c', 'Patient')
  if (!row.createsPatient || !mayCreate)
    throw new Problem('unprocessable', 'ingest.hl7-patient-unknown', 'The patient is not known here.', {
      expression: 'PID-3',
    })
  const patient = newResourceId()
  const zone = zoneOfMessage(value(message.msh, 7))
  return { patient, admit: txn => createPatient(txn, patient, patientElements(group, zone).elements, restricted) }
}

type PatientQuery = Parameters<Txn['find']>[0]

async function onlyOne(txn: Txn, query: PatientQuery): Promise<string | undefined> {
  const found = await txn.find(query, 2)
  if (found.length > 1)
    throw new Problem('unprocessable', 'ingest.hl7-patient-ambiguous', 'The identifiers fit several patients.', {
      expression: 'PID-3',
    })
  return found[0]?.id
}

/** @throws Problem `conflict` · `ingest.hl7-patient-appeared` when another message took them in meanwhile */
async function createPatient(txn: Txn, id: string, elements: Elements, query: PatientQuery): Promise<void> {
  if ((await onlyOne(txn, query)) !== undefined)
    throw new Problem('conflict', 'ingest.hl7-patient-appeared', 'The patient was taken in meanwhile.')
  await txn.create({ resourceType: 'Patient', ...elements }, { id })
}
