/** Runs in a thread of its own (`beside.ts`). */
import { parseResource } from '#fhir'
import type { ProblemIssue } from '#kernel'
import type { Sent } from './beside.ts'
import { createValidator } from './validator.ts'

const validator = createValidator()

/** @returns what `Validator.validate` says */
export default function validate({ text, extent }: Sent): readonly ProblemIssue[] {
  return validator.validate(parseResource(text), extent)
}
