import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Home, newHome, run } from './server/home.ts'

const sample = new URL('../../samples/oru-r01.hl7', import.meta.url).pathname

const commands: readonly (readonly string[])[] = [
  ['verify'],
  ['reindex'],
  ['token', '--scope', 'system/*.cruds'],
  ['import', sample, '--patient', 'p'],
  ['patient', 'create', '--family', 'Lindqvist'],
  ['patient', 'list'],
  ['patient', 'list', '--names'],
  ['patient', 'edit', 'p', '--family', 'Lindqvist'],
  ['patient', 'attach', 'p', '--account', 'anna'],
  ['account', 'create', 'anna'],
  ['account', 'list'],
  ['account', 'reset', 'anna'],
  ['account', 'delete', 'anna'],
  ['account', 'delete', 'anna', '--take-back'],
  ['account', 'deletions'],
  ['account', 'quota', 'anna'],
  ['client', 'list'],
  ['client', 'approve', 'c'],
  ['client', 'end', 'c'],
  ['recovery', 'new'],
  ['recovery', 'try'],
  ['recover'],
  ['rotate', 'all'],
  ['erase', '--patient', 'p', '--yes'],
  ['erase', '--list'],
  ['review', 'list'],
  ['letters', 'list'],
  ['terminology', 'list'],
  ['doctor'],
]

describe('a folder without a house', () => {
  let home: Home
  beforeAll(async () => {
    home = await newHome('absent')
  })
  afterAll(() => home.remove())

  it.each(commands.map(args => [args.join(' '), args] as const))('is not made one by %s', async (_line, args) => {
    const { status, stdout, stderr } = await run(home, ...args)
    expect(status).toBe(1)
    expect(stdout + stderr).toContain(`${home.data} (KINHOLD_DATA)`)
    expect(await readdir(home.folder)).toEqual(['tmp'])
  })

  it('is left as it was when it holds what is not ours, also by serve', async () => {
    const path = join(home.folder, 'thesis.txt')
    await writeFile(path, 'mine')
    const foreign = { ...home, env: { ...home.env, KINHOLD_DATA: home.folder, KINHOLD_KEYS: home.folder } }
    for (const args of [['serve'], ['verify'], ['certificate'], ['certificate', 'client', 'Laboratory']]) {
      const { status, stderr } = await run(foreign, ...args)
      expect([status, stderr]).toEqual([1, expect.stringMatching(/\(KINHOLD_(DATA|KEYS)\)/)])
    }
    expect((await readdir(home.folder)).toSorted()).toEqual(['thesis.txt', 'tmp'])
    expect(await readFile(path, 'utf8')).toBe('mine')
  })
})
