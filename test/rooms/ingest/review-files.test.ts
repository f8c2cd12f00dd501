import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Problem } from '#kernel'
import { createPatient, everything, found, grantOf, ingested, openHouse, readPatient, versionsOf } from './house.ts'
import { zipOfMany } from './zips.ts'

const ann = { name: [{ family: 'Sample', given: ['Ann'] }], birthDate: '1980-02-03', gender: 'female' }
const weight = {
  resourceType: 'Observation',
  status: 'final',
  code: { text: 'Weight' },
  subject: { reference: 'Patient/p' },
}
const bundleOf = (patient: object, ...more: object[]) =>
  JSON.stringify({
    resourceType: 'Bundle',
    type: 'collection',
    entry: [weight, ...more, { resourceType: 'Patient', id: 'p', ...patient }].map(resource => ({ resource })),
  })
const doubtfulName = { ...ann, name: [{ family: 'Miller', given: ['Ann'] }] }
const exportOf = (birthDate: string, before = 0) =>
  `<HealthData>${'<Record type="HKQuantityTypeIdentifierStepCount" sourceName="W" unit="count" value="1" startDate="2026-02-03 08:15:30 +0100"/>'.repeat(before)}<Me HKCharacteristicTypeIdentifierDateOfBirth="${birthDate}" HKCharacteristicTypeIdentifierBiologicalSex="HKBiologicalSexFemale"/></HealthData>`
const takeoutOf = (profile: object) =>
  zipOfMany([
    {
      name: 'Takeout/Fit/All Data/steps.json',
      data: Buffer.from(
        '{"Data Source":"raw:com.google.step_count.delta:x","Data Points":[{"startTimeNanos":1770000000000000000,"endTimeNanos":1770000060000000000,"dataTypeName":"com.google.step_count.delta","fitValue":[{"value":{"intVal":7}}]}]}',
      ),
    },
    { name: 'Takeout/Profile/Profile.json', data: Buffer.from(JSON.stringify(profile)) },
  ])

const textOf = (report: unknown, name: string) =>
  new RegExp(`"name":"${name}","value(?:Id|String|Code)":"([^"]+)"`).exec(JSON.stringify(report))?.[1]

/** A house with Ann, to whose record a doubtful file was sent. */
async function doubtful(file: string | Uint8Array = bundleOf(doubtfulName), limits = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'kinhold-held-'))
  const house = await openHouse(limits, undefined, undefined, folder)
  const patient = await createPatient(house.record, ann)
  const before = await versionsOf(house.record)
  const sent = await ingested(house, patient, everything(), file)
  const id = textOf(sent.report, 'review') ?? ''
  return { house, patient, before, sent, id, folder, review: house.ingest.people.review }
}
const kept = (folder: string) => readdirSync(folder).filter(name => name.startsWith('kinhold-held-'))

const ecgOf = (name: string, born: string) =>
  Buffer.from(
    `Name,${name}\nDate of Birth,"${born}"\nRecorded Date,2024-03-10 09:00:00 +0100\nClassification,Sinus\nSymptoms,\nSoftware Version,1\nDevice,W\nSample Rate,512 hertz\n\nLead,Lead I\nUnit,µV\n\n1\n2\n`,
  )

