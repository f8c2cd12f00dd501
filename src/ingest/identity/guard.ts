import { Problem, type ProblemOptions } from '#kernel'
import type { PersonClaims } from './claims.ts'
import { compare, type IdentityElement } from './judge.ts'

/** Why a file for a named patient is not taken in. */
type Refusal = 'ingest.patient-contradicted' | 'ingest.patient-doubtful'

const texts: Readonly<Record<Refusal, string>> = {
  'ingest.patient-contradicted': 'The file is about somebody else.',
  'ingest.patient-doubtful': 'It is doubtful whether the file is about this patient.',
}

const words: Readonly<Record<IdentityElement, string>> = {
  identifier: 'a number',
  name: 'the name',
  birthDate: 'the birth date',
  gender: 'the sex',
}

/**
 * The guard of an import for a patient who is named: what the file says of its person must fit. Who is sure may repeat the
 * import and force it.
 *
 * @throws Problem `unprocessable` · `ingest.patient-contradicted`, `ingest.patient-doubtful`; names elements, never values
 */
export function checkSamePerson(incoming: PersonClaims, patient: PersonClaims): void {
  const { kind, elements } = compare(incoming, patient)
  if (kind === 'agrees') return
  throw otherPerson(kind === 'contradicts' ? 'ingest.patient-contradicted' : 'ingest.patient-doubtful', elements)
}

function otherPerson(code: Refusal, elements: readonly IdentityElement[]): Problem {
  const text = `${texts[code]} What differs: ${inWords(elements)}. If it is this patient, repeat with --force or force=true.`
  return new Problem('unprocessable', code, text, expressionsOf(elements))
}

/** `the name and the birth date` */
export function inWords(elements: readonly IdentityElement[]): string {
  return new Intl.ListFormat('en').format(elements.map(element => words[element]))
}

function expressionsOf(elements: readonly IdentityElement[]): ProblemOptions {
  return { expression: elements.map(element => `Patient.${element}`) }
}
