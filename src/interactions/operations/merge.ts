import { parseReference, parseStored, type Resource } from '#fhir'
import { isProblem, Problem } from '#kernel'
import { granted } from '../perform.ts'
import { readResource } from '../rest/body.ts'
import { findOne } from '../rest/condition.ts'
import type { FhirRequest, FhirResponse, GrantedRequest, PathParams, Rooms } from '../types.ts'
import { type Part, partsOf, textIn } from './parameters.ts'

const naming = ['source-patient', 'target-patient', 'source-patient-identifier', 'target-patient-identifier'] as const
const ofMerge: ReadonlySet<unknown> = new Set([...naming, 'preview'])
const ofUnmerge: ReadonlySet<unknown> = new Set(naming)

/**
 * Merges the Patient `source-patient` into `target-patient`, each named by a reference or by identifiers that fit exactly one.
 *
 * @throws Problem as `PeoplePort.merge`; `invalid` · `merge.parameter-missing`, `merge.parameter-unknown`;
 *   `unprocessable` · `merge.patient-unclear`; `precondition` · `condition.number-unvouched` by a number on the word of an account
 * @see https://hl7.org/fhir/patient-operation-merge.html
 */
export async function mergePatients(request: FhirRequest, _params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const asked = granted(request)
  const input = await readResource(request)
  const parts = knownPartsOf(input, ofMerge)
  const source = await patientNamed('source-patient', parts, asked, rooms)
  const target = await patientNamed('target-patient', parts, asked, rooms)
  const preview = parts.some(({ name, valueBoolean }) => name === 'preview' && valueBoolean === true)
  const { result, moved, differing, state } = await rooms.people.merge({ grant: asked.grant, source, target, preview })
  const text = `${moved} resources ${state === 'preview' ? 'would be moved' : 'were moved'}.`
  const warnings = differing.map(element => `The two Patients differ: Patient.${element}.`)
  return answer([
    { name: 'input', resource: input },
    { name: 'outcome', resource: outcomeOf(text, warnings) },
    { name: 'result', resource: result },
  ])
}

/**
 * Undoes the merge in which the Patient lost: what came from it goes back, with what was changed since.
 *
 * @throws Problem as `PeoplePort.unmerge`
 */
export async function unmergePatient(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const { id: source = '' } = params
  return undo(source, request, rooms)
}

/**
 * As `unmergePatient`, with the Patients named as `$merge` has them; a target must be the one that the source was merged into.
 *
 * @throws Problem as `unmergePatient`; `invalid` · `merge.parameter-missing`, `merge.parameter-unknown`;
 *   `unprocessable` · `merge.patient-unclear`
 */
export async function unmergeNamed(request: FhirRequest, _params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const asked = granted(request)
  const parts = knownPartsOf(await readResource(request), ofUnmerge)
  const source = await patientNamed('source-patient', parts, asked, rooms)
  if (parts.some(({ name }) => String(name).startsWith('target-patient'))) {
    const target = await patientNamed('target-patient', parts, asked, rooms)
    const { json } = await rooms.record.reader(asked.grant).read('Patient', source)
    if (!isReplacedBy(await parseStored(json), target)) throw unclear('target-patient')
  }
  return undo(source, request, rooms)
}

function isReplacedBy({ link }: Resource, target: string): boolean {
  const links = (Array.isArray(link) ? link : []) as { type?: string; other?: { reference?: string } }[]
  return links.some(({ type, other }) => type === 'replaced-by' && other?.reference === `Patient/${target}`)
}

async function undo(source: string, request: FhirRequest, rooms: Rooms): Promise<FhirResponse> {
  const undone = await rooms.people.unmerge({ grant: granted(request).grant, source })
  const lists = (['edited', 'deleted', 'remaining'] as const).flatMap(name =>
    undone[name].map(reference => ({ name, valueReference: { reference } })),
  )
  return answer([
    {
      name: 'outcome',
      resource: outcomeOf(`${undone.restored} resources went back.`, undone.remainsMore ? [more] : []),
    },
    { name: 'result', resource: undone.result },
    { name: 'restored', valueInteger: undone.restored },
    ...lists,
  ])
}

const more = 'More came to the other Patient since the merge than is listed; _lastUpdated finds it.'

function answer(parameter: readonly object[]): FhirResponse {
  return { status: 200, headers: {}, body: { resourceType: 'Parameters', parameter } }
}

function outcomeOf(text: string, warnings: readonly string[]): Resource {
  const issue = (severity: string, diagnostics: string) => ({ severity, code: 'informational', diagnostics })
  return {
    resourceType: 'OperationOutcome',
    issue: [issue('information', text), ...warnings.map(warning => issue('warning', warning))],
  }
}

function knownPartsOf(input: Resource, known: ReadonlySet<unknown>): readonly Part[] {
  const parts = partsOf(input)
  if (!parts.every(part => known.has(part.name)))
    throw new Problem('invalid', 'merge.parameter-unknown', 'The operation does not know a parameter of its input.', {
      expression: 'Parameters.parameter',
    })
  return parts
}

async function patientNamed(
  name: 'source-patient' | 'target-patient',
  parts: readonly Part[],
  request: GrantedRequest,
  rooms: Rooms,
): Promise<string> {
  const reference = parts.find(part => part.name === name)?.valueReference
  const numbers = parts.filter(part => part.name === `${name}-identifier`).map(tokenOf)
  const text = textIn(reference, 'reference')
  const named = text === undefined ? undefined : idOf(text, name, request.baseUrl)
  if (numbers.length === 0 && named === undefined)
    throw new Problem('invalid', 'merge.parameter-missing', 'The operation needs a source, and $merge a target.', {
      expression: name,
    })
  if (numbers.length === 0) return named ?? ''
  const found = await patientWith(numbers, request, rooms)
  if (found === undefined || (named !== undefined && named !== found)) throw unclear(name)
  return found
}

function idOf(reference: string, name: string, baseUrl: string): string {
  const { kind, type, id } = parseReference(reference, baseUrl)
  if (kind === 'local' && type === 'Patient' && id !== undefined) return id
  throw unclear(name)
}

function unclear(name: string): Problem {
  const text = 'The parameter does not name exactly one Patient of this server.'
  return new Problem('unprocessable', 'merge.patient-unclear', text, { expression: name })
}

/** https://hl7.org/fhir/R4/search.html#escaping */
function tokenOf({ valueIdentifier }: Part): string {
  const parts = ['system', 'value'].map(member => textIn(valueIdentifier, member) ?? '')
  return parts.map(text => text.replace(/[\\|,$]/g, char => `\\${char}`)).join('|')
}

/** The one Patient who has all of the numbers. @throws Problem `precondition` · `condition.number-unvouched` */
async function patientWith(
  numbers: readonly string[],
  asked: GrantedRequest,
  rooms: Rooms,
): Promise<string | undefined> {
  const criteria = new URLSearchParams(numbers.map(number => ['identifier', number])).toString()
  try {
    const { record } = rooms
    const found = await record
      .writer(asked.grant)
      .transact(txn => findOne(txn, { type: 'Patient', criteria, asked, rooms }))
    return found?.id
  } catch (error) {
    if (isProblem(error, 'ambiguous')) return undefined
    throw error
  }
}
