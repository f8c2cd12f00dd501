import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Config, loadConfig } from '#config'
import { isProblem } from '#kernel'
import { openMemoryKeys, openSqliteStore } from '#store'
import { openVault, passphraseRoot } from '#vault'
import { checkHouse, houseFiles, houseState, prepareFolders } from '../../../src/commands/folders.ts'
import { openHouse } from '../../../src/compose.ts'

let folder = ''
let homes = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kinhold-folders-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Folders that nobody has made. */
function newConfig(env: Record<string, string> = {}): Config {
  const home = join(folder, String(++homes))
  const given = {
    KINHOLD_DATA: join(home, 'data'),
    KINHOLD_KEYS: join(home, 'keys'),
    KINHOLD_LOG_LEVEL: 'silent',
    ...env,
  }
  return loadConfig(given, { cwd: home }).config
}

async function refusalOf(act: () => Promise<unknown>): Promise<{ code: string; text: string }> {
  try {
    await act()
    return { code: 'done', text: '' }
  } catch (error) {
    if (!isProblem(error)) throw error
    return { code: error.code, text: error.text }
  }
}

const make = async (config: Config) => (await openHouse(config, { make: true })).close()
const modeOf = async (path: string) => (await stat(path)).mode & 0o777

describe('where there is no house', () => {
  it('a command refuses, naming folder and variable, and makes nothing', async () => {
    const config = newConfig()
    const { code, text } = await refusalOf(() => openHouse(config))
    expect(code).toBe('command.house-absent')
    expect(text).toContain(`${config.dataDirectory} (KINHOLD_DATA)`)
    await expect(stat(config.dataDirectory)).rejects.toThrow('ENOENT')
    await expect(stat(config.keysDirectory)).rejects.toThrow('ENOENT')
  })

  it('a command refuses in an empty folder, in one with other things, and in memory', async () => {
    const empty = newConfig()
    await mkdir(empty.dataDirectory, { recursive: true })
    const other = newConfig()
    await mkdir(other.dataDirectory, { recursive: true })
    await writeFile(join(other.dataDirectory, 'notes.txt'), 'mine')
    const memory = newConfig({ KINHOLD_STORE: 'memory' })
    for (const config of [empty, other, memory])
      expect((await refusalOf(() => openHouse(config))).code).toBe('command.house-absent')
  })

  it('a start makes one, in folders that only their owner may enter', async () => {
    const config = newConfig()
    await make(config)
    expect([await modeOf(config.dataDirectory), await modeOf(config.keysDirectory)]).toEqual([0o700, 0o700])
    expect(await houseState(config)).toBe('whole')
    expect((await refusalOf(() => checkHouse(config))).code).toBe('done')
    await (await openHouse(config)).close()
  })
})

