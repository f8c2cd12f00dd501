import { encodeJsonInSteps, isLarge, type Resource } from '#fhir'
import { Beside, inSlices, type ProblemIssue } from '#kernel'
import { issuesByProfiles, type ProfileQuestion } from './answer.ts'
import { bringsQuestionnaire, countClaims } from './named.ts'
import { refusals } from './refusals.ts'
import type { ProfileOutcome, ProfileTask } from './thread.ts'

/** Of one resource. What is meant takes milliseconds, and the first in a thread some hundred. */
const longestMs = 10_000

/** R4's own profiles take a tenth of a millisecond each. */
const mostAtOnce = 8

const thread = new Beside<ProfileTask, ProfileOutcome>({
  file: new URL('./thread.ts', import.meta.url),
  heapMebibytes: 256,
  idleMs: 10_000,
})

/**
 * As `issuesByProfiles`, in a thread that time and memory end: R4's own profiles are known to be quick, those that somebody keeps, and Questionnaires that somebody sends, are not.
 *
 * @param owner  on whose behalf, as `Beside` has it
 * @throws Problem as `issuesByProfiles` and `Beside.run`
 */
export async function judgeByProfiles(
  resource: Resource,
  question: ProfileQuestion,
  owner: string,
): Promise<readonly ProblemIssue[]> {
  if (question.kept.length === 0 && isQuick(resource, question)) return issuesByProfiles(resource, question)
  const sent = await inSlices(encodeJsonInSteps(resource))
  const outcome = await thread.run({ ...question, sent }, longestMs, owner)
  if ('issues' in outcome) return outcome.issues
  throw refusals(outcome.refused)
}

function isQuick(resource: Resource, { asked }: ProfileQuestion): boolean {
  return !isLarge(resource) && !bringsQuestionnaire(resource) && countClaims(resource) + asked.length <= mostAtOnce
}
