/** Schemathesis, a foreign program that makes requests from an OpenAPI document: where `.ci/run` has put it, or on the path. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const own = fileURLToPath(new URL('../../../.venv-schemathesis/bin/schemathesis', import.meta.url))
const name = 'schemathesis'

function found(): string | undefined {
  if (existsSync(own)) return own
  return spawnSync(name, ['--version']).status === 0 ? name : undefined
}

const program = found()

/** Whether it is there. */
export const hasSchemathesis = program !== undefined

interface Ended {
  readonly status: number
  /** All that it said. */
  readonly said: string
}

/** Runs it in a folder, where it leaves what it remembers. */
export async function schemathesis(folder: string, ...args: readonly string[]): Promise<Ended> {
  const child = spawn(program ?? name, args, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] })
  const [said, [status]] = await Promise.all([text(child.stdout), once(child, 'close')])
  return { status: status as number, said }
}
