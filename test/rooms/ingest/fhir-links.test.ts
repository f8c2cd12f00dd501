import { everything, found, ingested, ofPatient, openHouse, type TestHouse } from './house.ts'

const uuid = '4c2b1f0e-7d3a-4d2f-9a44-0c6f3f1b2a90'
const base = 'http://clinic.example/fhir'
const bytes = { resourceType: 'Binary', id: 'b1', contentType: 'text/plain', data: 'aGVsbG8=' }
const document = (url: string) => ({
  resourceType: 'DocumentReference',
  status: 'current',
  content: [{ attachment: { contentType: 'text/plain', url } }],
})
const bundle = (...entry: readonly object[]) => JSON.stringify({ resourceType: 'Bundle', type: 'collection', entry })

async function take(file: string, house?: TestHouse) {
  const { record, ingest, ...rest } = house ?? (await openHouse())
  const opened = { record, ingest, ...rest }
  const sent = await ingested(opened, opened.anna, everything(), file)
  const one = async (type: string) => (await found(record, type, '', ofPatient(opened.anna)))[0]
  return { ...sent, house: opened, one }
}

async function urlOf(file: string) {
  const { one, report } = await take(file)
  const [content] = ((await one('DocumentReference'))?.content ?? []) as { attachment: { url: string } }[]
  return { url: content?.attachment.url, binary: (await one('Binary'))?.id, text: JSON.stringify(report) }
}

describe('an address of a file leads to what became of what it led to, or away', () => {
  it.each([
    ['a part of it', 'Binary/b1#page=2', '#page=2'],
    ['from the root of its host', '/fhir/Binary/b1', ''],
    ['a part of a version, from the root', '/fhir/Binary/b1/_history/1#x', '#x'],
  ])('%s', async (_, url, fragment) => {
    const here = await urlOf(
      bundle(
        { fullUrl: `${base}/DocumentReference/d`, resource: document(url) },
        { fullUrl: `${base}/Binary/b1`, resource: bytes },
      ),
    )
    expect(here.url).toBe(`Binary/${here.binary}${fragment}`)
    const bare = await urlOf(bundle({ resource: document(url) }, { resource: bytes }))
    expect(bare.url).toBe(`Binary/${bare.binary}${fragment}`)
  })

  it.each([
    ['what is not in the file', 'Binary/unknown', `${base}/Binary/unknown`],
    ['a part of it', 'Binary/unknown#page=2', `${base}/Binary/unknown#page=2`],
    ['from the root', '/fhir/Binary/unknown', `${base}/Binary/unknown`],
    ['what is of another type', 'Observation/unknown', `${base}/Observation/unknown`],
  ])('%s is at its own server', async (_, url, away) => {
    const sent = await urlOf(bundle({ fullUrl: `${base}/DocumentReference/d`, resource: document(url) }))
    expect(sent.url).toBe(away)
    const bare = await urlOf(bundle({ resource: document(url) }))
    expect(bare.url).toBe(`urn:kinhold:fhir:elsewhere:${url}`)
    expect(sent.text.includes('bytes of some attachments')).toBe(url.includes('Binary'))
  })

  it.each([
    'http://other.example/file.pdf',
    'https://other.example/fhir/Observation/1',
    '#part',
    'file.pdf',
    'urn:oid:1.2.3',
  ])('%s stays as it is', async url => expect((await urlOf(bundle({ resource: document(url) }))).url).toBe(url))
})

