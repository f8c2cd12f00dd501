import type { Resource } from '#fhir'
import { isProblem, Problem, type ProblemIssue } from '#kernel'
import { checkSentResource, claimsAny } from '#validation'
import type { Judging } from '../profiles/judging.ts'

interface NotYet {
  readonly text: string
  /** Whether this one would have to have an effect. */
  applies(resource: Resource): boolean
}

/** What this server can keep but not yet act upon: whoever writes it would count on an effect that never comes. */
const notYet: Readonly<Record<string, NotYet>> = {
  Consent: {
    text: 'A Consent that rules who may see what is not supported yet: nothing would be withheld. Without provision and policyRule, or as draft, it can be kept.',
    applies: isEnforcing,
  },
}

const privacy = 'patient-privacy'

/** An active rule about privacy that a machine is to follow. @see https://hl7.org/fhir/R4/consent.html#6.2.3 */
function isEnforcing({ status, scope, provision, policyRule }: Resource): boolean {
  if (status !== 'active' || (provision === undefined && policyRule === undefined)) return false
  const { coding } = (scope ?? {}) as { readonly coding?: readonly { readonly code?: string }[] }
  return coding?.some(({ code }) => code === privacy) ?? false
}

/**
 * Refuses what is not valid, what breaks a profile that it claims or a Questionnaire that it answers and that is known, and what would
 * be taken without the effect that its author counts on.
 *
 * @throws Problem `unprocessable` · `validation.failed`, `validation.profile-broken`, `validation.questionnaire-broken`; `unsupported` · `resource.not-supported-yet`
 */
export async function checkWritable(resource: Resource, judging: Judging): Promise<void> {
  await checkSentResource(judging.rooms.validator, resource, judging.owner)
  if (claimsAny(resource)) await checkClaims(resource, judging)
  const row = Object.hasOwn(notYet, resource.resourceType) ? notYet[resource.resourceType] : undefined
  if (row?.applies(resource) !== true) return
  throw new Problem('unsupported', 'resource.not-supported-yet', row.text, { expression: resource.resourceType })
}

/** A guide that is kept whole may name more than one request looks at, or derive from itself. */
const untold: ReadonlySet<string> = new Set(['validation.profile-too-large', 'validation.profile-circular'])

/** What cannot be told by a profile is no fault of the resource. */
async function issuesOrNone(resource: Resource, judging: Judging): Promise<readonly ProblemIssue[]> {
  try {
    return await judging.issues(resource, [], 'errors')
  } catch (error) {
    if (isProblem(error) && untold.has(error.code)) return []
    throw error
  }
}

/** What a profile says is no fault where nobody knows it: a claim is the author's. @see https://hl7.org/fhir/R4/resource.html#Meta.profile */
async function checkClaims(resource: Resource, judging: Judging): Promise<void> {
  const issues = await issuesOrNone(resource, judging)
  if (issues.length === 0) return
  const told = { issues, expression: issues.flatMap(issue => issue.expression ?? []) }
  if (resource.resourceType === 'QuestionnaireResponse' && resource.questionnaire !== undefined)
    throw new Problem(
      'unprocessable',
      'validation.questionnaire-broken',
      'The response breaks the Questionnaire that it answers, or a profile that it claims.',
      told,
    )
  throw new Problem(
    'unprocessable',
    'validation.profile-broken',
    'The resource breaks a profile that it claims, or a definition that it names.',
    told,
  )
}
