import { once } from 'node:events'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Home, lastLine, newHome, type Ran, run } from './server/home.ts'
import { newSmallHome, onSmallDisks, type Place, type SmallHome } from './server/small-disk.ts'
import { startServer } from './server/start-server.ts'

const longest = 600_000

/** Said in words, with the folder, its variable and what to do; nothing of a program's insides. */
function expectWords({ status, stderr }: Ran, ...words: string[]): void {
  expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/^command\.[a-z-]+: /m) })
  for (const word of words) expect(stderr).toContain(word)
  expect(stderr).not.toMatch(/^\s+at /m)
}

/** What a start says that does not come up; one that does is ended. */
async function start(home: Home): Promise<Ran> {
  try {
    const server = await startServer(home)
    const status = await server.stop()
    return { status, stdout: '', stderr: server.output() }
  } catch (error) {
    const [, status = '', stderr = ''] = /^the server ended with (\d+): ([\s\S]*)$/.exec((error as Error).message) ?? []
    return { status: Number(status), stdout: '', stderr: stderr.replace(/^warning: .*\n/gm, '') }
  }
}

const sizes = { data: 8, keys: 4, temporary: 2 }
const variables: Readonly<Record<Place, string>> = { data: 'KINHOLD_DATA', keys: 'KINHOLD_KEYS', temporary: 'TMPDIR' }
const commands = [
  ['verify'],
  ['token', '--scope', 'system/*.rs'],
  ['patient', 'list'],
  ['import', mainFileOfNothing(), '--patient', 'x'],
  ['erase', '--patient', 'x', '--yes'],
  ['rotate', 'root'],
]

function mainFileOfNothing(): string {
  return new URL('../jest.config.json', import.meta.url).pathname
}

describe('a folder in which no house can be made or opened', () => {
  it(
    'full, before there is a house: serve says so and ends; with room it starts',
    onSmallDisks(async () => {
      for (const place of ['data', 'keys'] as const) {
        const home = await newSmallHome(`start-full-${place}`, sizes)
        const empty = home.fill(place)
        expectWords(await start(home), home[place], variables[place], 'is full', 'Make room')
        empty()
        expect((await start(home)).status).toBe(0)
        await home.remove()
      }
    }),
    longest,
  )

  it(
    'read-only: serve and every command say so and end',
    onSmallDisks(async () => {
      for (const place of ['data', 'keys'] as const) {
        const home = await houseOn(place)
        expect(home.inside('mount', '-o', 'remount,ro', home[place])).toBe(0)
        expectWords(await start(home), home[place], variables[place], 'read-only')
        for (const command of commands.slice(0, 3))
          expectWords(await run(home, ...command), home[place], variables[place], 'read-only')
        await home.remove()
      }
      const home = await newSmallHome('start-temporary', sizes)
      expect(home.inside('mount', '-o', 'remount,ro', home.temporary)).toBe(0)
      expectWords(await start(home), home.temporary, 'TMPDIR', 'read-only')
      expect(await readdir(home.seen('data'))).toEqual([])
      await home.remove()
    }),
    longest,
  )

  async function houseOn(place: Place): Promise<SmallHome> {
    const home = await newSmallHome(`start-${place}`, sizes)
    expect((await start(home)).status).toBe(0)
    return home
  }

  it(
    'that is a file, or lies below one',
    async () => {
      const home = await newHome('start-file')
      await writeFile(home.keys, '')
      expectWords(await start(home), home.keys, 'KINHOLD_KEYS')
      const below = { ...home, env: { ...home.env, KINHOLD_KEYS: join(home.keys, 'below') } }
      expectWords(await start(below), join(home.keys, 'below'), 'KINHOLD_KEYS')
      await rm(home.keys)
      await mkdir(join(home.data, 'kinhold.sqlite'), { recursive: true })
      expectWords(await start(home), home.data, 'KINHOLD_DATA')
      await home.remove()
    },
    longest,
  )

  it(
    'that another process has alone: serve and every command wait, then say so',
    async () => {
      const home = await newHome('start-locked')
      expect((await start(home)).status).toBe(0)
      const other = new DatabaseSync(join(home.data, 'kinhold.sqlite'))
      other.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
      const said = await Promise.all([start(home), ...commands.slice(0, 2).map(command => run(home, ...command))])
      for (const each of said) expectWords(each, home.data, 'KINHOLD_DATA', 'in use')
      other.exec('ROLLBACK')
      other.close()
      expect(await lastLine(home, 'token', '--scope', 'system/*.rs')).not.toBe('')
      await home.remove()
    },
    longest,
  )

  it(
    'whose port is taken: serve leaves no house behind',
    async () => {
      const home = await newHome('start-port')
      const taken = createServer().listen(0, '127.0.0.1')
      await once(taken, 'listening')
      const { port } = taken.address() as { readonly port: number }
      const asked = { ...home, env: { ...home.env, KINHOLD_PORT: String(port) } }
      expectWords(await start(asked), 'command.address-taken', String(port), 'KINHOLD_PORT')
      taken.close()
      expect((await readdir(home.folder)).toSorted()).toEqual(['tmp'])
      await home.remove()
    },
    longest,
  )
})
