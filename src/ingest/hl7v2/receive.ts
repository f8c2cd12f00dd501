import { type Grant, permits } from '#access'
import type { Resource } from '#fhir'
import { giveWay, newResourceId, Problem } from '#kernel'
import type { Record, Txn } from '#record'
import type { PersonClaims } from '../identity/claims.ts'
import { inWords } from '../identity/guard.ts'
import { findingIdentifiers } from '../identity/identifiers.ts'
import { identify } from '../identity/identify.ts'
import type { IdentityElement, Verdict } from '../identity/judge.ts'
import type { Doubt } from '../identity/review/held.ts'
import { knownAs, rememberAs } from '../identity/review/known-as.ts'
import type { Read } from './map-message.ts'
import { type Message, value } from './message.ts'
import { personOf, placesOf } from './person.ts'
import { patientElements, wholePatient } from './resources/patient.ts'
import { asSaid } from './said-at.ts'
import { type Elements, openScene } from './scene.ts'
import { processingMeta } from './senders.ts'
import type { Group } from './structure.ts'

/**
 * Checks what every message must have.
 *
 * @throws Problem `unprocessable` · `ingest.hl7-field-missing`; `unsupported` · `ingest.hl7-version-unsupported`
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
}

/**
 * Whether messages of this processing id are taken from this sender: all of table 0103 unless something else was agreed.
 *
 * @throws Problem `unsupported` · `ingest.hl7-processing-unsupported`
 */
export function checkProcessing({ message, sending }: Pick<Read, 'message' | 'sending'>): void {
  const given = value(message.msh, 11)
  if (given === '' || sending.processing.includes(given)) return
  const text = 'Messages of this processing id are not taken from this sender.'
  throw new Problem('unsupported', 'ingest.hl7-processing-unsupported', text, { expression: 'MSH-11' })
}

/** Whom a message is about. */
export interface Subject {
  readonly patient: string
  /** Takes in somebody who is not here yet, in the transaction of the message: refused with it, they never were. */
  readonly admit?: (txn: Txn) => Promise<void>
  /** Remembers in the same transaction what a person has said: nothing is kept of somebody who was erased meanwhile. */
  readonly told?: (txn: Txn) => void
}

/** A group of a message, and who asks whom it is about. */
export interface Question {
  readonly read: Pick<Read, 'message' | 'row' | 'sending' | 'patients'>
  readonly group: Group
  readonly grant: Grant
  /** What a person has said: the id of a Patient, or `new`. */
  readonly choice?: string | undefined
}

/**
 * Finds the patient a group of a message is about among those the grant reaches, by the rule of `identity`. Where the
 * event admits or registers somebody, a grant that may create patients takes them in. What a person has said goes before.
 *
 * @throws Problem `unprocessable` · `ingest.hl7-field-missing`, `ingest.hl7-patient-unknown`,
 *   `ingest.patient-contradicted`, `ingest.patient-doubtful` (its cause is a `Doubt`); `forbidden` · `scope.missing`
 */
export async function findPatient(question: Question, record: Record, baseUrl: string): Promise<Subject> {
  const { read, group, grant, choice } = question
  // The first message of a process brings in the tables of each of these.
  await giveWay()
  const claims = personOf(read, group)
  await giveWay()
  if (choice !== undefined) return chosen(choice, claims, question, record)
  if (findingIdentifiers(claims.identifiers).length === 0) throw unnamed(group)
  const asking = { grant, baseUrl }
  const verdict = await record.writer(grant).transact(txn => identify(txn, claims, asking))
  if (verdict.kind === 'certain') return { patient: verdict.patient }
  if (verdict.kind === 'doubtful') return doubted(verdict, claims, question, record)
  if (verdict.kind === 'contradiction') throw contradicted(verdict, group)
  const mayCreate = grant.terms.some(term => term.level !== 'patient') && permits(grant, 'c', 'Patient')
  if (!read.row.createsPatient || !mayCreate)
    throw new Problem('unprocessable', 'ingest.hl7-patient-unknown', 'The patient is not known here.', {
      expression: placesOf(['identifier'], group),
    })
  const patient = newResourceId()
  const admit = async (txn: Txn) => {
    if ((await identify(txn, claims, asking)).kind !== 'unknown') throw appeared()
    await createPatient(txn, patient, question)
  }
  return { patient, admit }
}

/** What a person has said is remembered: what says the same of the same patient again is not asked again. */
function chosen(choice: string, claims: PersonClaims, question: Question, record: Record): Subject {
  const patient = choice === 'new' ? newResourceId() : choice
  const told = (txn: Txn) => rememberAs(txn, record.documents, patient, claims)
  return choice === 'new' ? { patient, told, admit: txn => createPatient(txn, patient, question) } : { patient, told }
}

type Doubtful = Extract<Verdict, { kind: 'doubtful' }>

async function doubted(
  { patients, elements, onTheirWord }: Doubtful,
  claims: PersonClaims,
  { read, group }: Question,
  record: Record,
): Promise<Subject> {
  const known = await knownAs(record.documents, patients, claims)
  if (known !== undefined) return { patient: known }
  const incoming = elementsOf(read, group)
  const word = onTheirWord === undefined ? {} : { onTheirWord }
  const cause: Doubt = { patients, elements, nth: read.patients.indexOf(group), incoming, ...word }
  const text = `It is doubtful who the patient is, by ${inWords(elements)}.`
  const expression = placesOf(elements, group)
  throw new Problem('unprocessable', 'ingest.patient-doubtful', text, { expression, cause })
}

function unnamed(group: Group): Problem {
  const text = 'The message does not identify its patient by a number of a known authority.'
  return new Problem('unprocessable', 'ingest.hl7-field-missing', text, { expression: placesOf(['identifier'], group) })
}

/** What the sender reads about a message that gives somebody's number and another person's name, birth date or sex. */
function contradicted(
  { elements, patient }: { readonly elements: readonly IdentityElement[]; readonly patient: string },
  group: Group,
): Problem {
  const text = `The number is that of somebody else, who differs in: ${inWords(elements)}.`
  return new Problem('unprocessable', 'ingest.patient-contradicted', text, {
    expression: placesOf(elements, group),
    cause: { patients: [patient] },
  })
}

function elementsOf({ message, sending }: Pick<Read, 'message' | 'sending'>, group: Group): Elements {
  return patientElements(group, { message, zone: sending.zone }).elements
}

function appeared(): Problem {
  return new Problem('conflict', 'ingest.hl7-patient-appeared', 'The patient was taken in meanwhile.')
}

/** Whoever is taken in is what the whole group says of them, not PID alone. */
async function createPatient(txn: Txn, id: string, { read, group }: Question): Promise<void> {
  const meta = processingMeta(read.message)
  const context = { patient: id, subject: { reference: `Patient/${id}` }, source: '', fingerprint: () => '' }
  const scene = openScene(read, group, context)
  const patient: Resource = { resourceType: 'Patient', ...meta, ...wholePatient(scene, group) }
  await txn.create(asSaid(patient, scene.saidAtMs), { id })
}
