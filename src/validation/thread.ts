/** Runs in a thread of its own (`beside.ts`). */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { parseResource } from '#fhir'
import type { ProblemIssue } from '#kernel'
import type { Sent } from './beside.ts'
import { createValidator } from './validator.ts'

const validator = createValidator()

/** What is as long leaves so much behind that it is looked for at once: by itself this thread, which has little else, hardly ever does. */
const longBytes = 1024 * 1024

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** @returns what `Validator.validate` says */
export default function validate({ text, extent }: Sent): readonly ProblemIssue[] {
  const found = validator.validate(parseResource(text), extent)
  // In the next turn, when nothing of this one is held any more.
  if (text.length > longBytes) setImmediate(collect)
  return found
}
