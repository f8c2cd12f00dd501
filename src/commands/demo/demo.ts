/**
 * demo – a family of three with sample data in a temporary folder: imported, read with two tokens, and looked for on disk.
 * It must never know: anything that an app could not do, but for the two tokens that the host mints.
 * The one idea: it speaks HTTP, so what it shows is what a client gets.
 * Its data: samples/. Decisions: none.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Config, loadConfig } from '#config'
import { createLog, newSecret } from '#kernel'
import { type House, openHouse } from '../../compose.ts'
import { freePort } from '../free-port.ts'
import { listenOrClose } from '../listen.ts'
import { output } from '../output.ts'
import type { Serving } from '../serving.ts'
import { stopSignal, tidyOnSignal } from '../stop-signal.ts'
import { type Family, type Imported, importSamples, takeInFamily } from './family.ts'
import { type Asked, readAsOwner, readAsRelative } from './reading.ts'
import { type FileSearch, searchFiles } from './search-files.ts'
import { table } from './table.ts'

/** Everything that the demonstration has shown. */
interface Shown {
  readonly family: Family
  readonly imports: readonly Imported[]
  readonly asked: readonly Asked[]
  readonly files: FileSearch
}

/** Runs the demonstration; with `once` it ends with exit status 0 when all of it held, else 1. */
export async function demo(options: { once?: boolean }): Promise<void> {
  const folder = join(tmpdir(), `kinhold-demo-${newSecret(9)}`)
  const remove = () => rmSync(folder, { recursive: true, force: true })
  // At the very end: whoever is stopped while the house is made would go on making it while it is removed.
  process.once('exit', remove)
  const untidied = tidyOnSignal(async () => undefined)
  try {
    mkdirSync(folder, { mode: 0o700 })
    await demonstrate(folder, options.once ?? false, untidied)
  } finally {
    untidied()
    remove()
  }
}

async function demonstrate(folder: string, once: boolean, untidied: () => void): Promise<void> {
  const folders = [join(folder, 'data'), join(folder, 'keys')] as const
  const house = await openHouse(await demoConfig(process.env, folders), { log: createLog('error'), make: true })
  const serving = await listenOrClose(house)
  try {
    const startedMs = performance.now()
    const shown = await show(house, folders)
    print(shown, house, (performance.now() - startedMs) / 1000)
    if (!holds(shown)) process.exitCode = 1
    untidied() // From here on a signal is how it is meant to end.
    if (!once) await stayUp(house, shown.family)
  } finally {
    await close(house, serving)
  }
}

/** Addresses on which one listens and to which nobody can go. */
const everywhere: readonly string[] = ['0.0.0.0', '::', '']

/**
 * The configuration of a demonstration: host and port as the environment says, all else its own. A port that was asked for
 * is used or refused; without one it is 8080, or any that is free.
 */
export async function demoConfig(env: NodeJS.ProcessEnv, [data, keys]: readonly [string, string]): Promise<Config> {
  const host = env.KINHOLD_HOST || '127.0.0.1'
  const port =
    env.KINHOLD_PORT && env.KINHOLD_PORT !== '0' ? env.KINHOLD_PORT : await freePort(env.KINHOLD_PORT ? 0 : 8080)
  const reached = everywhere.includes(host) ? '127.0.0.1' : host
  const own = {
    KINHOLD_HOST: host,
    KINHOLD_PORT: String(port),
    KINHOLD_BASE_URL: `http://${reached.includes(':') ? `[${reached}]` : reached}:${port}`,
    KINHOLD_DATA: data,
    KINHOLD_KEYS: keys,
    // It is there for minutes, and every byte of its folders is looked through.
    KINHOLD_RESERVE: '0',
    // What it sends through the network is sample data.
    KINHOLD_ALLOW_HTTP: 'true',
  }
  return loadConfig(own, { cwd: data }).config
}

async function show(house: House, folders: readonly string[]): Promise<Shown> {
  const { baseUrl } = house.config
  const family = await takeInFamily(house, baseUrl)
  const imports = await importSamples(family, baseUrl)
  const owner = await readAsOwner(family, baseUrl)
  const relative = await readAsRelative(family, house, baseUrl)
  await house.record.flush()
  return { family, imports, asked: [...owner, ...relative], files: await searchFiles(folders, family, baseUrl) }
}

function holds({ imports, asked, files }: Shown): boolean {
  return imports.every(({ ok }) => ok) && asked.every(({ ok }) => ok) && files.readable === 0 && files.works
}

const mark = (ok: boolean) => (ok ? '✓' : '✗ NOT AS IT SHOULD BE')

function print({ imports, asked, files }: Shown, { config }: House, seconds: number): void {
  const result = (lines: readonly string[]) => {
    for (const line of lines) output.result(line)
  }
  result([
    '',
    'Imported',
    ...table(
      imports.map(({ what, into, rows, created, ok }) => [
        what,
        `→ ${into}`,
        `${rows} rows`,
        `${created} resources`,
        mark(ok),
      ]),
    ),
  ])
  result([
    '',
    'Read with fhir-kit-client',
    ...table(asked.map(each => [each.who, each.asked, each.answer, mark(each.ok)])),
  ])
  const megabytes = (files.bytes / 1e6).toFixed(1)
  const found = `${files.readable} of ${files.files} files (${megabytes} MB) show one of ${files.texts} texts of the record`
  result(['', 'On disk', ...table([[found, mark(files.readable === 0 && files.works)]])])
  result(['', `${seconds.toFixed(1)} s. FHIR base ${config.baseUrl}/fhir · API page ${config.baseUrl}/docs`])
}

async function stayUp({ config }: House, { account }: Family): Promise<void> {
  const stopped = stopSignal()
  output.result(
    `Log in at ${config.baseUrl}/account as "${account.name}" with "${account.password}". Ctrl-C ends it and removes everything.`,
  )
  await stopped
}

async function close(house: House, serving: Serving): Promise<void> {
  await serving.close()
  await house.close()
}
