import {
  baseUrl,
  create,
  everything,
  grantOf,
  heartRate,
  ids,
  ofPatient,
  openTestRecord,
  patient,
  potassium,
  queryOf,
} from './family.ts'

const all = everything()

async function household() {
  const { record, store } = await openTestRecord()
  const amsel = (await create(record, all, patient('Amsel'))).id
  const drossel = (await create(record, all, patient('Drossel'))).id
  const own = (await create(record, all, heartRate(amsel, 61))).id
  const secret = (await create(record, all, heartRate(drossel, 140))).id
  return { record, store, amsel, drossel, secret, own }
}

describe('what a grant does not reach does not exist for it', () => {
  it('reads, versions and histories of another patient answer as for an id that never was', async () => {
    const { record, amsel, secret } = await household()
    const reader = record.reader(ofPatient(amsel))
    for (const id of [secret, 'never-was']) {
      await expect(reader.read('Observation', id)).rejects.toMatchObject({ code: 'record.unknown', kind: 'not-found' })
      await expect(reader.vread('Observation', id, '1')).rejects.toMatchObject({ code: 'record.unknown' })
      await expect(reader.history({ type: 'Observation', id, count: 5 })).rejects.toMatchObject({
        code: 'record.unknown',
      })
    }
  })

  it('searches find only its own, whatever the parameters ask', async () => {
    const { record, amsel, drossel, own, secret } = await household()
    const grant = ofPatient(amsel)
    expect(await ids(record, grant, 'Observation', '')).toEqual([own])
    expect(await ids(record, grant, 'Observation', `patient=${drossel}`)).toEqual([])
    expect(await ids(record, grant, 'Observation', `_id=${secret},${own}`)).toEqual([own])
    expect(await ids(record, grant, 'Patient', '_has:Observation:patient:value-quantity=gt100')).toEqual([])
    expect(await ids(record, grant, 'Observation', 'patient.name=Drossel')).toEqual([])
  })

  // https://hl7.org/fhir/R4/search.html#combining – the values of a parameter are alternatives of one criterion.
  it('a match is told once, in however many ways a search names its patient', async () => {
    for (const searchedApart of [0, 64]) {
      const { record } = await openTestRecord(undefined, undefined, { searchedApart })
      const amsel = (await create(record, all, patient('Amsel'), 'amsel')).id
      const own = (await create(record, all, heartRate(amsel, 61))).id
      const written = [amsel, `Patient/${amsel}`, `${baseUrl}/Patient/${amsel}`, amsel].join()
      for (const grant of [all, ofPatient(amsel)])
        for (const name of ['patient', 'subject'])
          expect(await ids(record, grant, 'Observation', `${name}=${written}`)).toEqual([own])
    }
  })

  it('writes and deletes do not touch another patient', async () => {
    const { record, amsel, secret } = await household()
    const writer = record.writer(ofPatient(amsel))
    expect(await writer.transact(txn => txn.delete('Observation', secret))).toBeUndefined()
    expect(await writer.transact(txn => txn.read('Observation', secret))).toBeUndefined()
    expect(await writer.transact(txn => txn.existing('Observation', [secret]))).toEqual(new Set())
    expect((await record.reader(all).read('Observation', secret)).version).toBe(1)
  })

  it('histories of a type and of the system hold only its own', async () => {
    const { record, amsel, own } = await household()
    const reader = record.reader(ofPatient(amsel))
    const ofType = await reader.history({ type: 'Observation', count: 10 })
    expect(ofType.items.map(({ id }) => id)).toEqual([own])
    const ofAll = await reader.history({ count: 10 })
    expect(ofAll.items.map(({ id }) => id)).toEqual([own, amsel])
  })
})

describe('granular scopes – SMART App Launch 2.2, scopes', () => {
  const vital = 'patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|vital-signs'

  it('read, search and history show the category alone', async () => {
    const { record, amsel, own } = await household()
    const laboratory = (await create(record, all, potassium(amsel, 4.1))).id
    const grant = ofPatient(amsel, vital)
    const reader = record.reader(grant)
    expect((await reader.read('Observation', own)).id).toBe(own)
    await expect(reader.read('Observation', laboratory)).rejects.toMatchObject({ code: 'record.unknown' })
    expect(await ids(record, grant, 'Observation', '')).toEqual([own])
    expect((await reader.history({ type: 'Observation', count: 10 })).items.map(({ id }) => id)).toEqual([own])
  })

  it('each old version is judged by what it says itself', async () => {
    const { record, amsel, own } = await household()
    await record.writer(all).transact(txn => txn.update('Observation', own, potassium(amsel, 4.2)))
    const reader = record.reader(ofPatient(amsel, vital))
    expect((await reader.vread('Observation', own, '1')).version).toBe(1)
    await expect(reader.vread('Observation', own, '2')).rejects.toMatchObject({ code: 'record.unknown' })
    expect((await reader.history({ type: 'Observation', id: own, count: 9 })).items.map(item => item.version)).toEqual([
      1,
    ])
  })

  it('a type without a scope is refused before anything is looked up: scope.missing', async () => {
    const { record, amsel, own } = await household()
    const reader = record.reader(ofPatient(amsel, 'patient/Condition.rs'))
    await expect(reader.read('Observation', own)).rejects.toMatchObject({ kind: 'forbidden', code: 'scope.missing' })
    expect(() => queryOf(ofPatient(amsel, vital), 'Observation', 'subject:Patient.name=x')).toThrow('scope.missing')
  })
})

