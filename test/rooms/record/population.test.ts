import type { Grant } from '#access'
import type { Resource } from '#fhir'
import type { HistoryPage, HistoryRequest, Record, SearchPage } from '#record'
import { openMemoryKeys, openMemoryStore, type Store } from '#store'
import {
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
  remove,
  type TestRecord,
  update,
} from './family.ts'

const all = everything()
/** Every search by the index of all compartments, or none. */
const together = { searchedApart: 0 }
const apart = { searchedApart: Number.POSITIVE_INFINITY }

/** All slices of the index of all are in memory, some, or one at a time. */
const rooms = [
  ['all of it in memory', {}],
  ['some slices of it', { populationBytes: 120_000 }],
  ['a slice at a time', { populationBytes: 1 }],
] as const
const few = rooms.slice(0, 2)

const named = (id: string, family: string): Resource => ({
  ...patient(family),
  id,
  identifier: [{ system: 'urn:mrn', value: `mrn-${id}` }],
})

/** A dozen patients with what belongs to one, to two, to an account and to nobody; of some there are several versions. */
async function village(record: Record, count = 12): Promise<string[]> {
  const who = Array.from({ length: count }, (_, at) => `p${at}`)
  const doctors: string[] = []
  for (const family of ['Kauz', 'Specht'])
    doctors.push((await create(record, all, { resourceType: 'Practitioner', name: [{ family }] })).id)
  for (const [at, id] of who.entries()) await update(record, all, named(id, at % 2 ? 'Amsel' : 'Drossel'))
  for (const [at, id] of who.entries()) {
    await record.writer(all).transact(async txn => {
      for (let n = 0; n < 4; n++) await txn.create(heartRate(id, 60 + at + n, `2026-01-0${1 + n}T08:00:00Z`))
      const performer = [{ reference: `Practitioner/${doctors[at % 2]}` }]
      await txn.create({ ...potassium(id, 4), performer })
    })
    const other = who[(at + 1) % count]
    const participant = [id, other].map(each => ({ actor: { reference: `Patient/${each}` }, status: 'accepted' }))
    if (at % 3 === 0 && at > 0)
      await create(record, all, { resourceType: 'Appointment', status: 'booked', participant })
  }
  const family = grantOf('user/*.cruds', { account: 'family', patients: who.slice(0, 2) })
  await create(record, family, { resourceType: 'Basic', code: { text: 'of the house' } })
  const within = { resourceType: 'Patient', id: 'm', name: [{ family: 'Amsel' }] }
  await create(record, all, {
    ...potassium('', 4),
    subject: { reference: '#m' },
    contained: [within],
  } as Resource)
  const changed = await create(record, all, heartRate('p1', 99))
  await update(record, all, { ...heartRate('p1', 100), id: changed.id })
  await remove(record, all, 'Observation', (await create(record, all, heartRate('p2', 99))).id)
  return who
}

const questions: readonly (readonly [string, string])[] = [
  ['Patient', 'family=amsel&_sort=_id'],
  ['Patient', 'identifier=urn:mrn|mrn-p3'],
  ['Patient', '_has:Observation:subject:value-quantity=gt70&_count=3'],
  ['Patient', '_sort=-family,birthdate&_count=5&_revinclude=Observation:subject'],
  ['Observation', 'code=http://loinc.org|8867-4&_sort=-date&_count=7&_total=accurate'],
  ['Observation', 'patient.identifier=urn:mrn|mrn-p3&_include=Observation:subject'],
  ['Observation', 'subject:Patient.family=Drossel&value-quantity=lt64&_summary=count'],
  ['Observation', 'performer:Practitioner.name=Kauz&_include=*&_count=4'],
  ['Observation', 'code:not=8867-4&date:missing=false&_sort=subject'],
  ['Observation', 'patient=p1&_total=accurate'],
  ['Observation', 'patient.family=amsel&code=2823-3&_total=accurate'],
  ['Observation', 'patient.family=nobody'],
  ['Appointment', '_total=accurate&_include=Appointment:patient'],
  ['Appointment', 'patient.family=amsel'],
  ['Practitioner', '_sort=name'],
  ['Basic', ''],
]

