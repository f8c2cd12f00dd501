import { restrict } from '#access'
import { parseResource, type Resource } from '#fhir'
import { parseQuery } from '#search'
import { mergePatients } from '../../../src/ingest/identity/merging/merge.ts'
import { unmergePatient } from '../../../src/ingest/identity/merging/unmerge.ts'
import {
  baseUrl,
  createPatient,
  everything,
  found,
  grantOf,
  ofPatient,
  openHouse,
  readPatient,
  type TestHouse,
} from './house.ts'

const number = (value: string) => ({ system: 'urn:oid:1.2', value, type: { coding: [{ code: 'MR' }] } })
const twoNames = async () => {
  const house = await openHouse()
  const name = [{ family: 'Sample', given: ['Ann'] }]
  const source = await createPatient(house.record, { name, active: true, identifier: [number('1')] })
  const target = await createPatient(house.record, { name, birthDate: '1980-02-03', identifier: [number('2')] })
  const deps = { record: house.record, baseUrl, clock: house.clock }
  return { house, source, target, deps }
}
const write = (house: TestHouse, resource: Resource) =>
  house.record.writer(everything()).transact(txn => txn.create(resource))
const observation = (patient: string, more: object = {}): Resource => ({
  resourceType: 'Observation',
  status: 'final',
  code: { text: 'x' },
  subject: { reference: `Patient/${patient}` },
  ...more,
})
const read = async (house: TestHouse, type: string, id: string) => {
  const stored = await house.record.reader(everything()).read(type, id)
  return { ...parseResource(stored.json), holder: stored.holder.patient }
}

