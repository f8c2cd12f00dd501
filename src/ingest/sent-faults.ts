import type { Resource } from '#fhir'
import { isProblem, type ProblemIssue } from '#kernel'
import type { Validator } from '#validation'
import type { Fate } from './committing/items.ts'

/** What is wrong with a resource of a file. */
export interface SentFaults {
  /** What becomes of its row; undefined when nothing is wrong. */
  readonly fate?: Fate
  /** Faults beside the one that the fate names. */
  readonly more: readonly ProblemIssue[]
}

/**
 * A resource of a file, validated. What takes more than one resource may have costs itself, and not the file.
 *
 * @param owner  on whose behalf, as `Validator.validateSent` has it
 */
export async function sentFaults(validator: Validator, resource: Resource, owner: string): Promise<SentFaults> {
  try {
    const [first, ...more] = await validator.validateSent(resource, 'errors', owner)
    return first === undefined ? { more } : { fate: refusalOf(first), more }
  } catch (error) {
    if (!(isProblem(error) && error.code === 'validation.too-costly')) throw error
    return { fate: { reason: 'too-costly' }, more: [] }
  }
}

function refusalOf({ expression }: ProblemIssue): Fate {
  return { reason: 'not-valid', ...(expression === undefined ? {} : { expression }) }
}
