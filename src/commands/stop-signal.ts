import { constants } from 'node:os'
import { output } from './output.ts'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Resolves when the process is asked to end. */
export function stopSignal(): Promise<void> {
  return new Promise(resolve => {
    for (const signal of signals) process.once(signal, () => resolve())
  })
}

const longestTidyMs = 10_000

/**
 * While a command works: the first signal tidies and ends the process with 128 and the signal's number, as a shell
 * expects it; a second one does not wait.
 *
 * @returns what takes this back
 */
export function tidyOnSignal(tidy: () => Promise<void>): () => void {
  const onSignal = (signal: NodeJS.Signals) => {
    forget()
    const status = 128 + constants.signals[signal]
    output.say('stopping: what was committed stays, of the rest nothing is written')
    output.hush()
    setTimeout(() => process.exit(status), longestTidyMs).unref()
    const leave = () => process.exit(status)
    tidy().then(leave, leave)
  }
  const forget = () => {
    for (const signal of signals) process.off(signal, onSignal)
  }
  for (const signal of signals) process.on(signal, onSignal)
  return forget
}
