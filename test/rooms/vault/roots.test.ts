import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { systemClock } from '#kernel'
import { type KeyStore, openMemoryKeys, type WrappedKey } from '#store'
import {
  fileRoot,
  newRecoveryCode,
  nextFileRoot,
  openVault,
  passphraseRoot,
  type RootProvider,
  recoveryRoot,
} from '#vault'
import { named, problemOf } from './arrange.ts'

const open = (keys: KeyStore, root: RootProvider) => openVault({ keys, root, clock: systemClock })
const refused = named('unauthenticated', 'vault.root-refused')
const context = Buffer.from('context')
const key = (): Buffer => Buffer.alloc(32, 5)

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vault-roots-'))
})
afterAll(() => rm(folder, { recursive: true }))
const pathOf = (name: string): string => join(folder, name)

describe('every root – spec L0: wrap(key, context), unwrap', () => {
  const code = newRecoveryCode()
  const roots: [string, () => RootProvider][] = [
    ['file', () => fileRoot(pathOf('every'))],
    ['passphrase', () => passphraseRoot('correct horse battery')],
    ['recovery', () => recoveryRoot(code)],
  ]

  it.each(roots)('%s: unwraps its own, and nothing for another context', async (kind, makeRoot) => {
    const root = makeRoot()
    expect(root.kind).toBe(kind)
    const { wrapped, params } = await root.wrap(key(), context)
    expect(Buffer.from(wrapped).includes(key())).toBe(false)
    expect(Buffer.from(await makeRoot().unwrap(wrapped, params, context)).equals(key())).toBe(true)
    expect(await problemOf(() => root.unwrap(wrapped, params, Buffer.from('other')))).toBe(refused)
    const changed = Buffer.from(wrapped)
    changed[3] = (changed[3] ?? 0) ^ 1
    expect(await problemOf(() => root.unwrap(changed, params, context))).toBe(refused)
  })
})

describe('key file', () => {
  it('is created with 32 random bytes that only its owner may read', async () => {
    await open(openMemoryKeys(), fileRoot(pathOf('new')))
    const { mode, size } = await stat(pathOf('new'))
    expect([mode & 0o777, size]).toEqual([0o600, 32])
    await open(openMemoryKeys(), fileRoot(pathOf('new-too')))
    expect((await readFile(pathOf('new'))).equals(await readFile(pathOf('new-too')))).toBe(false)
  })

  it('is used as it is when it exists', async () => {
    await writeFile(pathOf('mine'), Buffer.alloc(32, 8), { mode: 0o600 })
    const keys = openMemoryKeys()
    const { instanceId } = await open(keys, fileRoot(pathOf('mine')))
    expect((await open(keys, fileRoot(pathOf('mine')))).instanceId).toBe(instanceId)
    expect((await readFile(pathOf('mine'))).equals(Buffer.alloc(32, 8))).toBe(true)
  })

  it.each([0o640, 0o604, 0o620, 0o660, 0o644])('is refused when its mode is %o', async mode => {
    const keys = openMemoryKeys()
    const path = pathOf(`mode-${mode}`)
    await open(keys, fileRoot(path))
    await chmod(path, mode)
    expect(await problemOf(() => open(keys, fileRoot(path)))).toBe(named('fault', 'vault.key-file-readable'))
    await chmod(path, 0o400)
    expect((await open(keys, fileRoot(path))).created).toBe(false)
  })

  it('is not created anew for a keystore that needs the one it had', async () => {
    const keys = openMemoryKeys()
    await open(keys, fileRoot(pathOf('lost')))
    await rm(pathOf('lost'))
    const missing = named('fault', 'vault.key-file-missing')
    expect(await problemOf(() => open(keys, fileRoot(pathOf('lost'))))).toBe(missing)
    await expect(stat(pathOf('lost'))).rejects.toThrow('ENOENT')
  })

  it.each([0, 31, 33, 64])('is refused when it holds %i bytes', async size => {
    await writeFile(pathOf(`size-${size}`), Buffer.alloc(size, 1), { mode: 0o600 })
    const malformed = named('fault', 'vault.key-file-malformed')
    expect(await problemOf(() => open(openMemoryKeys(), fileRoot(pathOf(`size-${size}`))))).toBe(malformed)
  })

  it('is replaced by another, and whichever opens the keystore is found when that was cut off', async () => {
    const opens = async (keys: KeyStore, path: string) => problemOf(() => open(keys, fileRoot(path)))
    for (const cutOff of ['before the keystore knew', 'before the file was in place', 'never'] as const) {
      const [keys, path] = [openMemoryKeys(), pathOf(`replaced ${cutOff}`)]
      const vault = await open(keys, fileRoot(path))
      const before = await readFile(path)
      const { root, settle } = nextFileRoot(path)
      if (cutOff === 'before the keystore knew') await root.wrap(key(), context)
      else await vault.rotateRoot(root)
      if (cutOff === 'never') await settle()
      expect([cutOff, await opens(keys, path), await opens(keys, path)]).toEqual([cutOff, 'no problem', 'no problem'])
      expect((await readFile(path)).equals(before)).toBe(cutOff === 'before the keystore knew')
      await (await open(keys, fileRoot(path))).rotateRoot(nextFileRoot(path).root)
      expect([cutOff, await opens(keys, path)]).toEqual([cutOff, 'no problem'])
    }
  })

  it("is refused when it is another keystore's", async () => {
    const keys = openMemoryKeys()
    await open(keys, fileRoot(pathOf('a')))
    await open(openMemoryKeys(), fileRoot(pathOf('b')))
    expect(await problemOf(() => open(keys, fileRoot(pathOf('b'))))).toBe(refused)
  })
})

