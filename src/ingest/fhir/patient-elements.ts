import type { Resource } from '#fhir'
import { type MapContext, type Outcome, rowName, type Untaken } from '../outcome.ts'
import { isStated, merge } from '../patient-merge.ts'
import type { FhirContext } from '../read-context.ts'
import { notTaken } from '../standing.ts'

/** What of a Patient in a file fills a Patient that lacks it. Its links and practitioners are its server's. */
const taken: ReadonlySet<string> = new Set([
  'name',
  'telecom',
  'gender',
  'birthDate',
  '_birthDate',
  'deceasedBoolean',
  'deceasedDateTime',
  'address',
  'maritalStatus',
  'multipleBirthBoolean',
  'multipleBirthInteger',
  'communication',
  'contact',
  'photo',
  'extension',
  'identifier',
])

/** What a Patient says of itself as a resource, not of the person. */
const formal: ReadonlySet<string> = new Set(['resourceType', 'id', 'meta', 'implicitRules', 'language', 'text'])

/**
 * What a Patient of a file changes in ours: it fills what is absent. What it says otherwise, and what is not taken at all, is told.
 *
 * @param follow  rewrites in place what leads to other resources of the file
 */
export function amendment(
  resource: Resource,
  context: FhirContext,
  follow: (known: Resource) => void,
): Extract<Outcome, { kind: 'amend' }> {
  const members = Object.entries(resource).filter(([name]) => taken.has(name))
  const known: Resource = { ...Object.fromEntries(members), resourceType: 'Patient' }
  follow(known)
  const { resourceType, ...elements } = known
  const passed = passedOver(resource)
  return {
    kind: 'amend',
    row: 'Patient',
    type: 'Patient',
    id: context.patient,
    change: current => merge(current, elements, false, []),
    untaken: standing => leftOf([...passed, ...(context.mayReadPatient ? differing(standing, elements) : [])]),
  }
}

/** What is told of elements of a Patient that were left as they are. */
function leftOf(names: readonly string[]): readonly { readonly text: string }[] {
  return Array.from(new Set(names), name => ({
    text: `Patient: ${name} is not in the record as the file has it, and was left as it is.`,
  }))
}

/** What is told whoever may read the Patient of elements that only fill what is absent. */
export function untakenOf(elements: Readonly<Record<string, unknown>>, { mayReadPatient }: MapContext): Untaken {
  return standing => leftOf(mayReadPatient === true ? differing(standing, elements) : [])
}

/** Being active is what every Patient is unless it says otherwise; what it contains is of use to what is not taken alone. */
function passedOver(resource: Resource): readonly string[] {
  const isTold = ([name, value]: [string, unknown]) =>
    !taken.has(name) && !formal.has(name) && name !== 'contained' && !(name === 'active' && value === true)
  const names = Object.entries(resource).filter(isTold)
  return [...new Set(names.map(([name]) => `Patient.${rowName(name.replace(/^_/, ''))}`))]
}

/** Elements that the record states, and not as the file does; what would not have been valid is told by itself. */
function differing(standing: Resource, elements: Readonly<Record<string, unknown>>): readonly string[] {
  const names = notTaken(standing, elements).filter(name => isStated(standing, name))
  return names.map(name => `Patient.${name.replace(/^_/, '')}`)
}
