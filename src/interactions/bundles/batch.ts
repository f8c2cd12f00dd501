import { operationOutcome, problemTable } from '#fhir'
import { giveWay, isProblem, spend } from '#kernel'
import { perform } from '../perform.ts'
import { parsePrefer } from '../rest/prefer.ts'
import type { Route } from '../types.ts'
import { type BundleInteraction, printAnswer, printWrite } from './bundle-answer.ts'
import { bundleBytes, sizeOf } from './bundle-bytes.ts'
import { atEntry, parseEntry } from './bundle-entry.ts'

/**
 * Each entry alone and in order: one that is refused or fails is answered so, and changes nothing for the others. They share
 * one budget: what would exceed it is refused, and what asks for less is still answered.
 *
 * @see https://hl7.org/fhir/R4/http.html#brules
 */
export const batch: BundleInteraction = async (entries, bundle, matcher, rooms) => {
  const wanted = parsePrefer(bundle).return
  const answers: (Buffer | string)[][] = []
  for (const [index, given] of entries.entries()) {
    await giveWay()
    try {
      const { match, request } = parseEntry(given, index, bundle, matcher)
      const response = await perform(match, request, rooms)
      const answer = isWrite(match.route) ? printWrite(response, wanted) : printAnswer(response)
      spend('answered', sizeOf(answer))
      answers.push(answer)
    } catch (error) {
      if (!isProblem(error)) throw error
      const { httpStatus } = problemTable[error.kind]
      answers.push(printAnswer({ status: httpStatus, headers: {} }, operationOutcome(atEntry(error, index))))
    }
  }
  return { status: 200, headers: {}, body: bundleBytes({ type: 'batch-response' }, answers) }
}

/** What an operation gives is what it was asked for, by whatever method; the author of a write has what was written. */
function isWrite({ method, interaction }: Route): boolean {
  return method !== 'GET' && !interaction.startsWith('$')
}
