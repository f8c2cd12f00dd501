import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const main = new URL('../../../src/main.ts', import.meta.url).pathname

/** Notes every module that is loaded: https://nodejs.org/api/module.html#synchronous-hooks-accepted-by-moduleregisterhooks */
const noting = `
  import { registerHooks } from 'node:module'
  import { writeFileSync } from 'node:fs'
  const loaded = []
  registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context) } })
  process.on('exit', () => writeFileSync(process.env.LOADED, loaded.join('\\n')))`

/** The rooms of which a command loads anything, where there is no house to open. */
function roomsLoadedBy(...args: string[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'kinhold-loading-'))
  const LOADED = join(folder, 'loaded')
  const preload = `--import=data:text/javascript,${encodeURIComponent(noting)}`
  const folders = { KINHOLD_DATA: join(folder, 'data'), KINHOLD_KEYS: join(folder, 'keys') }
  spawnSync(process.execPath, [preload, main, ...args], { env: { ...process.env, ...folders, LOADED } })
  const rooms = readFileSync(LOADED, 'utf8').matchAll(/\/src\/([a-z]+)\//g)
  rmSync(folder, { recursive: true })
  return [...new Set([...rooms].map(([, room = '']) => room))].toSorted()
}

const aboveTheRecord = ['validation', 'interactions', 'ingest', 'smart', 'share', 'http', 'certificates', 'web']

describe('a command that looks for a house loads', () => {
  it.each([
    [['verify']],
    [['reindex']],
    [['rotate', 'instance']],
    [['recovery', 'new']],
    [['patient', 'list']],
    [['account', 'list']],
    [['client', 'list']],
    [['token', '--scope', 'system/*.rs']],
  ])('nothing above the record for %j until there is one', args => {
    const rooms = roomsLoadedBy(...args)
    expect(rooms).toContain('record')
    expect(rooms.filter(room => aboveTheRecord.includes(room))).toEqual([])
  })

  it('no room but what is said to everybody for help', () => {
    expect(roomsLoadedBy('--help')).toEqual(['commands', 'kernel'])
  })
})
