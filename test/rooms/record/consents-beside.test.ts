/** Consents of a house that two processes serve, kept in memory and in a SQLite file. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openMemoryStore, openSqliteStore, type Store } from '#store'
import { consentsInTwoProcesses } from './consents-beside.ts'
import { openTestRecord } from './family.ts'

const folder = mkdtempSync(join(tmpdir(), 'kinhold-consents-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let files = 0

async function openTwo(store: Store, other: Store) {
  const house = await openTestRecord(store)
  const beside = await house.beside({ store: other })
  const close = async () => {
    await Promise.all([house.record.close(), beside.close()])
    await Promise.all([...new Set([store, other])].map(each => each.close()))
  }
  return { one: house.record, other: beside, close }
}

describe('a Consent of a house in memory', () => {
  consentsInTwoProcesses(() => {
    const store = openMemoryStore()
    return openTwo(store, store)
  })
})

describe('a Consent of a house in a file', () => {
  consentsInTwoProcesses(async () => {
    const path = join(folder, `${++files}.db`)
    return openTwo(await openSqliteStore({ path }), await openSqliteStore({ path }))
  })
})