describe('a file about whose patient there is a doubt waits until a person decides', () => {
  it.each([
    ['a FHIR Bundle', bundleOf(doubtfulName), 'name'],
    [
      'NDJSON',
      `${JSON.stringify(weight)}\n${JSON.stringify({ resourceType: 'Patient', id: 'p', ...doubtfulName })}\n`,
      'name',
    ],
    ['an Apple Health export', exportOf('1980-03-02'), 'birthDate'],
    ['a Takeout', takeoutOf({ name: { givenName: 'Ann', familyName: 'Miller' }, birthday: '1980-02-03' }), 'name'],
  ])('%s: nothing is written, the report names what differs and where it waits', async (_, file, element) => {
    const { house, before, sent, id, review, patient } = await doubtful(file)
    expect(sent).toMatchObject({
      state: 'failed',
      counts: { created: 0, problem: { code: 'ingest.patient-doubtful' } },
    })
    expect(await versionsOf(house.record)).toBe(before)
    expect(await review.list(everything())).toMatchObject([
      { id, state: 'waiting', doubt: { patients: [patient], elements: [element] } },
    ])
    expect(JSON.stringify(sent.report)).not.toMatch(/Miller|1980-/)
  })

  it('it goes in as usual when it is accepted, and what says the same later is not asked about again', async () => {
    const { house, patient, id, review, folder } = await doubtful()
    expect(await review.decide({ grant: everything(), id, decision: 'accept', patient })).toBe('accepted')
    expect(await found(house.record, 'Observation', `patient=${patient}`)).toHaveLength(1)
    expect([await review.list(everything()), kept(folder)]).toEqual([[], []])
    const later = await ingested(house, patient, everything(), bundleOf(doubtfulName, { ...weight, status: 'amended' }))
    expect(later).toMatchObject({ state: 'done', counts: { created: 1 } })
  })

  it('it goes in for somebody new, once, by an account whose patient that becomes', async () => {
    const { house, patient, id, review } = await doubtful()
    const account = grantOf('user/*.cruds', { patients: [patient], account: 'family' })
    expect(await review.decide({ grant: account, id, decision: 'new' })).toBe('accepted')
    const others = (await found(house.record, 'Patient', 'family=Miller')).map(one => one.id ?? '')
    expect(others).toHaveLength(1)
    expect(await found(house.record, 'Observation', `patient=${others[0]}`)).toHaveLength(1)
    expect(await house.record.patientsOf('family')).toContain(others[0])
    expect((await readPatient(house.record, patient)).name).toEqual(ann.name)
  })

  it.each(['accept', 'new'] as const)(
    'a grant that ended, or may not import any more, takes nothing in: it waits on (%s)',
    async decision => {
      const { house, patient, before, id, review } = await doubtful()
      const grant = grantOf('user/*.cruds', { patients: [patient], account: 'family' })
      const whom = decision === 'accept' ? { decision, patient } : { decision }
      const ended = async () => {
        throw new Problem('unauthenticated', 'smart.token-invalid', 'The token is no more.')
      }
      const weaker = async () => grantOf('user/Patient.cruds', { patients: [patient], account: 'family' })
      for (const renew of [ended, weaker]) {
        const said = await review.decide({ grant, id, ...whom, renew }).catch(error => error.code)
        expect(said).toBe('ingest.withdrawn')
        expect(await review.list(everything())).toMatchObject([{ id, state: 'waiting' }])
        expect(await versionsOf(house.record)).toBe(before)
      }
    },
  )

  it('it is thrown away when it is rejected, and refused when it comes again; --force still takes it in', async () => {
    const { house, patient, id, review, folder } = await doubtful()
    expect(await review.decide({ grant: everything(), id, decision: 'reject' })).toBe('rejected')
    expect(kept(folder)).toEqual([])
    const again = await ingested(house, patient, everything(), bundleOf(doubtfulName))
    expect([again.counts.problem?.code, textOf(again.report, 'review')]).toEqual(['ingest.patient-doubtful', undefined])
    const body = (async function* () {
      yield Buffer.from(bundleOf(doubtfulName))
    })()
    const job = await house.ingest.start({ grant: everything(), patient, force: true, body })
    await job.done
    expect(job.state).toBe('done')
  })

  it('it waits once however often it comes, sealed: nothing of it can be read on the disk', async () => {
    const { house, patient, id, folder, review } = await doubtful()
    const again = await ingested(house, patient, everything(), bundleOf(doubtfulName))
    expect(textOf(again.report, 'review')).toBe(id)
    expect(await review.list(everything())).toHaveLength(1)
    const [name = ''] = kept(folder)
    expect(kept(folder)).toHaveLength(1)
    expect(readFileSync(join(folder, name)).toString('latin1')).not.toMatch(/Miller|Weight|Bundle/)
  })

  it('one that is larger than what may wait is only refused, and so is more than a patient may have', async () => {
    for (const limits of [{ maxHeldFile: 100 }, { maxHeld: 100 }]) {
      const { sent, folder } = await doubtful(bundleOf(doubtfulName), limits)
      expect([sent.counts.problem?.code, textOf(sent.report, 'review')]).toEqual(['ingest.patient-doubtful', undefined])
      expect(kept(folder)).toEqual([])
    }
  })

  it('it goes with the patient when that one is erased', async () => {
    const { house, patient, folder, review } = await doubtful()
    await house.ingest.forgetPatient(patient)
    await house.record.shred(patient)
    expect([kept(folder), await review.list(everything())]).toEqual([[], []])
  })

  it('a contradiction does not wait: it is refused, and may be forced', async () => {
    const { sent, review } = await doubtful(bundleOf({ ...ann, birthDate: '1955-11-30' }))
    expect(sent.counts.problem?.code).toBe('ingest.patient-contradicted')
    expect(await review.list(everything())).toEqual([])
  })

  it('it waits again when it cannot be taken in', async () => {
    const { patient, id, review } = await doubtful()
    const reader = grantOf('user/Patient.ru', { patients: [patient] })
    await expect(review.decide({ grant: reader, id, decision: 'accept', patient })).rejects.toMatchObject({
      code: 'scope.missing',
    })
    expect(await review.list(everything())).toMatchObject([{ id, state: 'waiting' }])
  })

  it('one that broke off after a part was written goes to the same patient or to nobody: ingest.review-begun', async () => {
    const row = (at: number) =>
      `<Record type="HKQuantityTypeIdentifierStepCount" sourceName="W" unit="count" value="${at}" startDate="2026-02-03 08:15:30 +0100"/>`
    const rows = Array.from({ length: 3000 }, (_, at) => row(at)).join('')
    const { house, patient, id, review } = await doubtful(
      exportOf('1980-03-02').replace('</HealthData>', `${rows}<Record type="HK`),
    )
    const decide = (said: { decision: 'accept' | 'new' | 'reject'; patient?: string }) =>
      review.decide({ grant: everything(), id, ...said }).then(String, error => error.code)
    expect(await decide({ decision: 'accept', patient })).toMatch(/^ingest\./)
    expect((await found(house.record, 'Observation', `patient=${patient}`)).length).toBeGreaterThan(0)
    for (const other of [
      { decision: 'accept', patient: house.bert },
      { decision: 'new' },
      { decision: 'reject' },
    ] as const)
      expect(await decide(other)).toBe('ingest.review-begun')
    const weak = {
      grant: grantOf('user/Patient.ru', { patients: [patient] }),
      id,
      decision: 'accept',
      patient,
    } as const
    expect(await review.decide(weak).catch(error => error.code)).toBe('scope.missing')
    expect(await decide({ decision: 'reject' })).toBe('ingest.review-begun')
    expect(await review.list(everything())).toMatchObject([{ id, state: 'waiting' }])
    // Whoever they were merged into has the part that is here, and no other one has.
    const count = (await found(house.record, 'Observation')).length
    await house.ingest.people.merge({ grant: everything(), source: patient, target: house.anna })
    expect(await decide({ decision: 'accept', patient: house.bert })).toBe('ingest.review-begun')
    expect(await decide({ decision: 'accept', patient: house.anna })).toMatch(/^ingest\.(?!review)/)
    expect(await found(house.record, 'Observation')).toHaveLength(count)
    expect(await decide({ decision: 'accept', patient: house.bert })).toBe('ingest.review-begun')
  })
})

