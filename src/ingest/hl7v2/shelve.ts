import type { Grant } from '#access'
import { isProblem, type Log, Problem } from '#kernel'
import { keeperOf, type LetterDeps, type Refusal } from '../letters/letter.ts'
import { keepLetter, type Refused } from '../letters/shelf.ts'
import { passes } from './acknowledge.ts'
import { type Message, value } from './message.ts'

/** A message that was refused, as it came. */
export interface RefusedMessage {
  readonly bytes: Buffer
  /** Of its content, hex. */
  readonly digest: string
  /** Undefined when it could not even be parsed. */
  readonly message?: Message | undefined
  /** Whom it is about, as far as it was found. */
  readonly patients: readonly string[]
  /** For whom the file was imported in which it came. */
  readonly patient?: string
}

type ShelveDeps = LetterDeps & { readonly log: Log }

/** Keeps what was refused until it is sent again. What passes by comes again by itself, and whether it is kept changes no answer. */
export async function shelve(refused: RefusedMessage, error: unknown, grant: Grant, deps: ShelveDeps): Promise<void> {
  const problem = isProblem(error) ? error : failed
  // A question is of its moment.
  if (passes(problem) || problem.code === 'ingest.hl7-query-unanswered') return
  const named = (problem.cause as { readonly patients?: readonly string[] } | undefined)?.patients ?? []
  const { code, text, expression } = problem
  const patients = [...new Set([...refused.patients, ...named])]
  await shelveAs({ ...refused, patients }, { code, text, expression }, grant, deps)
}

const failed = new Problem('fault', 'ingest.failed', 'The message could not be taken in.')

/** The same with a reason in words. */
export async function shelveAs(
  { message, ...refused }: RefusedMessage,
  refusal: Refusal,
  grant: Grant,
  deps: ShelveDeps,
): Promise<void> {
  const keeper = keeperOf(grant)
  if (keeper === undefined) return
  const letter = { ...refused, keeper, refusal, ...headerOf(message) }
  const isKept = await keepLetter(letter, deps).catch(() => false)
  if (!isKept) deps.log.warn('a refused message is not kept', { room: 'ingest' })
}

const longestName = 100

function headerOf(message: Message | undefined): Pick<Refused, 'type' | 'sender'> {
  const names = (numbers: readonly (readonly [number, number])[]) =>
    numbers.map(([number, component]) => value(message?.msh, number, component).slice(0, longestName)).filter(Boolean)
  return {
    type: names([
      [9, 1],
      [9, 2],
    ]).join('^'),
    sender: names([
      [3, 1],
      [4, 1],
    ]).join(' '),
  }
}
