import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const main = new URL('../../../src/main.ts', import.meta.url).pathname

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'kinhold-compiled-'))
})
afterEach(() => {
  chmodSync(home, 0o700)
  rmSync(home, { recursive: true })
})

/** A command that loads more than the command line; there is no house, so it ends with 1. */
function start(env: NodeJS.ProcessEnv = {}): void {
  const { PATH } = process.env
  const folders = { KINHOLD_DATA: join(home, 'data'), KINHOLD_KEYS: join(home, 'keys') }
  const { status, stderr } = spawnSync(process.execPath, [main, 'patient', 'list'], {
    env: { PATH, HOME: home, ...folders, ...env },
    encoding: 'utf8',
  })
  expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/^command\.house-absent: /) })
}

/** What was compiled lies in a folder for each Node. */
const keptIn = (folder: string) => readdirSync(folder).flatMap(node => readdirSync(join(folder, node)))

// https://nodejs.org/api/module.html#module-compile-cache
describe('what was compiled at a start', () => {
  it('is kept among the caches of the person, in a folder that nobody else can open', () => {
    start()
    const folder = join(home, '.cache', 'kinhold')
    expect(keptIn(folder).length).toBeGreaterThan(100)
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    const before = keptIn(folder)
    start()
    expect(keptIn(folder)).toEqual(before)
  })

  it.each([
    ['that another place for caches is named', (caches: string) => ({ XDG_CACHE_HOME: caches }), 'kinhold'],
    ['that Node is told of a folder', (caches: string) => ({ NODE_COMPILE_CACHE: join(caches, 'node') }), 'node'],
  ])('lies elsewhere when the environment says %s', (_what, env, name) => {
    const caches = join(home, 'caches')
    start(env(caches))
    expect(keptIn(join(caches, name)).length).toBeGreaterThan(100)
    expect(readdirSync(home)).toEqual(['caches'])
  })

  it.each<[string, (folder: string) => void]>([
    ['others may write there', folder => chmodSync(folder, 0o777)],
    ['the group may write there', folder => chmodSync(folder, 0o770)],
  ])('is not kept where %s', (_what, open) => {
    const folder = join(home, '.cache', 'kinhold')
    mkdirSync(folder, { recursive: true })
    open(folder)
    start()
    expect(readdirSync(folder)).toEqual([])
  })

  it('is not kept where a link leads', () => {
    const elsewhere = join(home, 'elsewhere')
    mkdirSync(elsewhere)
    mkdirSync(join(home, '.cache'))
    symlinkSync(elsewhere, join(home, '.cache', 'kinhold'))
    start()
    expect(readdirSync(elsewhere)).toEqual([])
  })

  it.each([
    ['there is no place for it', { HOME: '/dev/null' }],
    ['Node is told not to', { NODE_DISABLE_COMPILE_CACHE: '1' }],
  ])('is not kept, and the command works, where %s', (_what, env) => {
    start(env)
    const kept = join(home, '.cache', 'kinhold')
    expect(statSync(kept, { throwIfNoEntry: false }) === undefined ? [] : readdirSync(kept)).toEqual([])
  })
})
