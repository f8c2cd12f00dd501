import { type Grant, ownerOf } from '#access'
import { Beside, Problem, spend } from '#kernel'
import { choose } from './chosen.ts'
import type { Asked, Question } from './document.ts'
import { malformed } from './faults.ts'
import { type Position, typeNameOf } from './fields.ts'
import type { SchemaAnswer, SchemaTask } from './schema-thread.ts'

/** The whole of it, all that tools ask for, takes two seconds on a small machine. */
const longestMs = 30_000
/** The whole schema has 800 types: it is made where nobody waits for it, and given back when nobody asks. */
const thread = new Beside<SchemaTask, SchemaAnswer>({
  file: new URL('./schema-thread.ts', import.meta.url),
  heapMebibytes: 256,
  idleMs: 10_000,
})

/**
 * Whether a question is about the schema, and not about what is kept.
 *
 * @throws Problem `invalid` · `graphql.schema-mixed` when it is about both
 */
export function asksForSchema(question: Question): boolean {
  const names = choose([question.operation.selectionSet], { kind: 'system' }, question).map(({ name }) => name)
  if (!names.some(isOfSchema)) return false
  if (names.every(name => isOfSchema(name) || name === '__typename')) return true
  throw new Problem('invalid', 'graphql.schema-mixed', 'The schema is asked for in a query of its own.')
}

function isOfSchema(name: string): boolean {
  return name === '__schema' || name === '__type'
}

/**
 * What the schema says of itself.
 *
 * @returns JSON with `data`
 * @throws Problem `invalid` · `graphql.malformed`; `too-costly` · `budget.thread-exceeded`, `budget.answered-exceeded`
 * @see https://spec.graphql.org/October2021/#sec-Introspection
 */
export async function introspect(
  { query, operationName, variables }: Asked,
  root: Position,
  grant: Grant,
): Promise<string> {
  const task = { query, operationName, variables: JSON.stringify(variables), root: typeNameOf(root) }
  const { text } = await thread.run(task, longestMs, ownerOf(grant))
  if (text === undefined) throw malformed(undefined)
  spend('answered', text.length)
  return text
}