describe('folders that were there', () => {
  it.each([0o755, 0o750, 0o711])('keep the mode %o', async mode => {
    const config = newConfig()
    for (const path of [config.dataDirectory, config.keysDirectory]) {
      await mkdir(path, { recursive: true })
      await chmod(path, mode)
    }
    await make(config)
    expect([await modeOf(config.dataDirectory), await modeOf(config.keysDirectory)]).toEqual([mode, mode])
    expect(await modeOf(houseFiles(config).data)).toBe(0o600)
  })

  it.each(['KINHOLD_DATA', 'KINHOLD_KEYS'])('are refused as %s when they hold other things', async variable => {
    const config = newConfig()
    const path = variable === 'KINHOLD_DATA' ? config.dataDirectory : config.keysDirectory
    await mkdir(join(path, '.ssh'), { recursive: true })
    await chmod(path, 0o755)
    const { code, text } = await refusalOf(() => openHouse(config, { make: true }))
    expect([code, text]).toEqual(['command.folder-foreign', expect.stringContaining(`${path} (${variable})`)])
    expect(await modeOf(path)).toBe(0o755)
    expect(await houseState(config)).toBe('none')
  })

  it('are taken when all that is in them is what a file system or version control puts there', async () => {
    const config = newConfig()
    await mkdir(join(config.dataDirectory, 'lost+found'), { recursive: true })
    await writeFile(join(config.dataDirectory, '.gitkeep'), '')
    await make(config)
    expect(await houseState(config)).toBe('whole')
  })

  it('may lie one in the other', async () => {
    const data = join(folder, 'nested')
    const config = newConfig({ KINHOLD_DATA: data, KINHOLD_KEYS: join(data, 'private', 'keys') })
    await mkdir(config.keysDirectory, { recursive: true })
    await make(config)
    await (await openHouse(config)).close()
  })

  it('are refused when they are a file, or lie below one', async () => {
    const config = newConfig()
    await mkdir(join(config.dataDirectory, '..'), { recursive: true })
    await writeFile(config.dataDirectory, '')
    expect((await refusalOf(() => prepareFolders(config))).code).toBe('command.folder-foreign')
    const below = { ...config, dataDirectory: join(config.dataDirectory, 'data') }
    expect((await refusalOf(() => prepareFolders(below))).code).toBe('command.folder-unusable')
  })

  it('are refused when they belong to somebody else', async () => {
    // /proc/1 and the like are not ours to change; root owns everything here but what it gives away.
    const config = newConfig()
    await mkdir(config.dataDirectory, { recursive: true })
    const own = process.getuid
    try {
      process.getuid = () => (own?.() ?? 0) + 1
      const { code, text } = await refusalOf(() => prepareFolders(config))
      expect([code, text]).toEqual(['command.folder-foreign', expect.stringContaining('another user')])
    } finally {
      if (own !== undefined) process.getuid = own
    }
  })
})

describe('half a house', () => {
  it('that a first start left behind is finished by the next start, and by nothing else', async () => {
    const config = newConfig()
    await mkdir(config.dataDirectory, { recursive: true })
    await (await openSqliteStore({ path: houseFiles(config).data })).close()
    expect((await refusalOf(() => openHouse(config))).code).toBe('command.keys-absent')
    await writeFile(houseFiles(config).data, '') // Cut off even earlier.
    expect((await refusalOf(() => openHouse(config))).code).toBe('command.house-absent')
    await make(config)
    await (await openHouse(config)).close()
  })

  it('with files that no start has finished is named as that', async () => {
    const config = newConfig()
    await make(config)
    const other = newConfig()
    await mkdir(other.dataDirectory, { recursive: true })
    await (await openSqliteStore({ path: houseFiles(other).data })).close()
    const mixed = { ...other, keysDirectory: config.keysDirectory }
    expect((await refusalOf(() => openHouse(mixed))).code).toBe('command.house-unfinished')
  })

  it('whose keys lie elsewhere is not given new ones', async () => {
    const config = newConfig()
    await make(config)
    const elsewhere = { ...config, keysDirectory: join(folder, 'elsewhere') }
    for (const opening of [{}, { make: true }]) {
      const { code, text } = await refusalOf(() => openHouse(elsewhere, opening))
      expect([code, text]).toEqual([
        'command.keys-absent',
        expect.stringContaining(`${elsewhere.keysDirectory} (KINHOLD_KEYS)`),
      ])
    }
    await expect(stat(houseFiles(elsewhere).keys)).rejects.toThrow('ENOENT')
  })

  it('whose data lie elsewhere is not given new ones', async () => {
    const config = newConfig()
    await make(config)
    const elsewhere = { ...config, dataDirectory: join(folder, 'no-data') }
    for (const opening of [{}, { make: true }])
      expect((await refusalOf(() => openHouse(elsewhere, opening))).code).toBe('command.data-absent')
    await expect(stat(elsewhere.dataDirectory)).rejects.toThrow('ENOENT')
  })

  it('is not made with a recovery code, which opens houses that are there', async () => {
    const vault = await openVault({
      keys: openMemoryKeys(),
      root: passphraseRoot('a passphrase of many words'),
      clock: { nowMs: () => 0 },
    })
    const config = { ...newConfig(), recoveryCode: await vault.recovery.make() }
    expect((await refusalOf(() => openHouse(config, { make: true }))).code).toBe('vault.keystore-empty')
  })
})
