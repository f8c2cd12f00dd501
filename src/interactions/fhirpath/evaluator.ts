import { type Grant, ownerOf } from '#access'
import { Beside, Problem, spend } from '#kernel'
import type { PathOutcome, PathTask, Result } from './thread.ts'

const longestExpression = 10_000
/** Of one evaluation. What is asked for in earnest takes milliseconds, on a slow machine some hundred. */
const longestMs = 5_000

/** A thread for all requests: one that is stopped is begun anew by the next. */
const thread = new Beside<PathTask, PathOutcome>({
  file: new URL('./thread.ts', import.meta.url),
  heapMebibytes: 192,
  idleMs: 10_000,
})

/**
 * Asks an expression of each of some elements.
 *
 * @param base   what they are, as FHIRPath calls it: `Patient.name`, or a type
 * @param items  JSON of an array
 * @param grant  of whoever asks
 * @returns      for each the first thing found: a truth, a text, or undefined
 * @throws Problem `invalid` · `fhirpath.malformed`; `unprocessable` · `fhirpath.failed`; `too-costly` · `budget.thread-exceeded`
 */
export async function evaluateOnItems(
  expression: string,
  base: string,
  items: string,
  grant: Grant,
): Promise<readonly (boolean | string | undefined)[]> {
  const answer = await asked({ kind: 'items', expression, base, items }, grant)
  return 'items' in answer ? answer.items : []
}

/** What is evaluated, and on what; everything that is data as JSON. */
export interface Evaluation {
  readonly expression: string
  /** An expression that finds what the other one is evaluated on; the resource itself unless told. */
  readonly context?: string | undefined
  readonly resource: string | undefined
  readonly variables: string
}

/**
 * Evaluates an expression in full.
 *
 * @returns one result, or one for each element of the context
 * @throws as `evaluateOnItems`
 * @see http://hl7.org/fhirpath/N1/ and https://hl7.org/fhir/R4/fhirpath.html
 */
export async function evaluateWhole(evaluation: Evaluation, grant: Grant): Promise<readonly Result[]> {
  const answer = await asked({ kind: 'whole', ...evaluation, context: evaluation.context }, grant)
  return 'results' in answer ? answer.results : []
}

async function asked(task: PathTask, grant: Grant): Promise<PathOutcome> {
  const texts = [task.expression, task.kind === 'whole' ? (task.context ?? '') : '']
  if (texts.some(text => text.length > longestExpression)) throw malformed('expression')
  const outcome = await thread.run(task, longestMs, ownerOf(grant))
  if ('size' in outcome) spend('answered', outcome.size)
  if (!('wrong' in outcome)) return outcome
  throw outcome.wrong === 'faulty' ? malformed(outcome.part) : failed(outcome.part)
}

function malformed(expression: string): Problem {
  return new Problem(
    'invalid',
    'fhirpath.malformed',
    `An expression is no FHIRPath, or longer than ${longestExpression.toLocaleString('en')} characters.`,
    { expression },
  )
}

function failed(expression: string): Problem {
  return new Problem(
    'unprocessable',
    'fhirpath.failed',
    'The expression cannot be evaluated on what it was given, or calls what is not offered here: nothing is fetched.',
    { expression },
  )
}