describe('the commons under the scopes of one patient, or of an account', () => {
  it('show what the own record refers to, and nothing else', async () => {
    const { record, amsel, drossel } = await household()
    const mine = (await create(record, all, { resourceType: 'Practitioner', name: [{ family: 'Specht' }] })).id
    const theirs = (await create(record, all, { resourceType: 'Practitioner', name: [{ family: 'Kauz' }] })).id
    const seenBy = (id: string) => [{ reference: `Practitioner/${id}` }]
    await create(record, all, { ...heartRate(amsel, 60), performer: seenBy(mine) })
    await create(record, all, { ...heartRate(drossel, 60), performer: seenBy(theirs) })
    const grant = ofPatient(amsel, 'patient/*.rs')
    expect((await record.reader(grant).read('Practitioner', mine)).id).toBe(mine)
    await expect(record.reader(grant).read('Practitioner', theirs)).rejects.toMatchObject({ code: 'record.unknown' })
    expect(await ids(record, grant, 'Practitioner', '')).toEqual([mine])
    expect(await ids(record, grantOf('user/*.rs', { patients: [amsel] }), 'Practitioner', '')).toEqual([mine])
    expect((await ids(record, all, 'Practitioner', '')).length).toBe(2)
  })
})

describe('pages', () => {
  it('do not shift when the record changes between them, and lead back', async () => {
    const { record, amsel } = await household()
    const grant = ofPatient(amsel)
    for (let value = 70; value < 78; value++)
      await create(record, all, heartRate(amsel, value, `2026-01-0${value - 69}T00:00:00Z`))
    const query = queryOf(grant, 'Observation', 'code=8867-4&_sort=-date&_count=4')
    const reader = record.reader(grant)
    const first = await reader.search(query)
    await create(record, all, heartRate(amsel, 200, '2026-02-02T00:00:00Z'))
    const second = await reader.search(query, first.next)
    const third = await reader.search(query, second.next)
    const seen = [first, second, third].flatMap(page => page.matches.map(({ id }) => id))
    expect(seen.length).toBe(9)
    expect(new Set(seen).size).toBe(9)
    expect(third.next).toBeUndefined()
    const back = await reader.search(query, second.previous)
    expect(back.matches.map(({ id }) => id)).toEqual(first.matches.map(({ id }) => id))
    expect(await reader.openCursor(first.next ?? '')).toMatchObject({ type: 'Observation', text: query.text })
  })

  it('of a search of any length are short, and keep what is long once for all of them', async () => {
    const { record, amsel, store } = await household()
    const grant = ofPatient(amsel)
    for (let value = 1; value <= 7; value++) await create(record, all, heartRate(amsel, value))
    await record.flush()
    const query = queryOf(grant, 'Observation', `_count=2&code=8867-4,${'é'.repeat(20_000)}`)
    const reader = record.reader(grant)
    const before = (await store.stats()).documents
    const links: string[] = []
    const seen: string[] = []
    for (let cursor: string | undefined; ; ) {
      const page = await reader.search(query, cursor)
      seen.push(...page.matches.map(({ id }) => id))
      links.push(...[page.self, page.next, page.previous, page.first].filter(link => link !== undefined))
      if (page.self !== undefined) expect((await reader.search(query, page.self)).matches).toEqual(page.matches)
      cursor = page.next
      if (cursor === undefined) break
    }
    expect(new Set(seen).size).toBe(8)
    expect(Math.max(...links.map(link => link.length))).toBeLessThan(1_500)
    expect((await store.stats()).documents - before).toBe(1)
  })

  it('refuse a cursor of another grant, of another query, or one that was touched: record.cursor-invalid', async () => {
    const { record, amsel } = await household()
    const grant = ofPatient(amsel)
    for (const value of [1, 2, 3]) await create(record, all, heartRate(amsel, value))
    const query = queryOf(grant, 'Observation', '_count=2')
    const { next = '' } = await record.reader(grant).search(query)
    const touched = (next[0] === 'A' ? 'B' : 'A') + next.slice(1)
    const other = ofPatient(amsel)
    const refused = { kind: 'invalid', code: 'record.cursor-invalid' }
    await expect(record.reader(other).search(queryOf(other, 'Observation', '_count=2'), next)).rejects.toMatchObject(
      refused,
    )
    await expect(record.reader(grant).search(query, touched)).rejects.toMatchObject(refused)
    await expect(record.reader(grant).search(queryOf(grant, 'Observation', '_count=1'), next)).rejects.toMatchObject(
      refused,
    )
    await expect(record.reader(grant).history({ count: 3, cursor: next })).rejects.toMatchObject(refused)
    await expect(record.reader(grant).openCursor('')).rejects.toMatchObject(refused)
  })

  it('of histories follow one another without gap or repetition', async () => {
    const { record, amsel, clock } = { ...(await household()), clock: undefined }
    expect(clock).toBeUndefined()
    for (const value of [1, 2, 3, 4, 5]) await create(record, all, heartRate(amsel, value))
    const reader = record.reader(all)
    const seen: string[] = []
    for (let cursor: string | undefined, pages = 0; pages < 20; pages++) {
      const page = await reader.history({ count: 3, ...(cursor === undefined ? {} : { cursor }) })
      seen.push(...page.items.map(({ type, id }) => `${type}/${id}`))
      cursor = page.next
      if (cursor === undefined) break
    }
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen.length).toBe(9)
  })
})
