import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { openMemoryStore } from '#store'
import {
  createPatient,
  everything,
  found,
  grantOf,
  ingested,
  ofPatient,
  openHouse,
  readPatient,
  samples,
  streamOf,
  validator,
  versionsOf,
} from './house.ts'

const files = [
  'apple-health-export.zip',
  'google-fit-takeout.zip',
  'adt-a01.hl7',
  'oru-r01.hl7',
  'grandmother.transaction.json',
]
const pathOf = (name: string) => fileURLToPath(new URL(name, samples))
const bytesOf = (name: string) => readFileSync(new URL(name, samples))

const record = (value: number) =>
  `<Record type="HKQuantityTypeIdentifierStepCount" sourceName="Watch" unit="count" value="${value}" startDate="2026-02-03 08:15:30 +0100" endDate="2026-02-03 08:16:30 +0100"/>`
const exportOf = (count: number) =>
  `<HealthData>${Array.from({ length: count }, (_, i) => record(i)).join('')}</HealthData>`

describe('importing a file – ARCHITECTURE section 6', () => {
  it.each(files)('%s: what it writes is valid, and a second import changes nothing', async name => {
    const house = await openHouse()
    const first = await house.ingest.importFile({
      grant: ofPatient(house.anna),
      patient: house.anna,
      path: pathOf(name),
    })
    expect(first).toMatchObject({
      state: 'done',
      rejected: [],
      provenance: expect.stringMatching(/^Provenance\/[0-9a-f]{16}$/),
    })
    expect(first.created).toBeGreaterThan(5)
    const before = await versionsOf(house.record)
    for (const resource of await found(house.record, 'Observation')) {
      expect(validator.validate(resource)).toEqual([])
      expect(resource.meta?.source).toBe(first.provenance)
    }
    const second = await house.ingest.importFile({
      grant: ofPatient(house.anna),
      patient: house.anna,
      path: pathOf(name),
    })
    expect(second).toMatchObject({ state: 'done', rows: first.rows, created: 0, updated: 0 })
    // Every row that was taken in is there already; nothing else changes its kind.
    expect(second.duplicate).toBe(first.mapped + first.duplicate)
    expect(second.mapped).toBe(0)
    expect(await versionsOf(house.record)).toBe(before)
  })

  it('gives two patients different ids for the same file', async () => {
    const house = await openHouse()
    for (const patient of [house.anna, house.bert])
      await house.ingest.importFile({ grant: everything(), patient, path: pathOf('google-fit-takeout.zip') })
    const ids = async (patient: string) =>
      (await found(house.record, 'Observation', `subject=Patient/${patient}`)).map(({ id }) => id)
    const [anna, bert] = [await ids(house.anna), await ids(house.bert)]
    expect(anna).toHaveLength(bert.length)
    expect(anna.some(id => bert.includes(id))).toBe(false)
  })

  it('writes one Provenance, which lists what a small run wrote', async () => {
    const house = await openHouse()
    const { provenance } = await house.ingest.importFile({
      grant: everything(),
      patient: house.anna,
      path: pathOf('oru-r01.hl7'),
    })
    const [only, ...others] = await found(house.record, 'Provenance')
    expect(others).toEqual([])
    expect(`Provenance/${only?.id}`).toBe(provenance)
    expect(only?.target).toHaveLength(9)
    expect(only?.target).toContainEqual({ reference: `Patient/${house.anna}` })
    expect(only?.entity).toMatchObject([
      { role: 'source', what: { identifier: { value: expect.stringMatching(/^ni:\/\/\/sha-256;[\w-]{43}$/) } } },
    ])
    expect(validator.validate(only ?? { resourceType: 'x' })).toEqual([])
  })

  it('never replaces what the Patient says already', async () => {
    const house = await openHouse()
    const patient = await createPatient(house.record, { gender: 'male', name: [{ family: 'Own' }] })
    const path = pathOf('apple-health-export.zip')
    await house.ingest.importFile({ grant: everything(), patient, path, force: true })
    expect(await readPatient(house.record, patient)).toMatchObject({
      gender: 'male',
      birthDate: '1984-05-17',
      name: [{ family: 'Own' }],
    })
  })

  it('leaves deleted what a person has deleted', async () => {
    const house = await openHouse()
    await ingested(house, house.anna, everything(), exportOf(3))
    const [first] = await found(house.record, 'Observation')
    await house.record.writer(everything()).transact(txn => txn.delete('Observation', first?.id ?? ''))
    expect((await ingested(house, house.anna, everything(), exportOf(3))).counts).toMatchObject({
      created: 0,
      duplicate: 3,
    })
    expect(await found(house.record, 'Observation')).toHaveLength(2)
  })

  it('keeps what was committed when the file breaks off, and takes it up from there', async () => {
    const house = await openHouse({ batchSize: 10 })
    const whole = exportOf(95)
    const broken = whole.slice(0, -40)
    const first = await ingested(house, house.anna, everything(), broken)
    expect(first).toMatchObject({ state: 'failed', counts: { created: 90, problem: { code: 'ingest.truncated' } } })
    // The first of the ninety is the Device that the others refer to.
    expect(await found(house.record, 'Observation')).toHaveLength(89)
    const again = await ingested(house, house.anna, everything(), broken)
    expect(again).toMatchObject({ state: 'failed', counts: { created: 90, duplicate: 0 } })
    const mended = await ingested(house, house.anna, everything(), whole)
    expect(mended).toMatchObject({ state: 'done', counts: { created: 6, duplicate: 89 } })
  })

  it('counts a row that stands twice in one file once', async () => {
    const house = await openHouse()
    const twice = `<HealthData>${record(1)}${record(1)}</HealthData>`
    expect((await ingested(house, house.anna, everything(), twice)).counts).toMatchObject({
      rows: 2,
      // An Observation and the Device it comes from.
      created: 2,
      duplicate: 1,
    })
  })

  it('writes only what the grant permits and says what it did not', async () => {
    const house = await openHouse()
    const grant = ofPatient(house.anna, 'patient/Observation.cruds patient/Provenance.c')
    const report = await house.ingest.importFile({
      grant,
      patient: house.anna,
      path: pathOf('grandmother.transaction.json'),
    })
    expect(report.created).toBe(5)
    expect(report.rejected).toContainEqual(
      expect.objectContaining({ row: 'Condition', reason: 'not-permitted', count: 2 }),
    )
  })
})

