/** Runs in a thread of its own (`beside.ts`): what profiles of strangers ask may take for ever. */
import { parseResource } from '#fhir'
import { isProblem, type ProblemIssue, serveBeside } from '#kernel'
import { issuesByProfiles, type ProfileQuestion } from './answer.ts'

/** What the thread is given. */
export interface ProfileTask extends ProfileQuestion {
  /** A resource as JSON, in UTF-8. */
  readonly sent: Uint8Array
}

/** What it finds, or the code of the Problem that stood in the way. */
export type ProfileOutcome = { readonly issues: readonly ProblemIssue[] } | { readonly refused: string }

serveBeside<ProfileTask, ProfileOutcome>(({ sent, ...question }) => {
  try {
    return { issues: issuesByProfiles(parseResource(sent), question) }
  } catch (error) {
    if (isProblem(error)) return { refused: error.code }
    throw error
  }
})
