import type { Grant } from '#access'
import type { Resource } from '#fhir'
import type { Record } from '#record'
import {
  create,
  everything,
  grantOf,
  heartRate,
  ids,
  ofPatient,
  openTestRecord,
  patient,
  queryOf,
  remove,
  update,
} from './family.ts'

const all = everything()
const foreign = { kind: 'forbidden', code: 'record.owner-foreign' }
const unknown = { kind: 'not-found', code: 'record.unknown' }

/** An appointment at which these people meet. */
function appointment(of: readonly string[], description = 'Check-up'): Resource {
  const participant = of.map(id => ({ actor: { reference: `Patient/${id}` }, status: 'accepted' }))
  return { resourceType: 'Appointment', status: 'booked', description, participant }
}

async function family() {
  const house = await openTestRecord()
  const { record } = house
  const mother = (await create(record, all, patient('Amsel'))).id
  const child = (await create(record, all, patient('Amsel'))).id
  const stranger = (await create(record, all, patient('Drossel'))).id
  const both = grantOf('user/*.cruds', { patients: [mother, child] })
  return { ...house, mother, child, stranger, both }
}

async function historyOf(record: Record, grant = all, request: { type?: string; id?: string } = {}) {
  const { items } = await record.reader(grant).history({ count: 50, ...request })
  return items.filter(({ type }) => type === 'Appointment').map(({ version, json }) => `${version} ${json.toString()}`)
}

describe('what belongs to several patients – https://hl7.org/fhir/R4/compartmentdefinition.html', () => {
  it('is read by each of them, the same version with the same bytes', async () => {
    const { record, mother, child, stranger } = await family()
    const { id } = await create(record, all, appointment([mother, child]))
    const seen = await Promise.all(
      [ofPatient(mother), ofPatient(child), all].map(grant => record.reader(grant).read('Appointment', id)),
    )
    expect(new Set(seen.map(({ json }) => json.toString())).size).toBe(1)
    expect(new Set(seen.map(({ version, lastUpdatedMs }) => `${version} ${lastUpdatedMs}`)).size).toBe(1)
    await expect(record.reader(ofPatient(stranger)).read('Appointment', id)).rejects.toMatchObject(unknown)
  })

  it('is found once, however it is asked for', async () => {
    const { record, mother, child, both } = await family()
    const { id } = await create(record, all, appointment([mother, child]))
    for (const grant of [ofPatient(mother), ofPatient(child), both, all]) {
      const page = await record.reader(grant).search(queryOf(grant, 'Appointment', '_total=accurate'))
      expect([page.matches.map(match => match.id), page.total]).toEqual([[id], 1])
      expect(await ids(record, grant, 'Appointment', `actor=Patient/${child}`)).toEqual([id])
      expect(await ids(record, grant, 'Appointment', `patient=${mother},${child}`)).toEqual([id])
      expect(await ids(record, grant, 'Appointment', `_id=${id}&_sort=date`)).toEqual([id])
    }
  })

  it('is counted once over pages, and stays in its place', async () => {
    const { record, mother, child, both } = await family()
    const made: string[] = []
    for (let turn = 0; turn < 5; turn++) made.push((await create(record, all, appointment([mother, child]))).id)
    made.push((await create(record, all, appointment([mother]))).id)
    const query = queryOf(both, 'Appointment', '_count=2&_total=accurate')
    const seen: string[] = []
    for (let cursor: string | undefined, pages = 0; pages < 9; pages++) {
      const page = await record.reader(both).search(query, cursor)
      expect(page.total).toBe(6)
      seen.push(...page.matches.map(({ id }) => id))
      cursor = page.next
      if (cursor === undefined) break
    }
    expect(seen.toSorted()).toEqual(made.toSorted())
  })

  it('is included once, forwards and backwards, and passed once by chains', async () => {
    const { record, mother, child, both } = await family()
    const { id } = await create(record, all, appointment([mother, child]))
    const response = (of: string): Resource => ({
      resourceType: 'AppointmentResponse',
      appointment: { reference: `Appointment/${id}` },
      actor: { reference: `Patient/${of}` },
      participantStatus: 'accepted',
    })
    const answers = [await create(record, all, response(mother)), await create(record, all, response(child))]
    const forwards = queryOf(both, 'AppointmentResponse', '_include=AppointmentResponse:appointment')
    expect((await record.reader(both).search(forwards)).included.map(each => each.id)).toEqual([id])
    const backwards = queryOf(both, 'Patient', '_revinclude=Appointment:actor')
    expect((await record.reader(both).search(backwards)).included.map(each => each.id)).toEqual([id])
    const chained = await ids(record, both, 'AppointmentResponse', 'appointment.status=booked')
    expect(chained.toSorted()).toEqual(answers.map(each => each.id).toSorted())
    const has = '_has:AppointmentResponse:appointment:part-status=accepted'
    expect(await ids(record, both, 'Appointment', has)).toEqual([id])
  })

  it('stands once in a conditional find, also while it is being written', async () => {
    const { record, mother, child, both } = await family()
    await create(record, all, appointment([mother, child]))
    const found = await record.writer(both).transact(txn => txn.find(queryOf(both, 'Appointment', ''), 2))
    expect(found).toHaveLength(1)
  })

  it('has one history, of itself, of its type and of everything', async () => {
    const { record, clock, mother, child, both } = await family()
    const { id } = await create(record, all, appointment([mother, child], 'first'))
    clock.advance(1000)
    await update(record, both, { ...appointment([mother, child], 'second'), id })
    clock.advance(1000)
    await remove(record, both, 'Appointment', id)
    for (const grant of [ofPatient(mother), ofPatient(child), both, all]) {
      const ofOne = await historyOf(record, grant, { type: 'Appointment', id })
      expect(ofOne.map(text => text.split(' ')[0])).toEqual(['3', '2', '1'])
      expect(await historyOf(record, grant, { type: 'Appointment' })).toEqual(ofOne)
      expect(await historyOf(record, grant)).toEqual(ofOne)
      await expect(record.reader(grant).read('Appointment', id)).rejects.toMatchObject({ code: 'record.deleted' })
    }
  })

  it('has one history over pages', async () => {
    const { record, mother, child, both } = await family()
    for (let turn = 0; turn < 4; turn++) await create(record, all, appointment([mother, child]))
    const seen: string[] = []
    for (let cursor: string | undefined, pages = 0; pages < 9; pages++) {
      const page = await record
        .reader(both)
        .history({ type: 'Appointment', count: 3, ...(cursor === undefined ? {} : { cursor }) })
      seen.push(...page.items.map(({ id }) => id))
      cursor = page.next
      if (cursor === undefined) break
    }
    expect([seen.length, new Set(seen).size]).toEqual([4, 4])
  })
})