describe('passphrase – OWASP Password Storage Cheat Sheet, Argon2id', () => {
  const passphrase = 'Grüße aus dem Keller'
  let keys: KeyStore
  let row: WrappedKey
  beforeAll(async () => {
    keys = openMemoryKeys()
    await open(keys, passphraseRoot(passphrase))
    const [first] = await keys.of('instance')
    if (first === undefined) throw new Error('no instance key')
    row = first
  })
  const unwrapWith = (params: Record<string, string | number>) =>
    problemOf(() => passphraseRoot(passphrase).unwrap(row.wrapped, { ...row.params, ...params }, context))

  it('is stretched with 64 MiB and 3 passes over a random salt', () => {
    expect(row.params).toMatchObject({ kdf: 'argon2id', memoryKiB: 65_536, passes: 3, parallelism: 1 })
    expect(row.params.salt).toMatch(/^[0-9a-f]{32}$/)
  })

  it('opens the keystore again, however its characters are composed', async () => {
    expect((await open(keys, passphraseRoot(passphrase.normalize('NFD')))).created).toBe(false)
  })

  it('is refused when it is wrong', async () => {
    expect(await problemOf(() => open(keys, passphraseRoot(`${passphrase}!`)))).toBe(refused)
  })

  it.each<[string, Record<string, string | number>]>([
    ['memory below 19 MiB', { memoryKiB: 19 * 1024 - 1 }],
    ['one pass', { passes: 1 }],
    ['no lane', { parallelism: 0 }],
    ['half a pass', { passes: 2.5 }],
    ['no number', { memoryKiB: '65536' }],
    ['another function', { kdf: 'argon2i' }],
    ['a short salt', { salt: '00' }],
  ])('is not stretched with %s', async (_what, params) => {
    expect(await unwrapWith(params)).toBe(named('fault', 'vault.kdf-too-weak'))
  })

  it('is not stretched at costs that nobody chooses', async () => {
    for (const params of [{ memoryKiB: 2 ** 32 }, { passes: 10_000 }, { parallelism: 2 ** 20 }])
      expect(await unwrapWith(params)).toBe(named('fault', 'vault.kdf-too-costly'))
  })

  it("accepts OWASP's floor itself, and then fails for the other cost only because the key differs", async () => {
    expect(await unwrapWith({ memoryKiB: 19 * 1024, passes: 2 })).toBe(refused)
  })

  it('has at least eight characters', async () => {
    expect(await problemOf(() => passphraseRoot('seven c'))).toBe(named('invalid', 'vault.passphrase-too-short'))
  })
})

describe('recovery code – 160 bits, Crockford base32', () => {
  const malformed = named('invalid', 'vault.recovery-code-malformed')

  it('is eight groups of five characters that paper does not confuse', () => {
    const codes = Array.from({ length: 200 }, () => newRecoveryCode())
    for (const code of codes) expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{5}-){7}[0-9A-HJKMNP-TV-Z]{5}$/)
    expect(new Set(codes).size).toBe(200)
  })

  it('opens the keystore in whatever way it is typed', async () => {
    const keys = openMemoryKeys()
    const code = newRecoveryCode()
    await open(keys, recoveryRoot(code))
    const spellings = [
      code.toLowerCase(),
      code.replaceAll('-', ''),
      ` ${code.replaceAll('-', ' ')}\n`,
      code.replaceAll('0', 'O').replaceAll('1', 'I'),
      code.replaceAll('0', 'o').replaceAll('1', 'l'),
    ]
    for (const spelling of spellings) expect((await open(keys, recoveryRoot(spelling))).created).toBe(false)
  })

  it('is refused when any one character is another, and not tried', async () => {
    const code = newRecoveryCode()
    const typo = fc.tuple(fc.nat(code.length - 1), fc.constantFrom(...'0123456789ABCDEFGHJKMNPQRSTVWXYZ'))
    await fc.assert(
      fc.asyncProperty(typo, async ([at, character]) => {
        fc.pre(code[at] !== '-' && code[at] !== character)
        expect(await problemOf(() => recoveryRoot(code.slice(0, at) + character + code.slice(at + 1)))).toBe(malformed)
      }),
      { numRuns: 300 },
    )
  })

  it.each(['', '7ZK3M', 'U'.repeat(40), '!'.repeat(40), '0'.repeat(40)])('refuses %j', async code => {
    expect(await problemOf(() => recoveryRoot(code))).toBe(malformed)
  })

  it('is refused when it is sound but not the one of this keystore', async () => {
    const keys = openMemoryKeys()
    await open(keys, recoveryRoot(newRecoveryCode()))
    expect(await problemOf(() => open(keys, recoveryRoot(newRecoveryCode())))).toBe(refused)
  })
})
