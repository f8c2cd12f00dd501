import { createInterface } from 'node:readline/promises'
import { Problem } from '#kernel'

/**
 * One line from whoever started the command; the question goes to standard error.
 *
 * @throws Problem `invalid` · `command.unanswered` when standard input ends before there is a line
 */
export async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const ended = new Promise<undefined>(resolve => terminal.once('close', () => resolve(undefined)))
  try {
    const answer = await Promise.race([terminal.question(`${question} `), ended])
    if (answer !== undefined) return answer.trim()
    throw new Problem('invalid', 'command.unanswered', 'The command asks for an answer, and nobody gave one.')
  } finally {
    terminal.close()
  }
}

/** Asks for something to be typed exactly. @throws Problem `invalid` · `command.unconfirmed`, `command.unanswered` */
export async function confirm(question: string, expected: string): Promise<void> {
  if ((await ask(question)) === expected) return
  throw new Problem('invalid', 'command.unconfirmed', 'That is not what was to be typed: nothing was done.')
}
