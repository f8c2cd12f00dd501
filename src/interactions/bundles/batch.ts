import { operationOutcome, problemTable } from '#fhir'
import { giveWay, inSlices, isProblem, spend } from '#kernel'
import { perform } from '../perform.ts'
import { parsePrefer } from '../rest/prefer.ts'
import type { Rooms } from '../types.ts'
import { type BundleInteraction, printAnswer, printWrite } from './bundle-answer.ts'
import { answerBytes, sizeOf } from './bundle-bytes.ts'
import { atEntry, type BundleEntry, parseEntry } from './bundle-entry.ts'
import { isWrite, sideBySide } from './side-by-side.ts'
import { entriesAtOnce, StillGranted } from './still-granted.ts'

/** The text of one entry of the answer. */
type Answer = (Buffer | string)[]

/**
 * Each entry alone, as if in order: one that is refused or fails is answered so, and changes nothing for the others. They share
 * one budget: what would exceed it is refused, and what asks for less is still answered; but writes that would have to wait for
 * one another too often are refused before the first of them. Whoever may not go on meanwhile is told so by all entries that had not
 * begun.
 *
 * @throws Problem `too-costly` · `budget.written-exceeded`
 * @see https://hl7.org/fhir/R4/http.html#brules
 */
export const batch: BundleInteraction = async (given, bundle, matcher, rooms) => {
  const answers: Answer[] = []
  const entries: BundleEntry[] = []
  for (const [index, entry] of given.entries()) {
    await giveWay()
    try {
      entries.push(parseEntry(entry, index, bundle, matcher))
    } catch (error) {
      answers[index] = refusal(error, index)
    }
  }
  const groups = await inSlices(sideBySide(entries))
  spend('written', groups.filter(group => group.some(isWrite)).length)
  const wanted = parsePrefer(bundle).return
  const asked: Batch = { answers, wanted, rooms, granted: new StillGranted(bundle) }
  for (const group of groups)
    for (let from = 0; from < group.length; from += entriesAtOnce)
      await answerAll(group.slice(from, from + entriesAtOnce), asked)
  return { status: 200, headers: {}, body: await answerBytes({ type: 'batch-response' }, answers) }
}

interface Batch {
  /** By the number of the entry. */
  readonly answers: Answer[]
  /** The Bundle's `Prefer: return=` */
  readonly wanted: string | undefined
  readonly rooms: Rooms
  readonly granted: StillGranted
}

/** Answers entries at the same time; they begin one after the other. */
async function answerAll(group: readonly BundleEntry[], batch: Batch): Promise<void> {
  await batch.granted.check(group.length)
  const begun: Promise<void>[] = []
  for (const entry of group) {
    await giveWay()
    const answering = answer(entry, batch)
    begun.push(answering)
    // It is awaited below; until then it may fail while the next one begins.
    answering.catch(() => undefined)
  }
  await Promise.all(begun)
}

async function answer(entry: BundleEntry, { answers, wanted, rooms, granted }: Batch): Promise<void> {
  const { index, match, request } = entry
  try {
    if (granted.ended !== undefined) throw granted.ended
    const response = await perform(match, granted.by(request), rooms)
    // What an operation gives is what it was asked for, by whatever method; the author of a write has what was written.
    const isOperation = match.route.interaction.startsWith('$')
    const text = isWrite(entry) && !isOperation ? printWrite(response, wanted) : printAnswer(response)
    spend('answered', sizeOf(text))
    answers[index] = text
  } catch (error) {
    answers[index] = refusal(error, index)
  }
}

/** @throws what is no Problem */
function refusal(error: unknown, index: number): Answer {
  if (!isProblem(error)) throw error
  const { httpStatus } = problemTable[error.kind]
  return printAnswer({ status: httpStatus, headers: {} }, operationOutcome(atEntry(error, index)))
}
