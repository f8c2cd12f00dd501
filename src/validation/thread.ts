/** Runs in a thread of its own (`beside.ts`). */
import { parseResource } from '#fhir'
import type { ProblemIssue } from '#kernel'
import { createValidator } from './validator.ts'

const validator = createValidator()

/** @param text  a resource as JSON */
export default function validate(text: string): readonly ProblemIssue[] {
  return validator.validate(parseResource(text))
}
