import type { Txn } from '#record'
import { claimsOf } from '../../../src/ingest/identity/claims.ts'
import { identify, likely } from '../../../src/ingest/identity/identify.ts'
import { metWhile, mostMetMs } from '../../turns.ts'
import { baseUrl, createPatient, everything, openHouse, type TestHouse } from './house.ts'

const number = { system: 'urn:oid:1.2', value: '1', type: { coding: [{ code: 'MR' }] } }
const many = 40
const names = Array.from({ length: 8 }, (_, at) => ({ family: 'Sample', given: [`Given${'abcdefgh'[at]}`] }))

let house: TestHouse
beforeAll(async () => {
  house = await openHouse()
  for (let at = 0; at < many; at++)
    await createPatient(house.record, {
      name: names.map(({ family, given }) => ({ family: `${family}`, given: [`${given[0]}${at}`] })),
      birthDate: '1980-02-03',
      ...(at === 0 ? { identifier: [number] } : {}),
    })
})

const claims = claimsOf({ identifier: [number], name: names, birthDate: '1980-02-03' })
const asking = { grant: everything(), baseUrl }

/** Counts how often each is read. */
const counting = (txn: Txn, reads: Map<string, number>): Txn =>
  new Proxy(txn, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      return (...given: unknown[]) => {
        if (name === 'read') reads.set(String(given[1]), (reads.get(String(given[1])) ?? 0) + 1)
        return Reflect.apply(member, target, given)
      }
    },
  })

describe('whom a description may be about', () => {
  it('each candidate is read once, however many questions find them', async () => {
    const reads = new Map<string, number>()
    await house.record.writer(everything()).transact(async txn => {
      reads.clear()
      const counted = counting(txn, reads)
      await identify(counted, claims, asking)
      await likely(counted, claims, asking)
    })
    expect(reads.size).toBe(many)
    expect(new Set(reads.values())).toEqual(new Set([1]))
  })

  it('others have their turns meanwhile', async () => {
    const looking = () =>
      house.record.writer(everything()).transact(async txn => {
        await identify(txn, claims, asking)
        return likely(txn, claims, asking)
      })
    const { metMs } = await metWhile(looking)
    expect(metMs).toBeLessThan(mostMetMs)
  })

  it('of many names so many words count as a person has, each name once', () => {
    const word = (at: number) =>
      `Name${String.fromCharCode(97 + (at % 26))}${String.fromCharCode(97 + Math.floor(at / 26))}`
    const all = Array.from({ length: 300 }, (_, at) => ({ family: word(at), given: ['Ann'] }))
    expect(claimsOf({ name: all }).names).toEqual(all.slice(0, 12))
    expect(claimsOf({ name: [all[0], all[0], all[1]] }).names).toEqual(all.slice(0, 2))
    const long = { family: Array.from({ length: 60 }, (_, at) => word(at)).join(' '), given: [] }
    expect(claimsOf({ name: [long, all[0]] }).names).toEqual([{ ...long, family: long.family.slice(0, 200) }])
  })
})
