import { Problem, type ProblemOptions } from '#kernel'
import { claimsOf, type PersonClaims } from './claims.ts'
import type { Rivals } from './identify.ts'
import { type Comparison, compare, type IdentityElement } from './judge.ts'
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
  multipleBirth: 'the place among twins',
}

/** Whom a file is imported for. */
export interface Whom {
  /** Patient id. */
  readonly patient: string
  /** What is known of them. */
  readonly person: PersonClaims
  /** Whether somebody has said before that a description is theirs. */
  isKnownAs(claims: PersonClaims): boolean
  /** Who else within reach a description may be about. */
  rivals(claims: PersonClaims): Promise<Rivals>
}

/**
 * The guard of an import for a patient who is named: what the file says of its person must fit, and must
 * not fit somebody else within reach better. Who is sure may repeat the import and force it.
 *
 * @throws Problem `unprocessable` · `ingest.patient-contradicted`, `ingest.patient-doubtful` (its cause is a `Doubt`); names
 *   elements, never values
 */
export async function checkSamePerson(incoming: PersonClaims, whom: Whom): Promise<void> {
  const { kind, elements, patients } = await comparedWith(incoming, whom.person, whom)
  if (kind === 'agrees') return
  if (kind === 'contradicts') throw otherPerson('ingest.patient-contradicted', elements)
  const cause: Doubt = { patients, elements, nth: 0, incoming: elementsOf(incoming) }
  throw otherPerson('ingest.patient-doubtful', elements, cause)
}

/**
 * What of a file fits the patient for whom it is imported: compared with what is known of them and with the others within reach.
 *
 * @returns `patients`: those whom it may be about
 */
export async function comparedWith(
  incoming: PersonClaims,
  person: PersonClaims,
  { patient, isKnownAs, rivals }: Pick<Whom, 'patient' | 'isKnownAs' | 'rivals'>,
): Promise<Comparison & { readonly patients: readonly string[] }> {
  const compared = compare(incoming, person)
  if (compared.kind !== 'agrees' && isKnownAs(comparable(incoming)))
    return { kind: 'agrees', elements: [], patients: [patient] }
  if (compared.kind === 'contradicts') return { ...compared, patients: [patient] }
  const others = await rivals(incoming)
  const patients = [patient, ...others.patients]
  if (others.patients.length === 0 || isKnownAs(comparable(incoming))) return { ...compared, patients }
  return { kind: 'doubtful', elements: [...new Set([...others.elements, ...compared.elements])], patients }
}

/**
 * The guard for a file that describes its person more than once: what it says must fit the patient, and itself.
 *
 * @throws Problem as `checkSamePerson`; `unprocessable` · `ingest.several-patients`
 */
export async function checkOnePerson(descriptions: readonly PersonClaims[], whom: Whom): Promise<void> {
  for (const said of descriptions) await checkSamePerson(said, whom)
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
export function elementsOf({ identifiers, names, birthDate, gender, birthOrder }: PersonClaims): Doubt['incoming'] {
  const identifier = identifiers.map(({ system, value }) => ({ ...(system === undefined ? {} : { system }), value }))
  const name = names.map(({ given, ...rest }) => ({ ...rest, ...(given.length === 0 ? {} : { given }) }))
  return {
    ...(identifier.length === 0 ? {} : { identifier }),
    ...(name.length === 0 ? {} : { name }),
    ...(birthDate === undefined ? {} : { birthDate }),
    ...(gender === undefined ? {} : { gender }),
    ...(birthOrder === undefined ? {} : { multipleBirthInteger: birthOrder }),
  }
}

/** `the name and the birth date` */
export function inWords(elements: readonly IdentityElement[]): string {
  return new Intl.ListFormat('en').format(elements.map(element => words[element]))
}

function expressionsOf(elements: readonly IdentityElement[]): ProblemOptions {
  return { expression: elements.map(element => `Patient.${element}`) }
}
