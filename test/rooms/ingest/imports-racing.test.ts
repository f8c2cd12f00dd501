import { Deletions } from '../../../src/ingest/deletions.ts'
import { noLongerListed } from '../../../src/ingest/listed.ts'
import type { Listing } from '../../../src/ingest/outcome.ts'
import { everything, openHouse, type TestHouse } from './house.ts'

let house: TestHouse
beforeEach(async () => {
  house = await openHouse()
})

const of = (patient: string) => ({ reference: `Patient/${patient}` })
const transact: ReturnType<TestHouse['record']['writer']>['transact'] = work =>
  house.record.writer(everything()).transact(work)

describe('what an import writes on the ground of what it has read', () => {
  it('of two lists at once the second is held against the first', async () => {
    const { documents } = house.record
    const listed = { documents, patient: house.anna, merged: [], nowMs: house.clock.nowMs() }
    const ids = ['one', 'two']
    for (const id of ids)
      await transact(txn => txn.create({ resourceType: 'Basic', code: { text: id }, subject: of(house.anna) }, { id }))
    const list = (...names: string[]) =>
      ({
        by: ['HOSP'],
        type: 'Basic',
        ids: names,
        saidMs: 1,
        said: count => ({ text: `${count} left` }),
      }) satisfies Listing
    await transact(txn => noLongerListed(txn, [list(...ids)], listed, []))
    let runs = 0
    const said = await transact(async txn => {
      runs += 1
      const left = await noLongerListed(txn, [list('two')], listed, [])
      if (runs === 1) await transact(inner => noLongerListed(inner, [list('one')], listed, []))
      return left
    })
    expect([runs, said]).toEqual([2, [{ text: '1 left' }]])
    expect(await transact(txn => noLongerListed(txn, [list('one', 'two')], listed, []))).toEqual([])
  })

  it('a deletion that another import notes meanwhile is seen by the one that was under way', async () => {
    const { documents } = house.record
    const [one, other] = [1, 2].map(() => new Deletions(documents, house.anna, [])) as [Deletions, Deletions]
    let runs = 0
    await transact(async txn => {
      runs += 1
      await one.look()
      if (runs === 1)
        await transact(async inner => {
          await other.look()
          other.keep(inner, new Map([['Observation/x', { version: '5' }]]))
        })
      one.keep(txn, new Map([['Observation/x', { version: '3' }]]))
    })
    expect(runs).toBe(2)
    await one.look()
    expect(one.of('Observation/x')).toEqual({ version: '5' })
  })

  it.each(['ingest-deletions', 'ingest-deletions-noted'])(
    'what is noted of deletions is erased with the patient: %s',
    async name => {
      const deletions = new Deletions(house.record.documents, house.anna, [])
      await transact(async txn => {
        await deletions.look()
        deletions.keep(txn, new Map([['Observation/x', { version: '5' }]]))
      })
      expect(await house.record.documents.list(name)).toHaveLength(1)
      await house.record.shred(house.anna)
      expect(await house.record.documents.list(name)).toEqual([])
    },
  )

  it('nothing is remembered of somebody who is erased while it is written', async () => {
    const { documents } = house.record
    const write = documents.write('ingest-listed', `${house.anna}/x`, {}, { group: house.anna })
    const remembering = transact(async txn => {
      txn.document(write, house.anna)
      if (await house.record.keepsPatient(house.anna)) await house.record.shred(house.anna)
    })
    await expect(remembering).rejects.toMatchObject({ code: 'record.owner-unknown' })
    expect(await documents.get('ingest-listed', `${house.anna}/x`)).toBeUndefined()
  })

  it('somebody who comes with the same transaction may be remembered', async () => {
    const { documents } = house.record
    await transact(async txn => {
      txn.document(documents.write('ingest-listed', 'carl/x', {}, { group: 'carl' }), 'carl')
      await txn.create({ resourceType: 'Patient' }, { id: 'carl' })
    })
    expect(await documents.get('ingest-listed', 'carl/x')).toBeDefined()
  })
})