describe('Patient/$merge – https://hl7.org/fhir/patient-operation-merge.html', () => {
  it('moves what is of one Patient to the other, with its references, in one commit', async () => {
    const { house, source, target, deps } = await twoNames()
    const own = await write(house, observation(source, { performer: [{ reference: `${baseUrl}/Patient/${source}` }] }))
    const scan = await write(house, {
      resourceType: 'DocumentReference',
      status: 'current',
      subject: { reference: `Patient/${source}/_history/1` },
      content: [{ attachment: { url: 'Binary/b1' } }],
    })
    await house.record.writer(everything()).transact(txn =>
      txn.update('Binary', 'b1', {
        resourceType: 'Binary',
        contentType: 'text/plain',
        securityContext: { reference: `DocumentReference/${scan.id}` },
      }),
    )
    const other = await write(house, observation(target))
    const third = await write(house, observation(house.bert))
    expect(await mergePatients({ grant: everything(), source, target }, deps)).toMatchObject({
      state: 'merged',
      moved: 3,
      differing: [],
    })
    const subject = { reference: `Patient/${target}` }
    expect(await read(house, 'Observation', own.id)).toMatchObject({ subject, performer: [subject], holder: target })
    expect(await read(house, 'DocumentReference', scan.id)).toMatchObject({ subject, holder: target })
    expect(await read(house, 'Binary', 'b1')).toMatchObject({ holder: target })
    expect(await read(house, 'Observation', other.id)).toMatchObject({ meta: { versionId: '1' } })
    expect(await read(house, 'Observation', third.id)).toMatchObject({ holder: house.bert })
    expect(await readPatient(house.record, source)).toMatchObject({
      active: false,
      link: [{ other: { reference: `Patient/${target}` }, type: 'replaced-by' }],
    })
    expect(await readPatient(house.record, target)).toMatchObject({
      birthDate: '1980-02-03',
      identifier: [{ value: '2' }, { value: '1', use: 'old' }],
      link: [{ other: { reference: `Patient/${source}` }, type: 'replaces' }],
    })
    expect(await found(house.record, 'Observation', `subject=Patient/${source}`)).toEqual([])
    expect(await found(house.record, 'Provenance', `target=Patient/${target}`)).toMatchObject([
      { activity: { coding: [{ code: 'merge' }] } },
    ])
  })

  it('moves what Consents withhold from everybody as well, and the Consent with what it rules', async () => {
    const { house, source, target, deps } = await twoNames()
    const own = await write(house, observation(source))
    for (const patient of [source, target]) await house.record.addPatientTo('anna', patient)
    const owner = grantOf('user/*.cruds', { account: 'anna', patients: [source, target] })
    const systems = 'http://terminology.hl7.org/CodeSystem'
    const consent = await house.record.writer(owner).transact(txn =>
      txn.create({
        resourceType: 'Consent',
        status: 'active',
        scope: { coding: [{ system: `${systems}/consentscope`, code: 'patient-privacy' }] },
        category: [{ text: 'x' }],
        patient: { reference: `Patient/${source}` },
        policyRule: { coding: [{ system: `${systems}/v3-ActCode`, code: 'OPTIN' }] },
        provision: { type: 'deny', class: [{ system: 'http://hl7.org/fhir/resource-types', code: 'Observation' }] },
      }),
    )
    const asOwner = async (type: string, id: string) => {
      const stored = await house.record.reader(owner).read(type, id)
      return stored.holder.patient
    }
    expect(await mergePatients({ grant: owner, source, target }, deps)).toMatchObject({ state: 'merged', moved: 2 })
    expect([await asOwner('Observation', own.id), await asOwner('Consent', consent.id)]).toEqual([target, target])
    // Still withheld from everybody else, where it lies now.
    const other = grantOf('user/*.cruds', { account: 'bert', patients: [source, target] })
    await expect(house.record.reader(other).read('Observation', own.id)).rejects.toMatchObject({
      code: 'record.unknown',
    })
    await expect(house.record.reader(everything()).read('Observation', own.id)).rejects.toMatchObject({
      code: 'record.unknown',
    })
    for (const reader of [house.record.reader(other), house.record.reader(everything())]) {
      const unknown = { code: 'record.unknown' }
      await expect(reader.history({ type: 'Observation', id: own.id, count: 10 })).rejects.toMatchObject(unknown)
      for (const version of ['1', '2', '3'])
        await expect(reader.vread('Observation', own.id, version)).rejects.toMatchObject(unknown)
      const { items } = await reader.history({ type: 'Observation', count: 100 })
      expect(items.filter(({ id }) => id === own.id)).toEqual([])
    }
  })

  it('asked again, or by two at once, is done once', async () => {
    const { house, source, target, deps } = await twoNames()
    await write(house, observation(source))
    const merge = () => mergePatients({ grant: everything(), source, target }, deps)
    const results = await Promise.all([merge(), merge(), merge()])
    expect(results.map(({ state }) => state)).toEqual(['merged', 'merged', 'merged'])
    expect((await readPatient(house.record, target)).link).toHaveLength(1)
    const [moved] = await found(house.record, 'Observation')
    expect(moved?.meta?.versionId).toBe((await found(house.record, 'Observation'))[0]?.meta?.versionId)
    expect(await found(house.record, 'Provenance')).toHaveLength(1)
  })

  it('previews without doing anything, and says by what the two differ', async () => {
    const { house, target, deps } = await twoNames()
    const other = await createPatient(house.record, { name: [{ family: 'Other' }], birthDate: '1990-09-09' })
    await write(house, observation(other))
    expect(await mergePatients({ grant: everything(), source: other, target, preview: true }, deps)).toMatchObject({
      state: 'preview',
      moved: 1,
      differing: ['name', 'birthDate'],
      result: { link: [{ type: 'replaces' }] },
    })
    expect(await readPatient(house.record, other)).not.toHaveProperty('link')
  })

  it('ingest.patient-guarded: an account merges and parts only whom it keeps in its own right', async () => {
    const { house, source, target, deps } = await twoNames()
    const { record } = house
    for (const account of ['anna', 'bert'])
      for (const patient of [source, target])
        await record.addPatientTo(account, patient, {
          role: account === 'anna' || patient === target ? 'owner' : 'guardian',
        })
    const grant = (account: string) => grantOf('user/*.cruds', { account, patients: [source, target] })
    const codeOf = (work: Promise<unknown>) =>
      work.then(
        () => 'done',
        error => error.code,
      )
    const merge = (account: string, from: string, into: string, preview = false) =>
      codeOf(mergePatients({ grant: grant(account), source: from, target: into, preview }, deps))
    for (const preview of [true, false]) {
      expect(await merge('bert', source, target, preview)).toBe('ingest.patient-guarded')
      expect(await merge('bert', target, source, preview)).toBe('ingest.patient-guarded')
    }
    expect(await merge('anna', source, target)).toBe('done')
    expect(await codeOf(unmergePatient({ grant: grant('bert'), source }, deps))).toBe('ingest.patient-guarded')
    expect(await codeOf(unmergePatient({ grant: grant('anna'), source }, deps))).toBe('done')
  })

  it('ingest.merge-same, ingest.merge-replaced, record.unknown, scope.missing', async () => {
    const { house, source, target, deps } = await twoNames()
    const merge = (from: string, into: string, grant = everything()) =>
      mergePatients({ grant, source: from, target: into }, deps).then(
        () => 'done',
        error => error.code,
      )
    expect(await merge(source, source)).toBe('ingest.merge-same')
    expect(await merge(source, 'nobody')).toBe('record.unknown')
    expect(await merge(source, target, grantOf('user/*.cruds', { patients: [source] }))).toBe('record.unknown')
    expect(await merge(source, target, grantOf('user/Patient.rs', { patients: [source, target] }))).toBe(
      'scope.missing',
    )
    expect(await merge(source, target, grantOf('patient/*.cruds', { patient: source, patients: [] }))).toBe(
      'scope.missing',
    )
    expect(await merge(source, target, grantOf('user/Patient.ru', { patients: [source, target] }))).toBe('done')
    expect(await merge(target, source)).toBe('ingest.merge-replaced')
    expect(await merge(source, house.bert)).toBe('ingest.merge-replaced')
  })

  it('moves what belongs to a third patient too, and leaves them theirs', async () => {
    const { house, source, target, deps } = await twoNames()
    const participant = [source, house.bert].map(id => ({ actor: { reference: `Patient/${id}` }, status: 'accepted' }))
    const visit = await write(house, { resourceType: 'Appointment', status: 'booked', participant })
    await mergePatients({ grant: everything(), source, target }, deps)
    const mine = grantOf('patient/*.rs', { patient: target, patients: [] })
    const berts = grantOf('patient/*.rs', { patient: house.bert, patients: [] })
    for (const grant of [mine, berts]) expect(await found(house.record, 'Appointment', '', grant)).toHaveLength(1)
    expect(JSON.stringify(await read(house, 'Appointment', visit.id))).not.toContain(source)
  })
})

