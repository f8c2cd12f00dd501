import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Problem } from '#kernel'

let isHushed = false

/** What commands say to a person goes to standard error; what scripts read goes to standard output. */
export const output = {
  say(line = ''): void {
    if (!isHushed) process.stderr.write(`${line}\n`)
  },
  result(line: string): void {
    if (!isHushed) process.stdout.write(`${line}\n`)
  },
  /** A long result, as fast as it is taken; whoever goes away ends it. */
  async results(pieces: AsyncIterable<Buffer>): Promise<void> {
    if (isHushed) return
    try {
      await pipeline(Readable.from(pieces), process.stdout, { end: false })
    } catch (error) {
      // What became of the output itself is said by `outliveReaders`.
      if (process.stdout.errored === null) throw error
    }
  },
  /** From now on nothing is said: what a command that was told to end finds closed under its hands is neither a result nor a fault. */
  hush(): void {
    isHushed = true
  },
}

/**
 * Whoever reads may go away (`| head`), and what is written to may be full: what is being done is done to its end all the same, and a
 * server goes on. Only results that found no room show in how a command ended; whoever went away had read enough.
 */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
  process.stdout.once('error', error => {
    if ('code' in error && error.code === 'EPIPE') return
    process.exitCode = 1
    output.say(`what this command says could not be written: ${error.message}`)
  })
}

/** A Problem as it is shown: its code and text, and below it each element that is wrong. */
export function linesOf({ code, text, issues }: Problem): string[] {
  const below = issues.map(issue => `  ${issue.expression === undefined ? '' : `${issue.expression}: `}${issue.text}`)
  return [`${code}: ${text}`, ...below]
}
