import type { Resource } from '#fhir'
import { isProblem, Problem, type ProblemIssue } from '#kernel'
import { checkSentResource, claimsAny } from '#validation'
import type { Judging } from '../profiles/judging.ts'

/**
 * Refuses what is not valid, and what breaks a profile that it claims or a Questionnaire that it answers and that is known. What a
 * Consent rules the record looks at.
 *
 * @throws Problem `unprocessable` · `validation.failed`, `validation.profile-broken`, `validation.questionnaire-broken`
 */
export async function checkWritable(resource: Resource, judging: Judging): Promise<void> {
  await checkSentResource(judging.rooms.validator, resource, judging.owner)
  if (claimsAny(resource)) await checkClaims(resource, judging)
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