describe('a reference of a file', () => {
  const observation = (rest: object) => ({ resourceType: 'Observation', status: 'final', code: { text: 'x' }, ...rest })
  const encounter = { resourceType: 'Encounter', status: 'finished', class: { code: 'AMB' } }
  const referenceOf = async (entry: readonly object[]) => {
    const { one, counts } = await take(bundle(...entry))
    return { reference: (await one('Observation'))?.encounter, encounter: (await one('Encounter'))?.id, counts }
  }

  it.each([
    ['by its UUID, of which it has no address', `urn:uuid:${uuid}`, { resource: { ...encounter, id: uuid } }],
    ['by the same in upper case', `urn:uuid:${uuid.toUpperCase()}`, { resource: { ...encounter, id: uuid } }],
    ['by its UUID, which is its address', `urn:uuid:${uuid}`, { fullUrl: `urn:uuid:${uuid}`, resource: encounter }],
    ['by its id', 'Encounter/e', { resource: { ...encounter, id: 'e' } }],
    ['by a part of it', 'Encounter/e#p', { resource: { ...encounter, id: 'e' } }],
  ])('finds what it names %s', async (_, reference, entry) => {
    const found = await referenceOf([{ resource: observation({ encounter: { reference } }) }, entry])
    expect(found.reference).toEqual({ reference: `Encounter/${found.encounter}` })
  })

  it('to what has another address does not find it by its UUID', async () => {
    const found = await referenceOf([
      { resource: observation({ encounter: { reference: `urn:uuid:${uuid}` } }) },
      { fullUrl: `${base}/Encounter/${uuid}`, resource: { ...encounter, id: uuid } },
    ])
    expect(found.reference).toEqual({ identifier: { value: `urn:uuid:${uuid}` } })
  })

  it('names the patient by a UUID, with an address and without', async () => {
    for (const person of [
      { resource: { resourceType: 'Patient', id: uuid } },
      { fullUrl: `urn:uuid:${uuid}`, resource: { resourceType: 'Patient' } },
    ]) {
      const { one, house } = await take(
        bundle(person, { resource: observation({ subject: { reference: `urn:uuid:${uuid}` } }) }),
      )
      expect((await one('Observation'))?.subject).toEqual({ reference: `Patient/${house.anna}` })
    }
  })

  it.each([
    ['one of the file', 'Practitioner?identifier=urn:npi|7', true],
    ['none', 'Practitioner?identifier=urn:npi|8', false],
  ])('that asks for a number finds %s', async (_, reference, isThere) => {
    const practitioner = { resourceType: 'Practitioner', identifier: [{ system: 'urn:npi', value: '7' }] }
    const { one, house } = await take(
      bundle({ resource: observation({ performer: [{ reference }] }) }, { resource: practitioner }),
    )
    const [kept] = await found(house.record, 'Practitioner')
    const number = { system: 'urn:npi', value: '8' }
    expect((await one('Observation'))?.performer).toEqual([
      isThere ? { reference: `Practitioner/${kept?.id}` } : { identifier: number },
    ])
  })

  it('to what it contains stays', async () => {
    const device = { resourceType: 'Device', id: 'd', deviceName: [{ name: 'x', type: 'other' }] }
    const { one } = await take(bundle({ resource: observation({ contained: [device], device: { reference: '#d' } }) }))
    expect((await one('Observation'))?.device).toEqual({ reference: '#d' })
  })
})

describe('a file without a Patient that is about several people', () => {
  const of = (reference: string) => ({
    resource: { resourceType: 'Observation', status: 'final', code: {}, subject: { reference } },
  })

  it('is refused by the places where it says so', async () => {
    const { report, state } = await take(bundle(of('Patient/a'), of('Patient/a'), of('Patient/b')))
    expect(state).toBe('failed')
    expect(JSON.stringify(report)).toContain('Bundle.entry[2]')
    const lines = await take(
      [of('Patient/a'), of('Patient/b')].map(({ resource }) => `${JSON.stringify(resource)}\n`).join(''),
    )
    expect(JSON.stringify(lines.report)).toContain('line[2]')
  })
})

