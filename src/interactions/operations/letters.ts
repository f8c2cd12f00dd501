import { type Resource, toInstant } from '#fhir'
import { Problem } from '#kernel'
import { granted } from '../perform.ts'
import { readResource } from '../rest/body.ts'
import type { FhirRequest, FhirResponse, KeptLetter, PathParams, Rooms } from '../types.ts'
import { partsOf } from './parameters.ts'

/** What was refused and is kept: a part `letter` for each, without what it says of anybody. */
export async function listLetters(request: FhirRequest, _params: PathParams, { ingest }: Rooms): Promise<FhirResponse> {
  const letters = await ingest.letters.list(granted(request).grant)
  return answer(letters.map(one => ({ name: 'letter', part: toParts(one) })))
}

/** One of them, with its content as it came. */
export async function showLetter(request: FhirRequest, params: PathParams, { ingest }: Rooms): Promise<FhirResponse> {
  const { letter, content } = await ingest.letters.show(params.job ?? '', granted(request).grant)
  return answer([...toParts(letter), { name: 'content', valueBase64Binary: content.toString('base64') }])
}

/**
 * Decides: `decision` is `resend` or `drop`. What is sent again goes in by the normal way; `acknowledgement` or `report` says what became of it.
 *
 * @throws Problem as `LettersPort`; `invalid` · `letters.decision-malformed`
 */
export async function decideLetter(request: FhirRequest, params: PathParams, { ingest }: Rooms): Promise<FhirResponse> {
  const { grant } = granted(request)
  const { job: id = '' } = params
  if (decisionOf(await readResource(request)) === 'drop') {
    await ingest.letters.drop(id, grant)
    return answer([{ name: 'state', valueCode: 'dropped' }])
  }
  const { state, ack, told } = await ingest.letters.resend(id, grant)
  return answer([
    { name: 'state', valueCode: state },
    ...(ack === undefined ? [] : [{ name: 'acknowledgement', valueString: ack.replaceAll('\r', '\n').trim() }]),
    ...(told === undefined ? [] : [{ name: 'report', resource: told.resource }]),
  ])
}

function answer(parameter: readonly object[]): FhirResponse {
  // FHIR knows no empty arrays.
  const parts = parameter.length === 0 ? {} : { parameter }
  return { status: 200, headers: {}, body: { resourceType: 'Parameters', ...parts } }
}

function toParts({ id, refusal, refusedAtMs, lastAtMs, times, type, sender, patients, patient }: KeptLetter) {
  const about = [...new Set([...patients, ...(patient === undefined ? [] : [patient])])]
  return [
    { name: 'id', valueId: id },
    { name: 'reason', valueString: refusal.code },
    { name: 'text', valueString: refusal.text },
    ...(refusal.expression ?? []).map(place => ({ name: 'place', valueString: place })),
    { name: 'refused', valueInstant: toInstant(refusedAtMs) },
    { name: 'last', valueInstant: toInstant(lastAtMs) },
    { name: 'times', valueInteger: times },
    ...(type === '' ? [] : [{ name: 'type', valueString: type }]),
    ...(sender === '' ? [] : [{ name: 'sender', valueString: sender }]),
    ...about.map(one => ({ name: 'patient', valueReference: { reference: `Patient/${one}` } })),
  ]
}

const decisions = ['resend', 'drop'] as const

function decisionOf(input: Resource): (typeof decisions)[number] {
  const parts = partsOf(input)
  const decision = decisions.find(one => one === parts[0]?.valueCode)
  if (decision !== undefined && parts.length === 1 && parts[0]?.name === 'decision') return decision
  throw new Problem('invalid', 'letters.decision-malformed', 'Parameters: decision is resend or drop.', {
    expression: 'Parameters.parameter',
  })
}