describe('refusals before anything is read', () => {
  const start = async (grant = everything(), source?: string, text = exportOf(1), limits = {}) => {
    const house = await openHouse(limits)
    const request = { grant, patient: house.anna, body: streamOf(text) }
    return house.ingest.start(source === undefined ? request : { ...request, source })
  }

  it.each([
    ['invalid', 'ingest.source-unknown', 'a-watch'],
    ['invalid', 'ingest.source-mismatch', 'google-fit'],
  ])('%s %s', async (kind, code, source) => {
    await expect(start(everything(), source)).rejects.toMatchObject({ kind, code })
  })

  it('takes a source that is what the file is', async () => {
    await expect(start(everything(), 'apple-health')).resolves.toMatchObject({ state: 'running' })
  })

  it('refuses a grant that may not write the Provenance, and a patient out of reach', async () => {
    await expect(start(grantOf('system/Observation.cruds'))).rejects.toMatchObject({ code: 'scope.missing' })
    await expect(start(ofPatient('somebody-else'))).rejects.toMatchObject({ kind: 'not-found', code: 'record.unknown' })
  })

  it('refuses what it does not know, and what is too large', async () => {
    for (const text of ['', 'hello', '%PDF-1.7', '<html/>', '{"a":1}', '\x1f\x8b\x08'])
      await expect(start(everything(), undefined, text)).rejects.toMatchObject({
        kind: 'unsupported-media',
        code: 'ingest.format-unknown',
      })
    await expect(start(everything(), undefined, exportOf(100), { maxFile: 1000 })).rejects.toMatchObject({
      code: 'body.too-large',
    })
  })

  it('says when the file cannot be opened', async () => {
    const house = await openHouse()
    const wanted = { grant: everything(), patient: house.anna, path: '/nowhere/at/all' }
    await expect(house.ingest.importFile(wanted)).rejects.toMatchObject({ code: 'ingest.file-unreadable' })
  })
})

describe('jobs', () => {
  it('are known to the grant that began them and to nobody else', async () => {
    const house = await openHouse()
    const grant = everything()
    const { id } = await ingested(house, house.anna, grant, exportOf(2))
    expect(id).toMatch(/^[0-9a-f]{32}$/)
    expect(await house.ingest.job(id, grant)).toMatchObject({ state: 'done', progress: { rows: 2 } })
    expect(await house.ingest.job(id, everything())).toBeUndefined()
    expect(await house.ingest.job('no-such-job', grant)).toBeUndefined()
  })

  it('tell that they were cut off when the process has changed', async () => {
    const house = await openHouse()
    const grant = everything()
    await house.record.documents.put('ingest-jobs', 'a'.repeat(32), {
      grant: grant.id,
      state: 'running',
      progress: { bytesRead: 1, rows: 1 },
    })
    expect(await house.ingest.job('a'.repeat(32), grant)).toMatchObject({
      state: 'failed',
      report: { resourceType: 'OperationOutcome' },
    })
  })

  it('end with a failure, and quote nothing, when the server itself fails', async () => {
    const memory = openMemoryStore()
    const switches = { broken: false }
    const store = new Proxy(memory, {
      get: (target, name) => {
        if (name === 'commit' && switches.broken) return () => Promise.reject(new Error('SECRET of a patient'))
        const member: unknown = Reflect.get(target, name, target)
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
    const house = await openHouse({}, store)
    const wanted = { grant: everything(), patient: house.anna, path: pathOf('oru-r01.hl7') }
    await house.ingest.importFile(wanted)
    switches.broken = true
    const report = await house.ingest.importFile({ ...wanted, path: pathOf('adt-a01.hl7') })
    expect(report).toMatchObject({ state: 'failed', created: 0, problem: { code: 'ingest.failed' } })
    expect(JSON.stringify(report)).not.toContain('SECRET')
  })

  it('of a store that does not answer are over all the same', async () => {
    const house = await openHouse()
    const grant = everything()
    const job = await house.ingest.start({ grant, patient: house.anna, body: streamOf(exportOf(1)) })
    await expect(job.done).resolves.toBeUndefined()
    await expect(house.ingest.close()).resolves.toBeUndefined()
  })
})

describe('progress', () => {
  it('is told as the file goes by', async () => {
    const house = await openHouse()
    const seen: number[] = []
    const path = pathOf('apple-health-export.zip')
    await house.ingest.importFile({
      grant: everything(),
      patient: house.anna,
      path,
      onProgress: ({ bytesRead, bytesTotal, rows }) => {
        expect(bytesRead).toBeLessThanOrEqual(bytesTotal)
        seen.push(rows)
      },
    })
    expect(seen.at(-1)).toBe(297)
    expect(bytesOf('apple-health-export.zip').length).toBeGreaterThan(0)
  })
})
