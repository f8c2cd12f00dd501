import { createInterface } from 'node:readline'
import { Problem } from '#kernel'

/**
 * One line from whoever started the command; the question goes to standard error.
 *
 * @throws Problem `invalid` · `command.unanswered` when standard input ends before there is a line
 */
export async function ask(question: string): Promise<string> {
  return (await askEach([question]))[0] ?? ''
}

/** Several questions, one after the other: what is piped in comes all at once, and must not be lost in between. */
export async function askEach(questions: readonly string[]): Promise<string[]> {
  const input = createInterface({ input: process.stdin })
  const lines = input[Symbol.asyncIterator]()
  const answers: string[] = []
  try {
    for (const question of questions) {
      process.stderr.write(`${question} `)
      const { value, done } = await lines.next()
      if (done === true)
        throw new Problem('invalid', 'command.unanswered', 'The command asks for an answer, and nobody gave one.')
      answers.push(value.trim())
    }
    return answers
  } finally {
    input.close()
  }
}

/** Asks for something to be typed exactly. @throws Problem `invalid` · `command.unconfirmed`, `command.unanswered` */
export async function confirm(question: string, expected: string): Promise<void> {
  if ((await ask(question)) === expected) return
  throw new Problem('invalid', 'command.unconfirmed', 'That is not what was to be typed: nothing was done.')
}
