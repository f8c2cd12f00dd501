import { Problem, type ProblemOptions } from '#kernel'
import { claimsOf, type PersonClaims } from './claims.ts'
import { compare, type IdentityElement } from './judge.ts'
import type { Doubt } from './review/held.ts'

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

/** Whom a file is imported for. */
export interface Whom {
  /** Patient id. */
  readonly patient: string
  /** What is known of them. */
  readonly person: PersonClaims
  /** Whether somebody has said before that a description is theirs. */
  isKnownAs(claims: PersonClaims): boolean
}

/**
 * The guard of an import for a patient who is named: what the file says of its person must fit. Who is sure may repeat the
 * import and force it.
 *
 * @throws Problem `unprocessable` · `ingest.patient-contradicted`, `ingest.patient-doubtful` (its cause is a `Doubt`); names
 *   elements, never values
 */
export function checkSamePerson(incoming: PersonClaims, { patient, person, isKnownAs }: Whom): void {
  const { kind, elements } = compare(incoming, person)
  if (kind === 'agrees' || isKnownAs(comparable(incoming))) return
  if (kind === 'contradicts') throw otherPerson('ingest.patient-contradicted', elements)
  const cause: Doubt = { patients: [patient], elements, nth: 0, incoming: elementsOf(incoming) }
  throw otherPerson('ingest.patient-doubtful', elements, cause)
}

/**
 * The guard for a file that describes its person more than once: what it says must fit the patient, and itself.
 *
 * @throws Problem as `checkSamePerson`; `unprocessable` · `ingest.several-patients`
 */
export function checkOnePerson(descriptions: readonly PersonClaims[], whom: Whom): void {
  for (const said of descriptions) checkSamePerson(said, whom)
  const [first, ...others] = descriptions
  if (first !== undefined && others.some(other => compare(other, first).kind === 'contradicts'))
    throw new Problem('unprocessable', 'ingest.several-patients', 'The file describes several people.')
}

function otherPerson(code: Refusal, elements: readonly IdentityElement[], cause?: Doubt): Problem {
  const text = `${texts[code]} What differs: ${inWords(elements)}. If it is this patient, repeat with --force or force=true.`
  return new Problem('unprocessable', code, text, { ...expressionsOf(elements), cause })
}

/** A description as it is kept and compared again. */
export function comparable(claims: PersonClaims): PersonClaims {
  return claimsOf(elementsOf(claims))
}

/** A description as elements of a Patient. */
function elementsOf({ identifiers, names, birthDate, gender }: PersonClaims): Doubt['incoming'] {
  const identifier = identifiers.map(({ system, value }) => ({ ...(system === undefined ? {} : { system }), value }))
  const name = names.map(({ given, ...rest }) => ({ ...rest, ...(given.length === 0 ? {} : { given }) }))
  return {
    ...(identifier.length === 0 ? {} : { identifier }),
    ...(name.length === 0 ? {} : { name }),
    ...(birthDate === undefined ? {} : { birthDate }),
    ...(gender === undefined ? {} : { gender }),
  }
}

/** `the name and the birth date` */
export function inWords(elements: readonly IdentityElement[]): string {
  return new Intl.ListFormat('en').format(elements.map(element => words[element]))
}

function expressionsOf(elements: readonly IdentityElement[]): ProblemOptions {
  return { expression: elements.map(element => `Patient.${element}`) }
}
