/** A server in a process of its own, as a user would start it, on a temporary folder. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { freePort } from '../free-port.ts'

const main = new URL('../../src/main.ts', import.meta.url).pathname

export interface BenchServer {
  readonly url: string
  readonly data: string
  readonly pid: number
  /** Ends the server in good order, and starts it again on the same folder. */
  restart(): Promise<void>
  /** What sets a command on the same folder. */
  readonly env: Readonly<Record<string, string>>
  /** Runs a command beside the server on the same folder; its standard output. */
  command(...args: string[]): Promise<string>
  stop(): Promise<void>
}

export async function startServer(): Promise<BenchServer> {
  const folder = await mkdtemp(join(tmpdir(), 'kinhold-bench-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const own = {
    KINHOLD_PORT: String(port),
    KINHOLD_BASE_URL: url,
    KINHOLD_DATA: join(folder, 'data'),
    KINHOLD_KEYS: join(folder, 'keys'),
    KINHOLD_LOG_LEVEL: 'error',
  }
  const env = { ...process.env, ...own }
  const serve = async () => {
    const started = spawn(process.execPath, [main, 'serve'], { env, stdio: ['ignore', 'ignore', 'inherit'] })
    await answering(`${url}/readyz`, started)
    return started
  }
  let server = await serve()
  const end = async () => {
    server.kill('SIGTERM')
    if (server.exitCode === null) await once(server, 'exit')
  }
  return {
    url,
    data: join(folder, 'data'),
    get pid() {
      return server.pid ?? 0
    },
    restart: async () => {
      await end()
      server = await serve()
    },
    env: own,
    command: (...args) => runCommand(args, env),
    stop: async () => {
      await end()
      await rm(folder, { recursive: true })
    },
  }
}

/** Waits until an address answers 200, at most 20 s. */
export async function answering(url: string, server: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (server.exitCode !== null) throw new Error('the server ended')
    const answer = await fetch(url).catch(() => undefined)
    if (answer?.ok) return
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  throw new Error('the server did not become ready')
}

async function runCommand(args: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const child = spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const printed = text(child.stdout)
  const [status] = await once(child, 'exit')
  if (status !== 0) throw new Error(`${args[0]} ended with ${status}`)
  return (await printed).trim()
}

/** Peak resident memory of a living process in MiB, from the kernel's own count; 0 for one that has just ended. */
export async function peakMemoryMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024
}
