import type { RunningServer } from './start-server.ts'

const longestMs = 60_000

/** The one-time address that a new server prints, soon after it listens. @throws when it prints none */
export async function claimAddress(server: RunningServer): Promise<string> {
  const deadlineMs = performance.now() + longestMs
  while (performance.now() < deadlineMs) {
    const address = /http:\S+\/claim\?code=\S+(?=\n)/.exec(server.output())?.[0]
    if (address !== undefined) return address
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  throw new Error(`the server showed no address to claim it: ${server.output()}`)
}