describe('$unmerge', () => {
  it('restores everything exactly', async () => {
    const { house, source, target, deps } = await twoNames()
    const ids: string[] = []
    for (let at = 0; at < 3; at++) ids.push((await write(house, observation(source, { valueInteger: at }))).id)
    const both = await write(house, observation(source, { performer: [{ reference: `Patient/${target}` }] }))
    const content = async () =>
      Promise.all(
        [...ids, both.id].map(async id => {
          const { meta, ...rest } = await read(house, 'Observation', id)
          return rest
        }),
      )
    const patients = async () => {
      const all = [await readPatient(house.record, source), await readPatient(house.record, target)]
      return all.map(({ meta, ...rest }) => rest)
    }
    const before = [await content(), await patients()]
    await mergePatients({ grant: everything(), source, target }, deps)
    const undone = await unmergePatient({ grant: everything(), source }, deps)
    expect(undone).toMatchObject({ restored: 4, edited: [], deleted: [], remaining: [], result: { active: true } })
    expect([await content(), await patients()]).toEqual(before)
    expect(await unmergePatient({ grant: everything(), source }, deps).catch(error => error.code)).toBe(
      'ingest.merge-unknown',
    )
    expect((await mergePatients({ grant: everything(), source, target }, deps)).moved).toBe(4)
  })

  it('keeps what was changed since, leaves deleted what was deleted, and lists what came since', async () => {
    const { house, source, target, deps } = await twoNames()
    const [edited, deleted, own] = [
      await write(house, observation(source)),
      await write(house, observation(source)),
      await write(house, observation(target)),
    ]
    house.clock.advance?.(1000)
    await mergePatients({ grant: everything(), source, target }, deps)
    const since = await write(house, observation(target))
    await house.record.writer(everything()).transact(async txn => {
      await txn.update('Observation', edited.id, observation(target, { valueString: 'later' }))
      await txn.update('Observation', own.id, observation(target, { valueString: 'later' }))
      await txn.delete('Observation', deleted.id)
      const patient = await txn.read('Patient', target)
      if (patient !== undefined)
        await txn.update('Patient', target, { ...parseResource(patient.json), gender: 'female' })
    })
    expect(await unmergePatient({ grant: everything(), source }, deps)).toMatchObject({
      edited: [`Observation/${edited.id}`],
      deleted: [`Observation/${deleted.id}`],
      remaining: [`Observation/${since.id}`],
    })
    expect(await read(house, 'Observation', edited.id)).toMatchObject({
      subject: { reference: `Patient/${source}` },
      valueString: 'later',
      holder: source,
    })
    expect(await read(house, 'Observation', own.id)).toMatchObject({ holder: target, valueString: 'later' })
    const winner = await readPatient(house.record, target)
    expect(winner).toMatchObject({ gender: 'female', identifier: [{ value: '2' }] })
    expect(winner).not.toHaveProperty('link')
    expect(await readPatient(house.record, source)).toMatchObject({ active: true })
  })

  it.each([
    [260, 260, false],
    [1100, 1000, true],
  ])('of %i that came since names %i, and says whether there are more', async (came, named, more) => {
    const { house, source, target, deps } = await twoNames()
    const many = (patient: string, count: number) =>
      house.record.writer(everything()).transact(async txn => {
        for (let at = 0; at < count; at++) await txn.create(observation(patient))
      })
    await many(source, 240)
    house.clock.advance?.(1000)
    await mergePatients({ grant: everything(), source, target }, deps)
    await many(target, came)
    const { restored, remaining, remainsMore } = await unmergePatient({ grant: everything(), source }, deps)
    expect([restored, new Set(remaining).size, remainsMore]).toEqual([240, named, more])
  })

  it('of a merge on which another one was built waits for that one', async () => {
    const { house, source, target, deps } = await twoNames()
    await write(house, observation(source))
    await mergePatients({ grant: everything(), source, target }, deps)
    await mergePatients({ grant: everything(), source: target, target: house.bert }, deps)
    const undo = (id: string) => unmergePatient({ grant: everything(), source: id }, deps).catch(error => error.code)
    expect(await undo(source)).toBe('ingest.merge-replaced')
    await undo(target)
    expect(await undo(source)).toMatchObject({ restored: 1 })
    expect(await found(house.record, 'Observation', `subject=Patient/${source}`)).toHaveLength(1)
  })
})