const grants: Readonly<{ [seen: string]: Grant }> = {
  everything: all,
  'an account': grantOf('user/*.cruds', { account: 'family', patients: ['p0', 'p1', 'p2'] }),
  'many patients': grantOf('user/*.rs', {
    account: 'clinic',
    patients: Array.from({ length: 10 }, (_, at) => `p${at}`),
  }),
  'one patient': ofPatient('p3'),
  'vital signs of all': grantOf(
    'system/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|vital-signs system/Patient.rs system/Practitioner.rs system/Appointment.rs system/Basic.rs',
  ),
}

/** All pages of a search, with the order and the texts of what they show. */
async function pages(record: Record, grant: Grant, type: string, text: string) {
  const query = queryOf(grant, type, text)
  const shown: unknown[] = []
  let cursor: string | undefined
  do {
    const page: SearchPage = await record.reader(grant).search(query, cursor)
    const texts = (of: SearchPage['matches']) => of.map(({ json }) => json.toString('utf8'))
    shown.push([page.total, page.unreadable, texts(page.matches), texts(page.included)])
    cursor = page.next
  } while (cursor !== undefined)
  return shown
}

describe.each(rooms)('a search of many, %s', (_name, room) => {
  let house: TestRecord
  let one: Record
  let each: Record
  beforeAll(async () => {
    house = await openTestRecord(openMemoryStore(), openMemoryKeys(), room)
    await village(house.record)
    one = await house.beside(together)
    each = await house.beside(apart)
  })
  afterAll(() => Promise.all([one.close(), each.close(), house.record.close()]))

  it.each(Object.keys(grants))('answers as a search of each by itself does: %s', async seen => {
    const grant = grants[seen] as Grant
    for (const [type, text] of questions)
      expect([text, await pages(one, grant, type, text)]).toEqual([text, await pages(each, grant, type, text)])
  })

  it('finds the records of access of everybody, and of one those of one', async () => {
    await house.record.flush()
    for (const grant of [grantOf('system/*.rs'), ofPatient('p3', 'patient/*.rs')]) {
      const found = []
      for (const record of [one, each]) {
        const query = queryOf(grant, 'AuditEvent', 'subtype=create,transaction&_sort=date&_count=500')
        found.push((await record.reader(grant).search(query)).matches.map(({ id }) => id))
      }
      expect(found[0]).toEqual(found[1])
      expect(found[0]?.length).toBeGreaterThan(1)
    }
  })

  it('sees what this process writes at once, and what others do at the next question', async () => {
    const count = async (record: Record) =>
      (await record.reader(all).search(queryOf(all, 'Observation', 'code=8867-4&_summary=count'))).total ?? 0
    const before = await count(one)
    const made = await create(one, all, heartRate('p5', 50))
    expect(await count(one)).toBe(before + 1)
    const newcomer = await create(each, all, patient('Zeisig'))
    await create(each, all, heartRate(newcomer.id, 51))
    await update(each, all, { ...potassium('p5', 4), id: made.id })
    expect(await count(one)).toBe(before + 1)
    expect(await ids(one, all, 'Patient', 'family=Zeisig')).toEqual([newcomer.id])
    await remove(each, all, 'Patient', newcomer.id)
    expect(await ids(one, all, 'Patient', 'family=Zeisig')).toEqual([])
    await Promise.all([1, 2, 3, 4].map(value => create(value % 2 ? one : each, all, heartRate('p6', value))))
    expect(await count(one)).toBe(await count(each))
  })
})

