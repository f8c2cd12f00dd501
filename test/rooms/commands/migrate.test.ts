import { loadConfig } from '#config'
import { isProblem } from '#kernel'
import { openMemoryKeys, openMemoryStore, type Store } from '#store'
import { copy } from '../../../src/commands/migrate/copy.ts'
import { compare, holdingsOf } from '../../../src/commands/migrate/digest.ts'
import { sideOf } from '../../../src/commands/migrate/sides.ts'
import {
  anna,
  append,
  ben,
  chunksOf,
  codeOf,
  id,
  pulse,
  put,
  sealedForTest,
  weight,
} from '../../contracts/store-fixtures.ts'

const quiet = () => undefined
const bytes = (text: string) => new Uint8Array(Buffer.from(text))

function newSide(store: Store = openMemoryStore()) {
  const keys = openMemoryKeys()
  return { store, keys, close: async () => undefined }
}

/** A house in which somebody moved, somebody was removed, and a page is not enough. */
async function lived() {
  const side = newSide()
  const { store, keys } = side
  await store.commit({ appends: [append(anna, 0, [pulse]), append(id('d'), 0, [weight])] })
  await store.commit({ appends: [append(ben, 0, [pulse, 3]), append(anna, 1, [pulse, 2])] })
  await store.commit({ appends: [append(id('d'), 1, [weight, 2]), append(ben, 1, [weight, 3])] })
  await store.dropCompartment(id('d'))
  const many = Array.from({ length: 1_200 }, (_, at) => [id('8', at)] as const)
  await store.commit({
    appends: [append(id('c'), 0, ...many)],
    documents: [put('aa', 'x'), put('bb', 'y', { group: 'f1', expiresAtMs: 5 })],
  })
  await store.putBlob(ben, 'scan', chunksOf('one', 'two'))
  await store.putSegment({ compartment: id('c'), fromSeq: 1, untilSeq: 600, sealed: sealedForTest('rows') })
  await keys.change({
    put: {
      keys: [
        { owner: anna, kind: 'patient', version: 1, wrapped: bytes('w'), params: { a: 1, b: 'c' }, mac: bytes('m') },
      ],
      tombstones: [{ owner: id('d'), atMs: 7 }],
      notes: [{ name: 'head', value: bytes('h') }],
    },
  })
  return side
}

type Side = Awaited<ReturnType<typeof lived>>

const held = ({ store, keys }: Side) => holdingsOf(store, keys, quiet)

/** A side that fails when it is written to for the nth time, the store or the keystore. */
function failing(to: Side, at: number): Side {
  let left = at
  const cut = <T extends object>(subject: T): T =>
    new Proxy(subject, {
      get(of, name) {
        const value: unknown = Reflect.get(of, name)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => {
          if (/^(restore|put|commit|change)/.test(String(name)) && left-- === 0) throw new Error('cut off')
          return value.apply(of, args)
        }
      },
    })
  return { ...to, store: cut(to.store), keys: cut(to.keys) }
}