describe('what a source has deleted', () => {
  const history = (...entry: readonly object[]) => JSON.stringify({ resourceType: 'Bundle', type: 'history', entry })
  const version = (versionId: string, day: string) => ({
    fullUrl: `${base}/Observation/o`,
    resource: {
      resourceType: 'Observation',
      id: 'o',
      meta: { versionId, lastUpdated: `2024-01-${day}T00:00:00Z` },
      status: 'final',
      code: { text: versionId },
    },
    request: { method: 'PUT', url: 'Observation/o' },
    response: { status: '200', etag: `W/"${versionId}"`, lastModified: `2024-01-${day}T00:00:00Z` },
  })
  const gone = {
    fullUrl: `${base}/Observation/o`,
    request: { method: 'DELETE', url: 'Observation/o' },
    response: { status: '204', etag: 'W/"3"', lastModified: '2024-01-03T00:00:00Z' },
  }

  it('before it was ever imported, does not come with an older version, and comes with a newer one', async () => {
    const { house, one } = await take(history(gone))
    expect((await take(history(version('2', '02')), house)).counts).toMatchObject({ rows: 1, duplicate: 1, created: 0 })
    expect(await one('Observation')).toBeUndefined()
    expect((await take(history(version('4', '04')), house)).counts).toMatchObject({ created: 1 })
    expect((await take(history(gone), house)).counts).toMatchObject({ rows: 1, duplicate: 1 })
    expect((await one('Observation'))?.code).toEqual({ text: '4' })
  })

  it('after it was imported, comes back with a newer version alone', async () => {
    const { house, one } = await take(history(version('1', '01')))
    expect((await take(history(gone), house)).counts).toMatchObject({ mapped: 1 })
    expect((await take(history(version('2', '02')), house)).counts).toMatchObject({ duplicate: 1 })
    expect(await one('Observation')).toBeUndefined()
    expect((await take(history(version('4', '04')), house)).counts).toMatchObject({ mapped: 1, updated: 1 })
    expect((await one('Observation'))?.code).toEqual({ text: '4' })
  })

  it('and a person after it has come back, stays deleted', async () => {
    const { house, one } = await take(history(gone))
    await take(history(version('4', '04')), house)
    const id = String((await one('Observation'))?.id)
    await house.record.writer(everything()).transact(txn => txn.delete('Observation', id))
    expect((await take(history(version('5', '05')), house)).counts).toMatchObject({ duplicate: 1 })
    expect(await one('Observation')).toBeUndefined()
  })

  it('after a person had deleted it stays deleted: before the source did, or after it had come back', async () => {
    const deletedHere = async (...files: readonly string[]) => {
      const { house, one } = await take(history())
      for (const file of files) await take(file, house)
      const id = String((await one('Observation'))?.id)
      await house.record.writer(everything()).transact(txn => txn.delete('Observation', id))
      return { house, one }
    }
    for (const files of [[history(version('2', '02'))], [history(gone), history(version('4', '04'))]]) {
      const { house, one } = await deletedHere(...files)
      expect((await take(`${history(gone)} `, house)).counts).toMatchObject({ rows: 1, duplicate: 1 })
      expect((await take(history(version('5', '05')), house)).counts).toMatchObject({ duplicate: 1 })
      expect(await one('Observation')).toBeUndefined()
    }
  })

  it('several times in one file is one deletion, and nothing of it stays when the patient is erased', async () => {
    const { house, counts } = await take(history(gone, gone))
    expect(counts).toMatchObject({ rows: 2, duplicate: 2 })
    await house.ingest.forgetPatient(house.anna)
    expect(await house.record.documents.list('ingest-deletions')).toEqual([])
  })

  describe('of somebody who was merged into another one', () => {
    const grants = { 'whoever reaches both': () => everything(), 'whoever reaches the one who stays': ofPatient }
    const ofBert = async (...files: readonly string[]) => {
      const house = await openHouse()
      for (const file of files) await ingested(house, house.bert, everything(), file)
      await house.ingest.people.merge({ grant: everything(), source: house.bert, target: house.anna })
      const imported = async (file: string, grant = everything()) =>
        (await ingested(house, house.anna, grant, file)).counts
      return { house, imported, shown: async () => (await found(house.record, 'Observation')).map(({ code }) => code) }
    }

    it.each(Object.entries(grants))(
      'does not come with an older version that comes for the one who stays: %s',
      async (_, grantFor) => {
        for (const files of [[history(gone)], [history(version('1', '01')), history(gone)]]) {
          const { house, imported, shown } = await ofBert(...files)
          const counts = await imported(history(version('2', '02')), grantFor(house.anna))
          expect(counts).toMatchObject({ rows: 1, duplicate: 1, created: 0 })
          expect(await shown()).toEqual([])
        }
      },
    )

    it('comes with a newer one, whether it was here or not', async () => {
      for (const files of [[history(gone)], [history(version('1', '01')), history(gone)]]) {
        const { imported, shown } = await ofBert(...files)
        expect(await imported(history(version('4', '04')))).toMatchObject({ mapped: 1 })
        expect(await shown()).toEqual([{ text: '4' }])
        expect(await imported(history(version('4', '04'), version('2', '02')))).toMatchObject({
          created: 0,
          updated: 0,
        })
      }
    })

    it('is theirs alone again when the merge is undone', async () => {
      const { house, imported, shown } = await ofBert(history(gone))
      await house.ingest.people.unmerge({ grant: everything(), source: house.bert })
      expect(await imported(history(version('2', '02')))).toMatchObject({ created: 1 })
      const { counts } = await ingested(house, house.bert, everything(), `${history(version('2', '02'))} `)
      expect(counts).toMatchObject({ duplicate: 1, created: 0 })
      expect(await shown()).toEqual([{ text: '2' }])
    })

    it('leaves nothing when both are erased', async () => {
      const { house, imported } = await ofBert(history(gone))
      await imported(history(version('4', '04')))
      for (const one of [house.bert, house.anna]) await house.ingest.forgetPatient(one)
      expect(await house.record.documents.list('ingest-deletions')).toEqual([])
    })
  })
})