describe.each(few)('a page link of a search of many, %s', (_name, room) => {
  const openTest = () => openTestRecord(openMemoryStore(), openMemoryKeys(), room)

  const search = (record: Record, cursor?: string) =>
    record.reader(all).search(queryOf(all, 'Observation', 'code=8867-4&_sort=-date&_count=5'), cursor)

  /** The ids on the pages from a link on. */
  async function rest(record: Record, next: string | undefined): Promise<string[]> {
    const found: string[] = []
    for (let cursor = next; cursor !== undefined; ) {
      const page = await search(record, cursor)
      found.push(...page.matches.map(({ id }) => id))
      cursor = page.next
    }
    return found
  }

  it('goes on where it was, whoever writes meanwhile, also after a restart and in another process', async () => {
    const { record, beside, again, clock } = await openTest()
    const who = await village(record)
    const first = await search(record)
    const expected = await rest(record, first.next)
    expect(expected.length).toBeGreaterThan(30)
    clock.advance(1_000)
    for (const id of who) await create(record, all, heartRate(id, 80, '2026-02-02T08:00:00Z'))
    const [changed, gone] = expected
    await update(record, all, { ...potassium('p0', 5), id: changed ?? '' })
    await remove(record, all, 'Observation', gone ?? '')
    // What was there is shown as it was then.
    expect(await rest(record, first.next)).toEqual(expected)
    const other = await beside()
    expect(await rest(other, first.next)).toEqual(expected)
    await Promise.all([record.close(), other.close()])
    const restarted = await again()
    expect(await rest(restarted, first.next)).toEqual(expected)
    await restarted.close()
  })

  it('is as long for many as for more, however much was written', async () => {
    const lengths = new Set<number>()
    for (const count of [10, 30]) {
      const { record } = await openTest()
      await village(record, count)
      lengths.add(((await search(record)).next ?? '').length)
      for (let at = 0; at < 40; at++) await create(record, all, heartRate('p0', at))
      lengths.add(((await search(record)).next ?? '').length)
      await record.close()
    }
    expect([...lengths]).toHaveLength(1)
    expect([...lengths][0]).toBeLessThan(1_000)
  })

  it('shows nothing of who was erased since, in whatever process', async () => {
    const { record, beside } = await openTest()
    await village(record)
    const other = await beside()
    const first = await search(record)
    await rest(other, first.next)
    const links: (string | undefined)[] = [first.next, (await search(other)).next]
    await record.shred('p4')
    for (const [at, each] of [record, other].entries()) {
      const left = await rest(each, links[at])
      const theirs = await each.reader(all).search(queryOf(all, 'Observation', 'subject=Patient/p4&_total=accurate'))
      expect(left.length).toBeGreaterThan(20)
      expect([theirs.total, theirs.unreadable]).toEqual([0, 0])
      for (const id of left)
        expect((await each.reader(all).read('Observation', id)).json.toString('utf8')).not.toContain('Patient/p4')
      expect(await ids(each, all, 'Patient', 'identifier=urn:mrn|mrn-p4')).toEqual([])
    }
    await Promise.all([record.close(), other.close()])
  })
})

describe('the index of all compartments', () => {
  it('is made by reading what is sealed once, and keys many at a time', async () => {
    const house = await openTestRecord(openMemoryStore(), openMemoryKeys())
    await village(house.record)
    await house.record.close()
    const one = await house.beside(together)
    const { store, keys } = house
    const [read, ofOne]: [string[], string[]] = [[], []]
    const [{ entriesFrom }, { of }] = [store, keys]
    store.entriesFrom = (...asked) => {
      read.push(asked[0])
      return entriesFrom.apply(store, asked)
    }
    keys.of = owner => {
      ofOne.push(owner)
      return of.call(keys, owner)
    }
    expect(await ids(one, all, 'Patient', 'identifier=urn:mrn|mrn-p3')).toEqual(['p3'])
    const { holder } = await one.reader(all).read('Patient', 'p3')
    expect(new Set(ofOne).difference(new Set([holder.compartment])).size).toBeLessThan(4)
    expect(read).not.toContain(holder.compartment)
    await one.close()
  })
})