describe('a house that moves', () => {
  it('is the same on both sides, and goes on as it would have', async () => {
    const [from, to] = [await lived(), newSide()]
    await copy(from, to, quiet)
    expect(await held(to)).toEqual(await held(from))
    expect(await to.store.segments(id('c'))).toEqual(await from.store.segments(id('c')))
    expect(await to.store.newest(pulse, undefined)).toEqual(await from.store.newest(pulse, undefined))
    expect(await to.store.commit({ appends: [append(ben, 2, [pulse, 4])] })).toEqual({ ok: true })
  })

  it('may be cut off anywhere: without its keys until all is there, and whole when it was begun again', async () => {
    const from = await lived()
    for (let [at, wasCut] = [0, true]; wasCut; at++) {
      const to = newSide()
      wasCut = (await codeOf(copy(from, failing(to, at), quiet))) !== 'nothing was thrown'
      expect(await to.keys.all()).toHaveLength(wasCut ? 0 : 1)
      await copy(from, to, quiet)
      expect(await held(to)).toEqual(await held(from))
      expect(at).toBeLessThan(50)
    }
  })

  it('may be cut off anywhere when it is done anew over a copy that is whole', async () => {
    const from = await lived()
    for (let [at, wasCut] = [0, true]; wasCut; at++) {
      const to = newSide()
      await copy(from, to, quiet)
      wasCut = (await codeOf(copy(from, failing(to, at), quiet))) !== 'nothing was thrown'
      await copy(from, to, quiet)
      expect(await held(to)).toEqual(await held(from))
      expect(at).toBeLessThan(50)
    }
  })

  it('takes what was changed between two attempts as it is now', async () => {
    const [from, to] = [await lived(), newSide()]
    await copy(from, to, quiet)
    await from.store.commit({
      appends: [append(anna, 2, [id('7')])],
      documents: [put('aa', 'z'), { op: 'delete', collection: 'tokens', key: 'bb' }],
    })
    await copy(from, to, quiet)
    expect(await held(to)).toEqual(await held(from))
  })

  it.each<[string, (to: Side) => Promise<unknown>]>([
    ['another entry at the same place', to => to.store.commit({ appends: [append(anna, 0, [id('9')], [id('9'), 2])] })],
    [
      'more than there is here',
      to =>
        to.store.commit({
          appends: [append(anna, 0, ...Array.from({ length: 9 }, (_, at) => [id('9', at)] as const))],
        }),
    ],
    ['a record that is not here', to => to.store.commit({ appends: [append(id('e'), 0, [id('9')])] })],
    ['documents alone', to => to.store.commit({ appends: [], documents: [put('aa', 'x')] })],
    [
      'keys of others',
      to =>
        to.keys.change({ put: { keys: [{ owner: id('e'), kind: 'k', version: 1, wrapped: bytes('w'), params: {} }] } }),
    ],
  ])('does not overwrite what is there: %s', async (_, live) => {
    const [from, to] = [await lived(), newSide()]
    await live(to)
    const before = await held(to)
    expect(await codeOf(copy(from, to, quiet))).toBe('command.migrate-foreign')
    expect(await held(to)).toEqual(before)
  })

  it.each<[string, string, (to: Side) => Promise<unknown>]>([
    ['an entry', 'digest', to => to.store.reseal(anna, [{ seq: 1, sealed: sealedForTest('other') }])],
    ['a document', 'documents, digest', to => to.store.commit({ appends: [], documents: [put('cc', 'x')] })],
    ['a chunk', 'digest', to => to.store.putBlob(ben, 'scan', chunksOf('one', 'tWo'))],
    ['a note', 'digest', to => to.keys.change({ put: { notes: [{ name: 'head', value: bytes('i') }] } })],
    ['a tombstone', 'tombstones, digest', to => to.keys.change({ dropped: { tombstones: [id('d')] } })],
  ])('is not called the same when %s is another', async (_, words, change) => {
    const [from, to] = [await lived(), newSide()]
    await copy(from, to, quiet)
    await change(to)
    const [before, after] = [await held(from), await held(to)]
    const error = (() => {
      try {
        compare(before, after)
      } catch (thrown) {
        return thrown
      }
      return undefined
    })()
    expect(isProblem(error) && [error.code, error.text]).toEqual([
      'command.migrate-unequal',
      expect.stringContaining(`: ${words}.`),
    ])
  })

  it('goes from and to what the words mean', () => {
    const { config } = loadConfig({ KINHOLD_STORE: 'mongodb://kin:hunter2@db/kin' }, { cwd: '/srv' })
    expect(sideOf(config, 'sqlite')).toMatchObject({ store: { kind: 'sqlite' }, keystore: { kind: 'sqlite' } })
    expect(sideOf(config, 'mongodb')).toMatchObject({ store: config.store, keystore: config.keystore })
    expect(sideOf(config, 'mongodb://other')).toMatchObject({
      store: { kind: 'mongodb', uri: 'mongodb://other' },
      keystore: { kind: 'mongodb', uri: 'mongodb://other', database: 'kinhold-keys' },
    })
    for (const text of ['memory', 'postgres://kin:hunter2@db', 'mongodb://', ''])
      expect(() => sideOf(config, text)).toThrow('command.migrate-unclear')
  })
})
