import { type Reason, type Role, roles } from '#access'
import { isId, isResourceType, parseReference } from '#fhir'
import { Problem } from '#kernel'
import type { NamedRecipient, NamedSubject } from '#record'
import { operationParameters } from '../operations/parameters.ts'
import { granted } from '../perform.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'

/** Whom and what is asked about: an app by its client id, an account by its id, or a role; a resource, or a type. */
export const explainParameters = ['client', 'actor', 'role', 'reference', 'type'] as const

/**
 * What a patient's Consents withhold from somebody, and by which of their provisions: for who keeps the patient as owner or guardian,
 * and sees all of theirs. Without a name it is asked of who asks. What scopes and roles do not show is not spoken of.
 *
 * @throws Problem as `Record.explain`; `invalid` · `explain.recipient-unclear`, `explain.subject-unclear` and what
 *   `operationParameters` throws
 */
export async function explainAccess(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const { id: patient = '' } = params
  const { grant, baseUrl } = granted(request)
  const asked = await operationParameters(request, explainParameters)
  const reasons = await rooms.record.explain(grant, patient, recipientIn(asked), subjectIn(asked, baseUrl))
  return {
    status: 200,
    headers: {},
    body: {
      resourceType: 'Parameters',
      parameter: [{ name: 'extent', valueCode: extentOf(reasons) }, ...reasons.map(told)],
    },
  }
}

/** Of several that say a part nobody knows whether they are the whole. */
function extentOf(reasons: readonly Reason[]): 'none' | Reason['extent'] {
  if (reasons.length === 0) return 'none'
  return reasons.some(({ extent }) => extent === 'whole') ? 'whole' : 'part'
}

function told({ consent, place, extent }: Reason): object {
  return {
    name: 'withheld',
    part: [
      { name: 'consent', valueReference: { reference: `Consent/${consent}` } },
      { name: 'provision', valueString: place },
      { name: 'extent', valueCode: extent },
    ],
  }
}

/** @throws Problem `invalid` · `explain.recipient-unclear` */
function recipientIn(asked: URLSearchParams): NamedRecipient {
  const [app, account, role] = ['client', 'actor', 'role'].map(name => oneOf(asked, name, recipientUnclear))
  if ((account !== undefined && role !== undefined) || !isRole(role)) throw recipientUnclear()
  return {
    ...(app === undefined ? {} : { app }),
    ...(account === undefined ? {} : { account }),
    ...(role === undefined ? {} : { role }),
  }
}

function isRole(text: string | undefined): text is Role | 'none' | undefined {
  return text === undefined || text === 'none' || (roles as readonly string[]).includes(text)
}

/** @throws Problem `invalid` · `explain.subject-unclear` */
function subjectIn(asked: URLSearchParams, baseUrl: string): NamedSubject {
  const reference = oneOf(asked, 'reference', subjectUnclear)
  const type = oneOf(asked, 'type', subjectUnclear)
  if (reference === undefined) {
    if (type !== undefined && !isResourceType(type)) throw subjectUnclear()
    return type === undefined ? {} : { type }
  }
  const named = parseReference(reference, baseUrl)
  const isOne = named.kind === 'local' && named.type !== undefined && named.id !== undefined && isId(named.id)
  if (!isOne || type !== undefined) throw subjectUnclear()
  return { type: named.type ?? '', id: named.id ?? '' }
}

function oneOf(asked: URLSearchParams, name: string, unclear: () => Problem): string | undefined {
  const [value, ...more] = asked.getAll(name)
  if (value === '' || more.length > 0) throw unclear()
  return value
}

function recipientUnclear(): Problem {
  return new Problem(
    'invalid',
    'explain.recipient-unclear',
    `Who is meant has to be one: a client, and beside it an actor or a role, which is ${[...roles, 'none'].join(', ')}.`,
    { expression: ['client', 'actor', 'role'] },
  )
}

function subjectUnclear(): Problem {
  const text = 'What is meant has to be one: a reference to a resource of this server, or a type of R4.'
  return new Problem('invalid', 'explain.subject-unclear', text, { expression: ['reference', 'type'] })
}
