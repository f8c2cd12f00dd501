import { operationOutcome, problemTable } from '#fhir'
import { isProblem } from '#kernel'
import { perform } from '../perform.ts'
import { parsePrefer } from '../rest/prefer.ts'
import { type BundleInteraction, printAnswer, printWrite } from './bundle-answer.ts'
import { bundleBytes } from './bundle-bytes.ts'
import { parseEntry } from './bundle-entry.ts'

/**
 * Each entry alone and in order: one that is refused or fails is answered so, and changes nothing for the others.
 *
 * @see https://hl7.org/fhir/R4/http.html#brules
 */
export const batch: BundleInteraction = async (entries, bundle, matcher, rooms) => {
  const wanted = parsePrefer(bundle).return
  const answers: (Buffer | string)[][] = []
  for (const [index, given] of entries.entries()) {
    try {
      const { match, request } = parseEntry(given, index, bundle, matcher)
      const response = await perform(match, request, rooms)
      answers.push(isWrite(request.method) ? printWrite(response, wanted) : printAnswer(response))
    } catch (error) {
      if (!isProblem(error)) throw error
      const { httpStatus } = problemTable[error.kind]
      answers.push(printAnswer({ status: httpStatus, headers: {} }, operationOutcome(error)))
    }
  }
  return { status: 200, headers: {}, body: bundleBytes({ type: 'batch-response' }, answers) }
}

function isWrite(method: string): boolean {
  return method !== 'GET' && method !== 'HEAD'
}