describe('after a merge', () => {
  const merged = { kind: 'unprocessable', code: 'record.patient-merged' }

  const afterMerge = async () => {
    const opened = await twoNames()
    const { source, target, deps } = opened
    await mergePatients({ grant: everything(), source, target }, deps)
    return opened
  }

  it('the one that stays is still changed by a token of their own, and is nobody else’s', async () => {
    const { house, source, target } = await afterMerge()
    const hers = ofPatient(target)
    const patient = parseResource((await house.record.reader(hers).read('Patient', target)).json)
    await house.record.writer(hers).transact(txn => txn.update('Patient', target, { ...patient, gender: 'female' }))
    expect(await readPatient(house.record, target)).toMatchObject({ gender: 'female' })
    const unknown = { code: 'record.unknown' }
    await expect(house.record.reader(ofPatient(source)).read('Patient', target)).rejects.toMatchObject(unknown)
    await expect(house.record.reader(hers).read('Patient', source)).rejects.toMatchObject(unknown)
  })

  it('what was merged from one does not show to another who was merged into the same', async () => {
    const { house, source, target, deps } = await afterMerge()
    const third = await createPatient(house.record, { name: [{ family: 'Sample' }], identifier: [number('3')] })
    await mergePatients({ grant: everything(), source: third, target }, deps)
    for (const grant of [ofPatient(source), ofPatient(third)]) {
      const found = await house.record
        .reader(grant)
        .search(restrict(parseQuery('Patient', new URLSearchParams(), { baseUrl }), grant))
      expect(found.matches.map(({ id }) => id)).toEqual([grant.patient])
    }
  })

  it.each(['system', 'user', 'patient'] as const)(
    'nothing new is written for the one that lost, with %s scopes',
    async level => {
      const { house, source, target } = await afterMerge()
      const grant = {
        ...grantOf(`${level}/*.cruds`),
        patients: level === 'user' ? [source, target] : 'all',
        patient: source,
      } as const
      const writer = house.record.writer(grant)
      const patient = await readPatient(house.record, source)
      await expect(writer.transact(txn => txn.create(observation(source)))).rejects.toMatchObject(merged)
      await expect(
        writer.transact(txn => txn.update('Patient', source, { ...patient, active: true })),
      ).rejects.toMatchObject(merged)
      const home = house.record.writer(grant, { home: source })
      if (level === 'patient')
        await expect(
          home.transact(txn => txn.create({ resourceType: 'List', status: 'current', mode: 'working' })),
        ).rejects.toMatchObject(merged)
      if (level !== 'patient') expect((await writer.transact(txn => txn.create(observation(target)))).version).toBe(1)
    },
  )

  it('is undone, the one that lost takes what is new again', async () => {
    const { house, source, deps } = await afterMerge()
    await unmergePatient({ grant: everything(), source }, deps)
    expect((await write(house, observation(source))).version).toBe(1)
    const patient = await readPatient(house.record, source)
    await house.record
      .writer(everything())
      .transact(txn => txn.update('Patient', source, { ...patient, gender: 'male' }))
  })
})