describe('whom a file is about is known before anything of it is written', () => {
  const people = { id: 'q', resourceType: 'Patient', ...ann, birthDate: '1955-11-30' }
  it.each([
    ['Me behind thousands of records', exportOf('1955-11-30', 3_000), 'ingest.patient-contradicted'],
    [
      'a second Me',
      exportOf('1980-02-03', 10).replace(
        '</HealthData>',
        `${exportOf('1955-11-30', 3_000).slice('<HealthData>'.length)}`,
      ),
      'ingest.patient-contradicted',
    ],
    ['Me in UTF-16', Buffer.from(`\uFEFF${exportOf('1955-11-30', 1_500)}`, 'utf16le'), 'ingest.patient-contradicted'],
    [
      'the export of somebody else in the archive',
      zipOfMany([
        { name: 'a/export.xml', data: Buffer.from(exportOf('1980-02-03', 600)) },
        { name: 'b/export.xml', data: Buffer.from(exportOf('1955-11-30', 600)) },
      ]),
      'ingest.patient-contradicted',
    ],
    [
      'the record of a clinic about somebody else in the archive',
      zipOfMany([
        { name: 'a/export.xml', data: Buffer.from(exportOf('1980-02-03', 600)) },
        { name: 'a/clinical-records/Patient-1.json', data: Buffer.from(JSON.stringify(people)) },
      ]),
      'ingest.patient-contradicted',
    ],
    [
      'an electrocardiogram of somebody else in the archive',
      zipOfMany([
        { name: 'a/export.xml', data: Buffer.from(exportOf('1980-02-03', 600)) },
        { name: 'a/electrocardiograms/ecg_2024-03-09.csv', data: ecgOf('Ann Sample', 'Feb 3, 1980') },
        { name: 'a/electrocardiograms/ecg_2024-03-10.csv', data: ecgOf('Ann Sample', '30. November 1955') },
      ]),
      'ingest.patient-contradicted',
    ],
    [
      'a Patient at the end of a Bundle',
      bundleOf(
        { ...ann, birthDate: '1955-11-30' },
        ...Array.from({ length: 700 }, (_, at) => ({ ...weight, id: `w${at}` })),
      ),
      'ingest.patient-contradicted',
    ],
    [
      'the newest version of a Patient, whose older one fits',
      bundleOf(
        { ...ann, birthDate: '1955-11-30', meta: { lastUpdated: '2026-01-02T00:00:00Z' } },
        ...Array.from({ length: 700 }, (_, at) => ({ ...weight, id: `w${at}` })),
        {
          resourceType: 'Patient',
          id: 'p',
          ...ann,
          meta: { lastUpdated: '2025-01-01T00:00:00Z' },
        },
      ),
      'ingest.patient-contradicted',
    ],
    [
      'the profile of a Takeout',
      takeoutOf({ name: { givenName: 'Ann', familyName: 'Sample' }, birthday: '1955-11-30' }),
      'ingest.patient-contradicted',
    ],
  ])('%s', async (_, file, code) => {
    const { house, before, sent } = await doubtful(file)
    expect(sent).toMatchObject({ state: 'failed', counts: { created: 0, problem: { code } } })
    expect(await versionsOf(house.record)).toBe(before)
  })

  it('two exports in an archive that are two people, for a patient of whom nothing is known: ingest.several-patients', async () => {
    const house = await openHouse()
    const zip = zipOfMany([
      { name: 'a/export.xml', data: Buffer.from(exportOf('1980-02-03', 600)) },
      { name: 'b/export.xml', data: Buffer.from(exportOf('1955-11-30', 600)) },
    ])
    const sent = await ingested(house, house.anna, everything(), zip)
    expect(sent).toMatchObject({
      state: 'failed',
      counts: { created: 0, problem: { code: 'ingest.several-patients' } },
    })
  })

  it('what only begins like Me is not taken for it', async () => {
    const file = exportOf('1980-02-03', 3).replace(
      '<Me ',
      '<Workout workoutActivityType="HKWorkoutActivityTypeRunning" startDate="2026-02-03 08:15:30 +0100" endDate="2026-02-03 09:15:30 +0100"><MetadataEntry key="HKIndoorWorkout" value="1"/></Workout><Me ',
    )
    expect((await doubtful(file)).sent).toMatchObject({ state: 'done' })
  })
})
