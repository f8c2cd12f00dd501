import { type Grant, permits } from '#access'
import { newResourceId, Problem } from '#kernel'
import type { Record, Txn } from '#record'
import type { PersonClaims } from '../identity/claims.ts'
import { inWords } from '../identity/guard.ts'
import { findingIdentifiers } from '../identity/identifiers.ts'
import { type Asking, identify } from '../identity/identify.ts'
import type { Verdict } from '../identity/judge.ts'
import type { Read } from './map-message.ts'
import { type Message, value } from './message.ts'
import { personOf, placesOf } from './person.ts'
import { patientElements } from './resources/patient.ts'
import type { Elements } from './scene.ts'
import type { Group } from './structure.ts'

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

/** Whom a message is about. */
export interface Subject {
  readonly patient: string
  /** Takes in somebody who is not here yet, in the transaction of the message: refused with it, they never were. */
  readonly admit?: (txn: Txn) => Promise<void>
}

/**
 * Finds the patient a group of a message is about among those the grant reaches, by the rule of `identity`. Where the
 * event admits or registers somebody, a grant that may create patients takes them in.
 *
 * @throws Problem `unprocessable` · `ingest.hl7-field-missing`, `ingest.hl7-patient-unknown`,
 *   `ingest.patient-contradicted`, `ingest.patient-doubtful`; `forbidden` · `scope.missing`
 */
export async function findPatient(
  read: Pick<Read, 'message' | 'row' | 'sending'>,
  group: Group,
  grant: Grant,
  record: Record,
  baseUrl: string,
): Promise<Subject> {
  const claims = personOf(read, group)
  if (findingIdentifiers(claims.identifiers).length === 0) throw unnamed(group)
  const asking = { grant, baseUrl }
  const verdict = await record.writer(grant).transact(txn => identify(txn, claims, asking))
  if (verdict.kind === 'certain') return { patient: verdict.patient }
  if (verdict.kind !== 'unknown') throw notTheSame(verdict, group)
  const mayCreate = grant.terms.some(term => term.level !== 'patient') && permits(grant, 'c', 'Patient')
  if (!read.row.createsPatient || !mayCreate)
    throw new Problem('unprocessable', 'ingest.hl7-patient-unknown', 'The patient is not known here.', {
      expression: placesOf(['identifier'], group),
    })
  const patient = newResourceId()
  return { patient, admit: txn => createPatient(txn, patient, elementsOf(read, group), claims, asking) }
}

function unnamed(group: Group): Problem {
  const text = 'The message does not identify its patient by a number of a known authority.'
  return new Problem('unprocessable', 'ingest.hl7-field-missing', text, { expression: placesOf(['identifier'], group) })
}

/** What the sender reads about a message that gives somebody's number and another person's name, birth date or sex. */
function notTheSame({ kind, elements }: Exclude<Verdict, { kind: 'certain' | 'unknown' }>, group: Group): Problem {
  const differing = inWords(elements)
  const expression = placesOf(elements, group)
  return kind === 'contradiction'
    ? new Problem(
        'unprocessable',
        'ingest.patient-contradicted',
        `The number is that of somebody else: ${differing} of the patient differs.`,
        { expression },
      )
    : new Problem('unprocessable', 'ingest.patient-doubtful', `It is doubtful who the patient is, by ${differing}.`, {
        expression,
      })
}

function elementsOf({ message, sending }: Pick<Read, 'message' | 'sending'>, group: Group): Elements {
  return patientElements(group, { message, zone: sending.zone }).elements
}

/** @throws Problem `conflict` · `ingest.hl7-patient-appeared` when another message took them in meanwhile */
async function createPatient(
  txn: Txn,
  id: string,
  elements: Elements,
  claims: PersonClaims,
  asking: Asking,
): Promise<void> {
  if ((await identify(txn, claims, asking)).kind !== 'unknown')
    throw new Problem('conflict', 'ingest.hl7-patient-appeared', 'The patient was taken in meanwhile.')
  await txn.create({ resourceType: 'Patient', ...elements }, { id })
}
