import { parseReference, type Resource, toInstant } from '#fhir'
import { Problem } from '#kernel'
import { granted } from '../perform.ts'
import { readResource } from '../rest/body.ts'
import { parseHistoryCount } from '../rest/history.ts'
import type { FhirRequest, FhirResponse, HeldImport, PathParams, Rooms } from '../types.ts'
import { partsOf, textIn } from './parameters.ts'

/**
 * What waits until a person says whom it is about, oldest first: a part `held` for each, without what it says of anybody, and `next` where
 * there are more than stand on a page.
 *
 * @throws Problem `invalid` · `request.count-malformed`, `review.cursor-malformed`
 */
export async function listReview(
  request: FhirRequest,
  _params: PathParams,
  { people, limits }: Rooms,
): Promise<FhirResponse> {
  const { grant, query, baseUrl } = granted(request)
  const cursor = query.get('_cursor')
  const after = cursor === null ? {} : { after: afterOf(cursor) }
  const count = parseHistoryCount(query.get('_count'), limits)
  const { held, next } = await people.review.page(grant, { count, ...after })
  const more = next?.after && [{ name: 'next', valueUrl: linkTo(baseUrl, count, next.after) }]
  return answer([...held.map(one => ({ name: 'held', part: toParts(one) })), ...(more ?? [])])
}

type Behind = Pick<HeldImport, 'heldAtMs' | 'id'>

function linkTo(baseUrl: string, count: number, { heldAtMs, id }: Behind): string {
  const params = new URLSearchParams({ _count: String(count), _cursor: `${heldAtMs}.${id}` })
  return `${baseUrl}/$review?${params}`
}

/** What a page link says is what its page showed last, so there is nothing in it to be hidden. */
function afterOf(cursor: string): Behind {
  const [, heldAtMs, id = ''] = /^(\d{1,16})\.([\w-]{1,64})$/.exec(cursor) ?? []
  if (heldAtMs !== undefined) return { heldAtMs: Number(heldAtMs), id }
  throw new Problem('invalid', 'review.cursor-malformed', '_cursor is not from a page of this list.', {
    expression: '_cursor',
  })
}

/** One of them, with what it says of the person, to be held against the candidates. */
export async function showReview(request: FhirRequest, params: PathParams, { people }: Rooms): Promise<FhirResponse> {
  const held = await people.review.show(params.job ?? '', granted(request).grant)
  const incoming: Resource = { ...held.doubt.incoming, resourceType: 'Patient' }
  return answer([...toParts(held), { name: 'incoming', resource: incoming }])
}

/**
 * Decides: `decision` is `accept` (with `patient`), `new` or `reject`. What is accepted goes in by the normal way; of a file `report` says
 * what became of its rows.
 *
 * @throws Problem as `ReviewPort.decide`; `invalid` · `review.decision-malformed`
 */
export async function decideReview(request: FhirRequest, params: PathParams, { people }: Rooms): Promise<FhirResponse> {
  const { grant, baseUrl } = granted(request)
  const { decision, patient } = decisionOf(await readResource(request), baseUrl)
  const about = patient === undefined ? {} : { patient }
  const reports: object[] = []
  const onReport = ({ resource }: { readonly resource: Resource }) => void reports.push({ name: 'report', resource })
  const { renew } = request
  const now = renew === undefined ? {} : { renew: () => renew() }
  const state = await people.review.decide({ grant, id: params.job ?? '', decision, ...about, onReport, ...now })
  return answer([{ name: 'state', valueCode: state }, ...reports])
}

function answer(parameter: readonly object[]): FhirResponse {
  // FHIR knows no empty arrays.
  const parts = parameter.length === 0 ? {} : { parameter }
  return { status: 200, headers: {}, body: { resourceType: 'Parameters', ...parts } }
}

function toParts({ id, state, format, heldAtMs, doubt }: HeldImport): readonly object[] {
  return [
    { name: 'id', valueId: id },
    { name: 'state', valueCode: state },
    { name: 'source', valueCode: format },
    { name: 'held', valueInstant: toInstant(heldAtMs) },
    ...doubt.elements.map(element => ({ name: 'differs', valueString: `Patient.${element}` })),
    ...doubt.patients.map(patient => ({ name: 'candidate', valueReference: { reference: `Patient/${patient}` } })),
  ]
}

const decisions = ['accept', 'new', 'reject'] as const

function decisionOf(input: Resource, baseUrl: string) {
  const parts = partsOf(input)
  const said = parts.find(({ name }) => name === 'decision')?.valueCode
  const decision = decisions.find(one => one === said)
  const reference = parts.find(({ name }) => name === 'patient')?.valueReference
  const named = textIn(reference, 'reference')
  const patient = named !== undefined ? parseReference(named, baseUrl) : undefined
  const isPatient = patient === undefined || (patient.kind === 'local' && patient.type === 'Patient')
  if (decision === undefined || !isPatient || !parts.every(({ name }) => name === 'decision' || name === 'patient'))
    throw new Problem(
      'invalid',
      'review.decision-malformed',
      'Parameters: decision is accept, new or reject; patient is a reference to a Patient of this server.',
      { expression: 'Parameters.parameter' },
    )
  return { decision, patient: patient?.id }
}
