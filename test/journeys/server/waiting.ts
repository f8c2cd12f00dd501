/** What a test waits for has an end of its own, beneath the test's, and then says what never came. */
import { setTimeout as sleep } from 'node:timers/promises'

/** More than anything takes on a machine with much else to do; a test has twice as much. */
export const longestMs = 300_000
/** Of what the servers wrote last; as much as is read of a failed test. */
const tailLength = 2_000

interface Known {
  readonly url: string
  readonly output: () => string
  /** How long a client waits for an answer of it. */
  readonly longestMs: number
}

/** By process, those that were started and may still run. */
const servers = new Map<number, Known>()

export function noteServer(pid: number, known: Known): void {
  servers.set(pid, known)
}

export function forgetServer(pid: number): void {
  servers.delete(pid)
}

/** How long a client waits for an answer of whoever listens there. */
export function longestOf(url: string): number {
  return [...servers.values()].find(known => known.url === url)?.longestMs ?? longestMs
}

/** What never came, with what each server that runs wrote last. */
export function never(what: string, waitedMs: number): Error {
  const told = [...servers].map(
    ([pid, { url, output }]) => `The server ${pid} at ${url} wrote last:\n${output().slice(-tailLength)}`,
  )
  return new Error([`after ${waitedMs / 1000} seconds never: ${what}`, ...told].join('\n'))
}

/** What is waited for, or `never`, once that has taken too long. */
export async function within<T>(what: string, waited: Promise<T>, mostMs = longestMs): Promise<T> {
  const over = new AbortController()
  const late = async (): Promise<never> => {
    await sleep(mostMs, undefined, { signal: over.signal })
    throw never(what, mostMs)
  }
  const tooLate = late()
  tooLate.catch(() => undefined)
  try {
    return await Promise.race([waited, tooLate])
  } finally {
    over.abort()
  }
}

/** Resolves when it holds. @throws when that takes too long, with the text of the question, also when it is never answered */
export async function until(holds: () => boolean | Promise<boolean>, mostMs = longestMs): Promise<void> {
  let isOver = false
  const look = async () => {
    while (!isOver && !(await holds())) await sleep(20)
  }
  const what = String(holds).replaceAll(/\s+/g, ' ')
  await within(what, look(), mostMs).finally(() => {
    isOver = true
  })
}
