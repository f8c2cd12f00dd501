import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { allocatorEnv, allocatorEnvFor } from '../../../src/commands/allocator.ts'
import { heapFlagsFor } from '../../../src/commands/heap.ts'

const main = new URL('../../../src/main.ts', import.meta.url).pathname
const isTold = process.platform === 'linux'

describe('a process begins anew to tell its allocator', () => {
  const alone = { platform: 'linux', isHeld: false } as const

  it('with all that it was begun with', () => {
    expect(allocatorEnvFor({ PATH: '/bin', KINHOLD_PORT: '0' }, alone)).toEqual({
      PATH: '/bin',
      KINHOLD_PORT: '0',
      ...allocatorEnv,
    })
  })

  it.each([
    ['it has been told', { ...allocatorEnv }, alone],
    ['somebody has said how it is to be', { MALLOC_ARENA_MAX: '2' }, alone],
    ['somebody has said so by its newer name', { GLIBC_TUNABLES: 'glibc.malloc.arena_max=2' }, alone],
    ['the system is another', {}, { platform: 'darwin', isHeld: false }],
    ['a channel would be cut', {}, { platform: 'linux', isHeld: true }],
  ] as const)('but not where %s', (_why, env, how) => {
    expect(allocatorEnvFor(env, how)).toBeUndefined()
  })
})

describe('the young generation of a process that begins anew', () => {
  it('is bounded, beside what it was begun with', () => {
    expect(heapFlagsFor(['--disable-sigusr1'])).toEqual(['--disable-sigusr1', '--max-semi-space-size=16'])
  })

  it.each(['--max-semi-space-size=64', '--max_semi_space_size=64'])('is as somebody has said: %s', flag => {
    expect(heapFlagsFor([flag])).toEqual([flag])
  })
})

describe('import', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kinhold-allocator-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('begins anew before it loads anything: memory that is not bounded is above 300 MB with a large file', async () => {
    const begun = join(folder, 'begun')
    const noting = join(folder, 'noting.mjs')
    writeFileSync(
      noting,
      `import { appendFileSync } from 'node:fs'
       appendFileSync(${JSON.stringify(begun)}, JSON.stringify([process.execArgv, process.env.MALLOC_ARENA_MAX]) + '\\n')`,
    )
    const env = {
      PATH: process.env.PATH,
      HOME: folder,
      KINHOLD_DATA: join(folder, 'data'),
      NODE_OPTIONS: `--import=${noting}`,
    }
    const child = spawn(process.execPath, [main, 'import', 'absent.zip', '--patient', 'nobody'], {
      env,
      stdio: 'ignore',
    })
    expect(await once(child, 'exit')).toEqual([1, null])
    const beginnings = readFileSync(begun, 'utf8')
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line))
    const first = [[], null]
    expect(beginnings).toEqual(isTold ? [first, [heapFlagsFor([]), allocatorEnv.MALLOC_ARENA_MAX]] : [first])
  })
})

describe('serve', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kinhold-allocator-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it.each(['1', '2'])('of %s processes keeps its process id, its words and its ends', async workers => {
    const { PATH } = process.env
    const env = {
      PATH,
      HOME: folder,
      KINHOLD_DATA: join(folder, 'data'),
      KINHOLD_KEYS: join(folder, 'keys'),
      KINHOLD_PORT: '0',
      KINHOLD_WORKERS: workers,
    }
    const child = spawn(process.execPath, ['--disable-sigusr1', main, 'serve'], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    const greeted = new Promise<void>((resolve, reject) => {
      child.once('exit', () => reject(new Error(`ended: ${output}`)))
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', chunk => {
          output += chunk
          if (/claim\?code=/.test(output)) resolve()
        })
    })
    await greeted
    const told = isTold ? readFileSync(`/proc/${child.pid}/environ`, 'utf8').split('\0') : []
    const words = isTold ? readFileSync(`/proc/${child.pid}/cmdline`, 'utf8').split('\0').slice(1, -1) : []
    child.removeAllListeners('exit')
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
    const expected = isTold ? Object.entries(allocatorEnv).map(([name, value]) => `${name}=${value}`) : []
    expect(told).toEqual(expect.arrayContaining(expected))
    expect(words).toEqual(isTold ? [...heapFlagsFor(['--disable-sigusr1']), main, 'serve'] : [])
    expect(output).not.toMatch(/warning/i)
  })
})
