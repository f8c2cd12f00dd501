import { Repeats } from '#kernel'

/** Tells of a connection what became of it and why; whose it was is told, what it sent never. */
export type Say = (what: string, address: string | undefined, why: string) => void

const sumEveryMs = 60_000

/** Lines that say the same are counted: whoever connects again and again should not fill a disk. */
export function saying(log: (text: string) => void): Say {
  const repeats = new Repeats((_, text, { count }) => log(`${text}: ${count} times`), sumEveryMs)
  return (what, address, why) => {
    if (repeats.passes('warn', `${what}: ${why}`, {})) log(`${what} ${address ?? 'somebody'}: ${why}`)
  }
}
