/** Runs in a thread of its own (`beside.ts`). */
import { parseResource } from '#fhir'
import type { ProblemIssue } from '#kernel'
import { createValidator } from './validator.ts'

const validator = createValidator()

/** @param text  a resource as JSON, in UTF-8 */
export default function validate(text: Uint8Array): readonly ProblemIssue[] {
  return validator.validate(parseResource(text))
}
