/** A server of several processes, which a test may look at and end one by one. */
import { readFileSync } from 'node:fs'
import type { Home } from './home.ts'
import { type RunningServer, startServer } from './start-server.ts'
import { until as untilWithin } from './waiting.ts'

/** Beneath the two minutes that a test of several processes has. */
const longestMs = 90_000

export interface RunningCrew extends RunningServer {
  /** The processes that serve, the longest-lived first; the first of them leads. */
  workers(): number[]
  /** Resolves when all serve, so many starts in all. */
  serving(starts: number): Promise<void>
}

/** Starts a server of so many workers, and resolves when all of them serve. The home's log level must be `info`. */
export async function startCrew(home: Home, workers: number, env: NodeJS.ProcessEnv = {}): Promise<RunningCrew> {
  const server = await startServer(
    { ...home, env: { ...home.env, ...env, KINHOLD_WORKERS: String(workers) } },
    longestMs,
  )
  const crew = {
    ...server,
    workers: () => childrenOf(server.pid),
    serving: (starts: number) => until(() => server.output().split('a worker serves').length > starts),
  }
  await crew.serving(workers)
  return crew
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return text.trim().split(' ').filter(Boolean).map(Number)
}

/** Whether a process is there and has not ended. */
export function lives(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** Resolves when it holds. @throws when that takes too long, with what the servers wrote last */
export const until = (holds: () => boolean | Promise<boolean>) => untilWithin(holds, longestMs)