describe('writing what belongs to several patients', () => {
  it('is for who reaches all of them: others are refused in words that tell nobody', async () => {
    const { record, mother, child, stranger } = await family()
    const { id } = await create(record, all, appointment([mother, child]))
    const alone = ofPatient(mother)
    await expect(update(record, alone, { ...appointment([mother, child]), id })).rejects.toMatchObject(foreign)
    await expect(update(record, alone, { ...appointment([mother]), id })).rejects.toMatchObject(foreign)
    await expect(remove(record, alone, 'Appointment', id)).rejects.toMatchObject(foreign)
    const other = grantOf('user/*.cruds', { patients: [child, stranger] })
    const refusal: unknown = await remove(record, other, 'Appointment', id).catch(error => error)
    expect(JSON.stringify(refusal)).not.toContain(mother)
    expect((await record.reader(all).read('Appointment', id)).version).toBe(1)
  })

  it('refuses to create it unless all are reached, whether or not the others exist: record.owner-foreign', async () => {
    const { record, mother, child } = await family()
    const alone = ofPatient(mother)
    const refusals = await Promise.all(
      [child, 'nobody-of-that-name'].map(other =>
        create(record, alone, appointment([mother, other])).catch(({ kind, code, text }) => ({ kind, code, text })),
      ),
    )
    expect(refusals[0]).toMatchObject(foreign)
    expect(refusals[1]).toEqual(refusals[0])
    await expect(create(record, all, appointment([mother, 'nobody-of-that-name']))).rejects.toMatchObject({
      code: 'record.owner-unknown',
    })
    expect(await ids(record, alone, 'Appointment', '')).toEqual([])
  })

  it('needs the scope of every one: a mixed grant reads through one of them and cannot write the other', async () => {
    const { record, mother, child } = await family()
    const { id } = await create(record, all, appointment([mother, child]))
    const scopes = 'patient/Appointment.cruds user/Patient.rs'
    for (const context of [mother, child]) {
      const grant = grantOf(scopes, { patient: context, patients: [mother, child] })
      expect((await record.reader(grant).read('Appointment', id)).id).toBe(id)
      expect(await ids(record, grant, 'Appointment', '')).toEqual([id])
      expect(await historyOf(record, grant)).toHaveLength(1)
      await expect(update(record, grant, { ...appointment([mother, child]), id })).rejects.toMatchObject(foreign)
    }
  })

  it('gives new owners a copy and takes it from former ones, in one commit', async () => {
    const { record, mother, child, stranger } = await family()
    const { id } = await create(record, all, appointment([mother]))
    expect((await update(record, all, { ...appointment([mother, child]), id })).version).toBe(2)
    expect((await record.reader(ofPatient(child)).read('Appointment', id)).version).toBe(2)
    const { version } = await update(record, all, { ...appointment([child, stranger]), id })
    await expect(record.reader(ofPatient(mother)).read('Appointment', id)).rejects.toMatchObject({ kind: 'gone' })
    expect(await ids(record, ofPatient(mother), 'Appointment', '')).toEqual([])
    for (const grant of [ofPatient(child), ofPatient(stranger), all]) {
      expect((await record.reader(grant).read('Appointment', id)).version).toBe(version)
      expect(await ids(record, grant, 'Appointment', '')).toEqual([id])
    }
    expect((await historyOf(record, all, { type: 'Appointment', id })).map(text => text.split(' ')[0])).toEqual([
      String(version),
      '2',
      '1',
    ])
    // The two that were hers, and that it went away.
    expect(await historyOf(record, ofPatient(mother), { type: 'Appointment', id })).toHaveLength(3)
  })

  it('builds on what is still on its way to the disk', async () => {
    const { record, mother, child, both } = await family()
    const { id } = await create(record, all, appointment([mother, child]))
    const writes = Array.from({ length: 8 }, (_, turn) =>
      update(record, both, { ...appointment([mother, child], `turn ${turn}`), id }),
    )
    expect((await Promise.all(writes)).map(({ version }) => version).toSorted()).toEqual([2, 3, 4, 5, 6, 7, 8, 9])
    expect((await record.reader(ofPatient(child)).read('Appointment', id)).version).toBe(9)
  })

  it('is one of two writers when both reach all of them: version.stale for the other', async () => {
    const { record, mother, child, both } = await family()
    const { id } = await create(record, all, appointment([mother, child]))
    const change = () => update(record, both, { ...appointment([mother, child]), id }, '1')
    const results = await Promise.allSettled([change(), change(), change()])
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  it('leaves an AuditEvent with each of them', async () => {
    const { record, mother, child } = await family()
    const { id } = await create(record, all, appointment([mother, child]))
    await record.flush()
    for (const who of [mother, child]) {
      const grant = ofPatient(who, 'patient/AuditEvent.rs')
      expect(await ids(record, grant, 'AuditEvent', `entity=Appointment/${id}`)).toHaveLength(1)
    }
  })
})

describe('the ways in which R4 names several patients', () => {
  it.each<[string, (a: string, b: string) => Resource]>([
    ['who performed an Observation', (a, b) => ({ ...heartRate(a, 60), performer: [{ reference: `Patient/${b}` }] })],
    [
      'members of a Group',
      (a, b) => ({
        resourceType: 'Group',
        type: 'person',
        actual: true,
        member: [{ entity: { reference: `Patient/${a}` } }, { entity: { reference: `Patient/${b}` } }],
      }),
    ],
    [
      'participants of a CareTeam',
      (a, b) => ({
        resourceType: 'CareTeam',
        subject: { reference: `Patient/${a}` },
        participant: [{ member: { reference: `Patient/${b}` } }],
      }),
    ],
    [
      'links between Patients',
      (a, b) => ({
        resourceType: 'Patient',
        link: [a, b].map(id => ({ other: { reference: `Patient/${id}` }, type: 'seealso' })),
      }),
    ],
    [
      'whoever asserts an allergy',
      (a, b) => ({
        resourceType: 'AllergyIntolerance',
        patient: { reference: `Patient/${a}` },
        asserter: { reference: `Patient/${b}/_history/1` },
      }),
    ],
  ])('%s', async (_, make) => {
    const { record, mother, child, stranger } = await family()
    const made = make(mother, child)
    const { type, id } = await create(record, all, made)
    for (const who of [mother, child]) {
      expect((await record.reader(ofPatient(who)).read(type, id)).id).toBe(id)
      expect(await ids(record, ofPatient(who), type, `_id=${id}`)).toEqual([id])
    }
    await expect(record.reader(ofPatient(stranger)).read(type, id)).rejects.toMatchObject(unknown)
  })
})

describe('what a patient’s token is told when something goes away from her – https://hl7.org/fhir/R4/http.html#history', () => {
  const told = async (record: Record, grant: Grant, request: { type?: string; id?: string } = {}) => {
    const { items } = await record.reader(grant).history({ count: 50, ...request })
    return items
      .filter(({ type }) => type === 'Appointment')
      .map(({ version, method, deleted, json }) => `${version} ${method}${deleted ? ` gone${json}` : ''}`)
  }

  it.each<[string, (mother: string, child: string, stranger: string) => readonly string[]]>([
    ['and stays with another', (_, child) => [child]],
    ['and goes on to somebody', (_, child, stranger) => [child, stranger]],
  ])('a deletion at that point, %s', async (_, left) => {
    const { record, mother, child, stranger, clock } = await family()
    const { id } = await create(record, all, appointment([mother, child]))
    clock.advance(1000)
    await update(record, all, { ...appointment(left(mother, child, stranger)), id })
    clock.advance(1000)
    await update(record, all, { ...appointment(left(mother, child, stranger), 'later'), id })
    for (const request of [{ type: 'Appointment', id }, { type: 'Appointment' }, {}]) {
      expect(await told(record, ofPatient(mother), request)).toEqual(['2 DELETE gone', '1 POST'])
      expect(await told(record, ofPatient(child), request)).toEqual(['4 PUT', '3 PUT', '1 POST'])
      expect(await told(record, all, request)).toEqual(['4 PUT', '3 PUT', '1 POST'])
    }
    await expect(record.reader(ofPatient(mother)).vread('Appointment', id, '2')).rejects.toMatchObject({ kind: 'gone' })
    await expect(record.reader(ofPatient(child)).vread('Appointment', id, '2')).rejects.toMatchObject(unknown)
    await expect(record.reader(ofPatient(stranger)).vread('Appointment', id, '2')).rejects.toMatchObject(unknown)
    // https://hl7.org/fhir/R4/http.html#read: what is told as deleted answers 410, to nobody but whom it is told.
    await expect(record.reader(ofPatient(mother)).read('Appointment', id)).rejects.toMatchObject({
      kind: 'gone',
      code: 'record.deleted',
    })
    expect((await record.reader(ofPatient(child)).read('Appointment', id)).id).toBe(id)
    if (!left(mother, child, stranger).includes(stranger))
      await expect(record.reader(ofPatient(stranger)).read('Appointment', id)).rejects.toMatchObject(unknown)
  })

  it('once when it went away from two at the same time', async () => {
    const { record, mother, child, stranger, both, clock } = await family()
    const { id } = await create(record, all, appointment([mother, child]))
    clock.advance(1000)
    await update(record, all, { ...appointment([stranger]), id })
    for (const request of [{ type: 'Appointment', id }, { type: 'Appointment' }, {}])
      expect(await told(record, both, request)).toEqual(['2 DELETE gone', '1 POST'])
  })

  it('and its coming back', async () => {
    const { record, mother, child } = await family()
    const { id } = await create(record, all, appointment([mother]))
    await update(record, all, { ...appointment([child]), id })
    await update(record, all, { ...appointment([mother]), id })
    expect(await told(record, ofPatient(mother))).toEqual(['5 PUT', '2 DELETE gone', '1 POST'])
    expect(await told(record, ofPatient(child))).toEqual(['4 DELETE gone', '3 PUT'])
  })

  it('not with scopes that see some rows only: a deletion says nothing by which it could be judged', async () => {
    const { record, mother, child } = await family()
    const { id } = await create(record, all, appointment([mother, child]))
    await update(record, all, { ...appointment([child]), id })
    expect(await told(record, ofPatient(mother, 'patient/Appointment.rs?status=booked'))).toEqual(['1 POST'])
  })
})

describe('when one of several is erased', () => {
  it('the others keep theirs: the newest version, its history, and what finds it', async () => {
    const { record, mother, child, both } = await family()
    const { id } = await create(record, all, appointment([mother, child], 'first'))
    await update(record, both, { ...appointment([mother, child], 'second'), id })
    await record.shred(mother)
    for (const grant of [ofPatient(child), all]) {
      expect((await record.reader(grant).read('Appointment', id)).version).toBe(2)
      expect((await record.reader(grant).vread('Appointment', id, '1')).version).toBe(1)
      expect(await historyOf(record, grant, { type: 'Appointment', id })).toHaveLength(2)
      expect(await ids(record, grant, 'Appointment', `actor=Patient/${child}`)).toEqual([id])
      expect(await ids(record, grant, 'Appointment', `patient=${mother}`)).toEqual([id])
    }
    await expect(record.reader(ofPatient(mother)).read('Appointment', id)).rejects.toMatchObject(unknown)
    const findings = []
    for await (const finding of record.verify()) findings.push(finding)
    expect(findings).toEqual([])
  })
})

describe('after a restart', () => {
  it('what belongs to several is found once, from segments as from entries', async () => {
    const house = await family()
    const { mother, child, both } = house
    const { id } = await create(house.record, all, appointment([mother, child]))
    for (let turn = 0; turn < 3; turn++) await create(house.record, all, heartRate(mother, 60 + turn))
    await house.record.flush()
    const again = await house.again()
    expect(await ids(again, both, 'Appointment', '')).toEqual([id])
    await again.reindex()
    expect(await ids(again, both, 'Appointment', '')).toEqual([id])
  })
})
