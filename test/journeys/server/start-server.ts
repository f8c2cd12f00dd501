/** The real server in a process of its own, which a test may stop or kill. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { allocatorEnv } from '../../../src/commands/allocator.ts'
import { heapFlagsFor } from '../../../src/commands/heap.ts'
import { commandIn, type Home, mainFile } from './home.ts'
import { forgetServer, longestMs, noteServer, within } from './waiting.ts'

export interface RunningServer {
  /** The address it listens on. */
  readonly url: string
  readonly pid: number
  /** From the start of the process until it listens. */
  readonly bootMs: number
  /** Everything that it has written to standard output and standard error. */
  output(): string
  /** Ends it with SIGTERM and resolves to its exit status. */
  stop(): Promise<number>
  /** Ends it with SIGKILL, as a power cut would end it, and resolves when it is gone. */
  kill(): Promise<void>
}

const listening = /listens on (https?:\/\/\S+)\n/
/** On a machine with much else to do a start takes many times as long as on one that rests. */
const longestBootMs = 120_000
const leash = new URL('./leash.ts', import.meta.url).pathname

/**
 * Starts a server and resolves when it listens.
 *
 * @param answersMs  how long a client waits for an answer of it
 * @throws when it ends before that
 */
export async function startServer(home: Home, answersMs = longestMs): Promise<RunningServer> {
  const startedMs = performance.now()
  const { child, output } = spawnServer(home)
  const url = await addressOf(child, output)
  const pid = child.pid ?? 0
  noteServer(pid, { url, output, longestMs: answersMs })
  child.once('close', () => forgetServer(pid))
  return {
    url,
    pid,
    bootMs: performance.now() - startedMs,
    output,
    stop: () => end(child, 'SIGTERM'),
    kill: async () => void (await end(child, 'SIGKILL')),
  }
}

/** Starts a server and kills it after this time, wherever it has come to. */
export async function killWhileStarting(home: Home, afterMs: number): Promise<void> {
  const { child } = spawnServer(home)
  await new Promise(resolve => setTimeout(resolve, afterMs))
  await end(child, 'SIGKILL')
}

function spawnServer(home: Home): { child: ChildProcess; output: () => string } {
  const [command, ...words] = commandIn(home, ...heapFlagsFor(['--import', leash]), mainFile, 'serve')
  const child = spawn(command, words, {
    // Over the leash's channel it cannot begin anew to tell its allocator.
    env: { ...home.env, ...allocatorEnv },
    cwd: home.folder,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const chunks: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => chunks.push(chunk))
  return { child, output: () => Buffer.concat(chunks).toString('utf8') }
}

async function addressOf(child: ChildProcess, output: () => string): Promise<string> {
  const deadlineMs = performance.now() + longestBootMs
  while (performance.now() < deadlineMs) {
    const url = listening.exec(output())?.[1]
    if (url !== undefined) return url
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}: ${output()}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  child.kill('SIGKILL')
  throw new Error(`the server did not listen in time: ${output()}`)
}

async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<number> {
  if (child.exitCode === null && child.signalCode === null) {
    const gone = once(child, 'close')
    child.kill(signal)
    await within(`the end of server ${child.pid} after ${signal}`, gone)
  }
  return child.exitCode ?? -1
}