describe.each(few)('the history of everybody – https://hl7.org/fhir/R4/http.html#history – %s', (_name, room) => {
  /** What is read is noted later, so that the history of the audit stands still. */
  const still = { auditWindowMs: 3_600_000 }
  const type = 'Observation'

  /** A village in which something happened at several moments: changes, deletions, what went from one to another, an erasure. */
  async function eventful() {
    const house = await openTestRecord(openMemoryStore(), openMemoryKeys(), room)
    const { record, clock } = house
    await village(record)
    clock.advance(1_000)
    const [moved, gone] = [
      await create(record, all, heartRate('p6', 70)),
      await create(record, all, heartRate('p7', 71)),
    ]
    await record.writer(all).transact(async txn => {
      for (const who of ['p1', 'p8', 'p3']) await txn.create(heartRate(who, 72))
      await txn.create({ resourceType: 'Practitioner', name: [{ family: 'Elster' }] })
    })
    clock.advance(1_000)
    await update(record, all, { ...heartRate('p8', 73), id: moved.id })
    await remove(record, all, type, gone.id)
    const [shared] = (await record.reader(all).search(queryOf(all, 'Appointment', '_count=1'))).matches
    const appointment = JSON.parse(String(shared?.json)) as Resource
    await update(record, all, { ...appointment, status: 'cancelled' })
    await record.shred('p4')
    await record.close()
    const [one, each] = [await house.beside({ ...together, ...still }), await house.beside({ ...apart, ...still })]
    return { ...house, one, each, close: () => Promise.all([one.close(), each.close()]) }
  }

  async function walked(records: readonly Record[], request: HistoryRequest): Promise<string[][]> {
    const pages: string[][] = []
    for (let cursor: string | undefined, at = 0; cursor !== undefined || at === 0; at++) {
      const record = records[at % records.length] as Record
      const page: HistoryPage = await record.reader(all).history({ ...request, ...(cursor && { cursor }) })
      pages.push(
        page.items.map(({ type, id, version, deleted }) => `${type}/${id}/${version}${deleted ? ' gone' : ''}`),
      )
      cursor = page.next
      if (cursor !== undefined) expect(cursor.length).toBeLessThan(2_000)
    }
    return pages
  }

  it.each([undefined, 'Observation', 'Patient', 'Appointment', 'Practitioner', 'Basic', 'AuditEvent'])(
    'is told by one index as by each ledger, and goes on by either: %s',
    async of => {
      const { one, each, clock, beside, close } = await eventful()
      const later = await beside({ ...together, ...still })
      for (const count of [1, 4, 100])
        for (const ago of [undefined, 1_000]) {
          const request = { count, ...(of && { type: of }), ...(ago && { sinceMs: clock.nowMs() - ago }) }
          const pages = await walked([each], request)
          expect(await walked([one], request)).toEqual(pages)
          expect(await walked([one, later], request)).toEqual(pages)
          expect((await walked([one, each], request)).flat()).toEqual(pages.flat())
        }
      await Promise.all([close(), later.close()])
    },
  )

  it('opens only what its page shows, shows nothing new on a later page, and has a short link', async () => {
    const { one, store, clock, close } = await eventful()
    await ids(one, all, 'Patient', 'family=Amsel')
    const { segments } = store
    let opened = 0
    store.segments = of => {
      opened++
      return segments.call(store, of)
    }
    const first = await one.reader(all).history({ type, count: 3 })
    expect(opened).toBeLessThanOrEqual(4)
    clock.advance(1_000)
    const { id } = await create(one, all, heartRate('p9', 99))
    const next = await one.reader(all).history({ type, count: 100, cursor: first.next ?? '' })
    const told = [...first.items, ...next.items].map(item => `${item.id}/${item.version}`)
    expect(new Set(told).size).toBe(told.length)
    expect(told).not.toContain(`${id}/1`)
    expect(first.next?.length).toBeLessThan(600)
    await close()
  })
})

describe.each(rooms)('what cannot be read, %s', (_name, room) => {
  /** The compartment that holds most entries of a kind, of a patient that is none of the others'. */
  async function spoil(store: Store, compartment: string): Promise<void> {
    const { stretches, entriesAt, entriesWithin, entriesFrom } = store
    const flipped = <E extends { compartment: string; seq: number; sealed: Uint8Array }>(entry: E): E => {
      if (entry.compartment !== compartment || entry.seq !== 2) return entry
      const sealed = Uint8Array.from(entry.sealed)
      sealed[sealed.length - 1] = (sealed.at(-1) ?? 0) ^ 1
      return { ...entry, sealed }
    }
    store.entriesAt = async (...of) => (await entriesAt.apply(store, of)).map(flipped)
    store.entriesWithin = async (...of) => (await entriesWithin.apply(store, of))?.map(flipped)
    store.entriesFrom = async (...of) => (await entriesFrom.apply(store, of)).map(flipped)
    store.stretches = async function* (...of) {
      for await (const page of stretches.apply(store, of))
        yield page.map(stretch => ({ ...stretch, entries: stretch.entries.map(flipped) }))
    }
  }

  async function compartmentOf(record: Record, id: string): Promise<string> {
    return (await record.reader(all).read('Patient', id)).holder.compartment
  }

  it('is left out and counted, by one index as by an index for each', async () => {
    const house = await openTestRecord(openMemoryStore(), openMemoryKeys(), room)
    await village(house.record)
    const compartment = await compartmentOf(house.record, 'p7')
    await house.record.close()
    for (const { fromSeq } of await house.store.segments(compartment)) {
      expect(fromSeq).toBeGreaterThan(0)
      await house.store.dropSegments(compartment)
    }
    await spoil(house.store, compartment)
    const [one, each] = [await house.beside(together), await house.beside(apart)]
    for (const [type, text] of questions)
      expect([text, await pages(one, all, type, text)]).toEqual([text, await pages(each, all, type, text)])
    const page = await one.reader(all).search(queryOf(all, 'Patient', '_summary=count'))
    expect([page.total, page.unreadable]).toEqual([11, 1])
    const others = grantOf('user/*.rs', { account: 'clinic', patients: ['p1', 'p2'] })
    const theirs = grantOf('user/*.rs', { account: 'clinic', patients: ['p1', 'p7'] })
    for (const record of [one, each]) {
      expect((await record.reader(others).search(queryOf(others, 'Patient', ''))).unreadable).toBe(0)
      const damaged = { kind: 'fault', code: 'record.ledger-damaged' }
      await expect(record.reader(theirs).search(queryOf(theirs, 'Patient', ''))).rejects.toMatchObject(damaged)
    }
  })
})

