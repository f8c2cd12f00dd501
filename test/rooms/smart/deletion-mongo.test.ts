/** Accounts are deleted by two processes at once that share a MongoDB: of two owners who rely on each other one stays. */
import { FixedClock, silentLog } from '#kernel'
import { openRecord } from '#record'
import { openSmart } from '#smart'
import { openMongoKeys, openMongoStore } from '#store'
import { newRecoveryCode, openVault, recoveryRoot } from '#vault'
import { openParts } from '../../../src/smart/parts.ts'
import { newMongoDatabase, stopSharedMongo, whereMongoIs } from '../../contracts/mongo-server.ts'
import { codeOf, grantOf } from './house.ts'

const dayMs = 24 * 60 * 60_000
const baseUrl = 'http://localhost'
const all = grantOf('system/*.cruds')
const root = recoveryRoot(newRecoveryCode())
const clock = new FixedClock(Date.now())

type Database = Awaited<ReturnType<typeof newMongoDatabase>>

async function openProcess({ data, keyData }: { readonly data: Database; readonly keyData: Database }) {
  const store = await openMongoStore({ uri: data.uri })
  const keys = await openMongoKeys({ uri: keyData.uri })
  const vault = await openVault({ keys, root, clock })
  const record = await openRecord({ store, vault, clock, log: silentLog, baseUrl: `${baseUrl}/fhir` })
  const { documents } = record
  const accountEnds = { erasePatient: (patient: string) => record.shred(patient), endReach: async () => undefined }
  const rooms = { record, documents, vault, clock, log: silentLog, baseUrl, accountEnds }
  const close = async () => {
    await record.close()
    vault.close()
    await Promise.all([store.close(), keys.close()])
  }
  return { record, smart: await openSmart(rooms), deletions: openParts(rooms).deletions, close }
}

whereMongoIs(() => {
  afterAll(stopSharedMongo)

  it('an account takes along what is its own, and of two owners who rely on each other one stays', async () => {
    const at = { data: await newMongoDatabase(), keyData: await newMongoDatabase() }
    const [one, other] = [await openProcess(at), await openProcess(at)]
    const { record, smart } = one
    const names = ['Anna', 'Bert', 'Cleo']
    const accounts = await Promise.all(names.map(name => smart.createAccount({ name })))
    const [anna = '', bert = '', cleo = ''] = accounts
    for (const [id, owners] of [
      ['annas', [anna]],
      ['cleos', [cleo]],
      ['shared', [anna, bert]],
    ] as const) {
      await record.writer(all).transact(txn => txn.update('Patient', id, { resourceType: 'Patient', id }))
      for (const owner of owners) await record.addPatientTo(owner, id)
    }
    // Of both it was said before the other one waited.
    const asked = { askedAtMs: clock.nowMs(), dueAtMs: clock.nowMs() + dayMs, heirs: {} }
    for (const [process, account, name] of [
      [one, anna, 'Anna'],
      [other, bert, 'Bert'],
    ] as const)
      expect(await process.deletions.ask({ ...asked, account, name, erases: ['annas'] })).toBe(true)
    expect(await codeOf(other.record.addPatientTo(anna, 'cleos'))).toBe('record.account-closed')
    clock.advance(dayMs)
    await Promise.all([one.smart.endDueAccounts(), other.smart.endDueAccounts()])
    await other.smart.endDueAccounts()
    const left = await smart.listAccounts()
    expect(left.map(({ name }) => name)).toContain('Cleo')
    expect(left).toHaveLength(2)
    const keeper = left.find(({ name }) => name !== 'Cleo')?.id ?? ''
    for (const process of [one, other]) {
      expect((await process.smart.listDeletions()).map(({ id, state }) => [id, state])).toEqual([[keeper, 'put-off']])
      expect(await process.record.keepersOf('shared')).toEqual([{ account: keeper, keeping: { role: 'owner' } }])
      expect(await process.record.patientsOf(cleo)).toEqual(['cleos'])
      expect(await process.record.keepsPatient('shared')).toBe(true)
      expect(await process.record.keepsPatient('annas')).toBe(keeper === anna)
    }
    for (const process of [one, other]) await process.close()
    for (const database of [at.data, at.keyData]) await database.remove()
  })
})