describe.each(rooms)('while others write, %s', (_name, room) => {
  const holding = (store: Store, until: Promise<void>, isHeld: (of: Parameters<Store['commit']>[0]) => boolean) => {
    const { commit } = store
    const { promise: durable, resolve } = Promise.withResolvers<void>()
    store.commit = async (...of) => {
      const result = await commit.apply(store, of)
      if (!isHeld(...of)) return result
      resolve()
      await until
      return result
    }
    return durable
  }

  async function openTwo() {
    const house = await openTestRecord(openMemoryStore(), openMemoryKeys(), room)
    await village(house.record)
    await house.record.close()
    const [one, other] = [await house.beside(together), await house.beside(apart)]
    return { ...house, one, other, close: () => Promise.all([one.close(), other.close()]) }
  }

  it('finds at the next question who came elsewhere while the index was being made', async () => {
    const { store, one, other, close } = await openTwo()
    const { changesSince } = store
    const came: string[] = []
    store.changesSince = async (...of) => {
      if (came.length === 0) {
        came.push('')
        const { id } = await create(other, all, patient('Zeisig'))
        await create(other, all, heartRate(id, 60))
        came[0] = id
      }
      return changesSince.apply(store, of)
    }
    await ids(one, all, 'Patient', 'family=Zeisig')
    expect(await ids(one, all, 'Patient', 'family=Zeisig')).toEqual(came)
    expect(await ids(one, all, 'Observation', `patient=${came[0]}`)).toHaveLength(1)
    await close()
  })

  it.each(['entriesFrom', 'stretches'] as const)('misses nothing after the store has failed once: %s', async which => {
    const { store, one, other, close } = await openTwo()
    expect(await ids(one, all, 'Patient', 'family=Zeisig')).toEqual([])
    const newcomer = await create(other, all, patient('Zeisig'))
    const ofNewcomer = await create(other, all, heartRate(newcomer.id, 60))
    const ofOld = await create(other, all, { ...heartRate('p1', 60), note: [{ text: 'new' }] })
    const works = store[which] as (...of: unknown[]) => unknown
    const failing = (...of: unknown[]) => {
      // What else is read of the ledger of documents meanwhile does not fail.
      if (which === 'entriesFrom' && of[0] !== ofOld.holder.compartment) return works.apply(store, of)
      store[which] = works as never
      throw new Error('the disk failed')
    }
    store[which] = failing as never
    await expect(ids(one, all, 'Patient', 'family=Zeisig')).rejects.toThrow('the disk failed')
    expect(await ids(one, all, 'Patient', 'family=Zeisig')).toEqual([newcomer.id])
    expect(await ids(one, all, 'Observation', `_id=${ofNewcomer.id},${ofOld.id}`)).toHaveLength(2)
    await close()
  })

  it('shows nothing of who was erased, although a write of before is told late', async () => {
    const { store, one, other, close } = await openTwo()
    const count = async (text: string) =>
      (await one.reader(all).search(queryOf(all, 'Observation', `${text}&_summary=count`))).total
    const { promise, resolve } = Promise.withResolvers<void>()
    const newcomer = await create(one, all, patient('Zeisig'))
    const before = await count('code=8867-4')
    const { compartment } = newcomer.holder
    const durable = holding(store, promise, ({ appends }) => appends.some(append => append.compartment === compartment))
    const late = create(one, all, heartRate(newcomer.id, 60))
    await durable
    expect(await count('code=8867-4')).toBe((before ?? 0) + 1)
    await other.shred(newcomer.id)
    expect(await count('code=8867-4')).toBe(before)
    resolve()
    await late
    expect(await count('code=8867-4')).toBe(before)
    await close()
  })

  it('finds who comes elsewhere after one came here whom the census counted before the commit was told', async () => {
    const { store, one, other, close } = await openTwo()
    expect(await ids(one, all, 'Patient', 'family=Zeisig')).toEqual([])
    const { promise, resolve } = Promise.withResolvers<void>()
    let held = 0
    const durable = holding(store, promise, ({ documents = [] }) => documents.length > 1 && held++ === 0)
    const here = create(one, all, patient('Zeisig'))
    await durable
    const [found] = await ids(one, all, 'Patient', 'family=Zeisig')
    resolve()
    expect(found).toBe((await here).id)
    const { id } = await create(other, all, patient('Girlitz'))
    expect(await ids(one, all, 'Patient', 'family=Girlitz')).toEqual([id])
    await close()
  })

  it('goes on with the pages of a search although the feed tells late of what was written here meanwhile', async () => {
    const { store, one, close } = await openTwo()
    const search = (cursor?: string) =>
      one.reader(all).search(queryOf(all, 'Observation', 'code=8867-4&_total=accurate&_count=20'), cursor)
    const { next, total } = await search()
    const second = (await search(next)).matches.map(({ id }) => id)
    await create(one, all, heartRate('p1', 60))
    const { changesSince } = store
    store.changesSince = async (...of) => {
      store.changesSince = changesSince
      const changes = await changesSince.apply(store, of)
      await create(one, all, heartRate('p1', 61))
      return changes
    }
    expect((await search()).total).toBe((total ?? 0) + 2)
    expect((await search(next)).matches.map(({ id }) => id)).toEqual(second)
    await close()
  })

  it('keeps from those who had a patient what was noted of access, once the patient is erased', async () => {
    const { one, other, close } = await openTwo()
    const grant = grantOf('user/*.rs', { account: 'clinic', patients: ['p3', 'p4', 'p5'] })
    const seen = async (record: Record) => {
      const query = queryOf(grant, 'AuditEvent', '_count=500')
      return (await record.reader(grant).search(query)).matches.map(({ id }) => id).toSorted()
    }
    await other.flush()
    const before = await seen(one)
    await one.reader(all).read('Patient', 'p4')
    await other.reader(all).read('Patient', 'p4')
    await other.shred('p4')
    await Promise.all([one.flush(), other.flush()])
    const [wide, narrow] = [await seen(one), await seen(other)]
    expect(wide).toEqual(narrow)
    expect(wide.length).toBeLessThan(before.length)
    await close()
  })
})

describe('the index of many', () => {
  /** Opens a record, and runs its rounds of upkeep when it is told to. */
  async function openWithRounds(house: TestRecord) {
    const { setInterval } = globalThis
    const rounds: (() => void)[] = []
    globalThis.setInterval = ((work: () => void, ms: number) => {
      rounds.push(work)
      return setInterval(() => undefined, ms)
    }) as typeof setInterval
    const record = await house.beside(together)
    globalThis.setInterval = setInterval
    const goRound = () => {
      for (let round = 0; round < 5; round++) for (const work of rounds) work()
    }
    return { record, goRound }
  }

  it('is let go of once nobody has asked for half an hour, and made anew by the next question, which goes on as it began', async () => {
    const house = await openTestRecord(openMemoryStore(), openMemoryKeys())
    await village(house.record)
    const { record, goRound } = await openWithRounds(house)
    const { stretches } = house.store
    let wholly = 0
    house.store.stretches = (...of) => {
      if (of[0].length > 12) wholly++
      return stretches.apply(house.store, of)
    }
    const search = (cursor?: string) =>
      record.reader(all).search(queryOf(all, 'Observation', 'code=8867-4&_sort=-date&_count=20'), cursor)
    const { next } = await search()
    const second = (await search(next)).matches.map(({ id }) => id)
    expect(second).toHaveLength(20)
    house.clock.advance(29 * 60_000)
    goRound()
    const { next: later } = await search()
    expect(wholly).toBe(1)
    house.clock.advance(29 * 60_000)
    goRound()
    expect((await search(next)).matches.map(({ id }) => id)).toEqual(second)
    expect(wholly).toBe(1)
    house.clock.advance(30 * 60_000 + 1)
    goRound()
    expect((await search(later)).matches.map(({ id }) => id)).toEqual(second)
    expect(wholly).toBe(2)
    await Promise.all([record.close(), house.record.close()])
  })
})
