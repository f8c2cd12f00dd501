import { createPatient, everything, found, ingested, openHouse, type TestHouse, versionsOf } from './house.ts'

interface Told {
  readonly value?: string
  readonly version?: string
  readonly at?: string
  readonly fullUrl?: string
  readonly id?: string
}

const patient = { resource: { resourceType: 'Patient', id: 'p1', name: [{ family: 'Anna' }] } }

const said = ({ value = 'x', version, at, fullUrl, id = 'o1' }: Told) => ({
  ...(fullUrl === undefined ? {} : { fullUrl }),
  resource: {
    resourceType: 'Observation',
    id,
    meta: {
      ...(version === undefined ? {} : { versionId: version }),
      ...(at === undefined ? {} : { lastUpdated: at }),
    },
    status: 'final',
    code: { text: 'Weight' },
    subject: { reference: 'Patient/p1' },
    valueString: value,
  },
  request: { method: 'PUT', url: `Observation/${id}` },
})

const gone = ({ at, version, fullUrl, id = 'o1' }: Told) => ({
  ...(fullUrl === undefined ? {} : { fullUrl }),
  request: { method: 'DELETE', url: `Observation/${id}` },
  response: {
    status: '204',
    ...(at === undefined ? {} : { lastModified: at }),
    ...(version === undefined ? {} : { etag: `W/"${version}"` }),
  },
})

const bundle = (type: string, ...entry: object[]) => JSON.stringify({ resourceType: 'Bundle', type, entry })
const history = (...entries: object[]) => bundle('history', patient, ...entries)
const day = (n: number) => `2024-03-0${n}T00:00:00Z`
const [first, second, third] = [1, 2, 3].map(n => ({ version: String(n), at: day(n) }))

async function take(house: TestHouse, ...texts: string[]) {
  const reports = []
  for (const text of texts) reports.push((await ingested(house, house.anna, everything(), text)).counts)
  return reports
}

async function valuesAfter(...texts: string[]): Promise<unknown[]> {
  const house = await openHouse()
  await take(house, ...texts)
  return (await found(house.record, 'Observation')).map(({ valueString }) => valueString).sort()
}

describe('a history Bundle – https://hl7.org/fhir/R4/http.html#history', () => {
  const [one, two, three] = [
    said({ value: 'one', ...first }),
    said({ value: 'two', ...second }),
    said({ value: 'three', ...third }),
  ]

  it.each([
    ['newest first, as servers send it', [three, two, one]],
    ['oldest first', [one, two, three]],
    ['in no order', [two, three, one]],
  ])('leaves the newest version, %s', async (_, entries) => {
    expect(await valuesAfter(history(...entries))).toEqual(['three'])
  })

  it('knows the newest by the time alone, by the number alone, or by its place in the history', async () => {
    expect(await valuesAfter(history(said({ value: 'old', at: day(1) }), said({ value: 'new', at: day(2) })))).toEqual([
      'new',
    ])
    expect(
      await valuesAfter(history(said({ value: 'old', version: '9' }), said({ value: 'new', version: '10' }))),
    ).toEqual(['new'])
    expect(await valuesAfter(history(said({ value: 'new' }), said({ value: 'old' })))).toEqual(['new'])
    expect(
      await valuesAfter(history(said({ value: 'new', version: 'b' }), said({ value: 'old', version: 'a' }))),
    ).toEqual(['new'])
  })

  it('knows the time of a version from the answer where the resource does not say it', async () => {
    const answered = (value: string, at: string) => ({
      ...said({ value }),
      response: { status: '200', lastModified: at, etag: 'W/"1"' },
    })
    expect(await valuesAfter(history(answered('old', day(1)), answered('new', day(2))))).toEqual(['new'])
  })

  it('compares instants, not texts', async () => {
    const entries = [
      said({ value: 'old', at: '2024-03-01T12:00:00+05:00' }),
      said({ value: 'new', at: '2024-03-01T11:00:00Z' }),
    ]
    expect(await valuesAfter(history(...entries))).toEqual(['new'])
  })

  it('does not bring back what was deleted, wherever the deletion stands', async () => {
    const deletion = gone(third ?? {})
    for (const entries of [
      [deletion, two, one],
      [one, two, deletion],
      [two, deletion, one],
    ])
      expect(await valuesAfter(history(...entries))).toEqual([])
    expect(await valuesAfter(history(gone({}), said({ value: 'old' })))).toEqual([])
  })

  it('brings what was made again after a deletion', async () => {
    expect(await valuesAfter(history(three, gone(second ?? {}), one))).toEqual(['three'])
  })

  it('tells resources of different types and addresses apart', async () => {
    const other = { ...said({ value: 'other', ...first, fullUrl: 'https://b.example/fhir/Observation/o1' }) }
    const own = said({ value: 'own', ...second, fullUrl: 'https://a.example/fhir/Observation/o1' })
    expect(await valuesAfter(history(own, other))).toEqual(['other', 'own'])
    const condition = { request: { method: 'DELETE', url: 'Condition/o1' }, response: { lastModified: day(9) } }
    expect(await valuesAfter(history(condition, one))).toEqual(['one'])
  })

  it('says of each version what became of it', async () => {
    const house = await openHouse()
    const [counts] = await take(
      house,
      history(three, two, gone({ id: 'o2', ...third }), said({ id: 'o2', ...first }), one),
    )
    expect(counts).toMatchObject({ rows: 6, created: 1, unmapped: [{ row: 'Observation.older-version', count: 3 }] })
  })

  it('reads an absolute and a versioned address in a deletion', async () => {
    for (const url of ['https://a.example/fhir/Observation/o1', 'Observation/o1/_history/3']) {
      const deletion = { request: { method: 'DELETE', url }, response: { lastModified: day(3) } }
      expect(await valuesAfter(history(one, deletion))).toEqual([])
    }
  })

  it('takes the newest version of the Patient', async () => {
    const house = await openHouse()
    const version = (gender: string, n: number) => ({
      resource: { ...patient.resource, gender, meta: { versionId: String(n), lastUpdated: day(n) } },
    })
    await take(house, bundle('history', version('female', 2), version('male', 1)))
    expect(
      await house.record
        .reader(everything())
        .read('Patient', house.anna)
        .then(({ json }) => json.toString()),
    ).toContain('"female"')
  })
})

describe('what is imported after something newer', () => {
  const export1 = bundle('collection', patient, said({ value: 'one', ...first }))
  const export2 = bundle('collection', patient, said({ value: 'two', ...second }))

  it('does not replace it', async () => {
    expect(await valuesAfter(export2, export1)).toEqual(['two'])
    expect(await valuesAfter(export1, export2, `${export1} `)).toEqual(['two'])
  })

  it('is known by its number where it has no time', async () => {
    const numbered = (value: string, version: string) => bundle('collection', patient, said({ value, version }))
    expect(await valuesAfter(numbered('new', '10'), numbered('old', '9'))).toEqual(['new'])
  })

  it('replaces it where neither says which it is', async () => {
    const plain = (value: string) => bundle('collection', patient, said({ value }))
    expect(await valuesAfter(plain('one'), plain('two'))).toEqual(['two'])
  })

  it('is older than what replaced it without saying which it is', async () => {
    const plain = bundle('collection', patient, said({ value: 'plain' }))
    expect(await valuesAfter(export2, plain, export1)).toEqual(['plain'])
    expect(
      await valuesAfter(export2, plain, bundle('collection', patient, said({ value: 'three', ...third }))),
    ).toEqual(['three'])
    const house = await openHouse()
    await take(house, export2, plain)
    const before = await versionsOf(house.record)
    await take(house, `${plain} `)
    expect(await versionsOf(house.record)).toBe(before)
  })

  it('does not delete it, and what is older is deleted', async () => {
    expect(await valuesAfter(export2, history(gone(first ?? {})))).toEqual(['two'])
    expect(await valuesAfter(export2, history(gone(third ?? {})))).toEqual([])
    const house = await openHouse()
    const [, counts] = await take(house, export2, history(gone(third ?? {})))
    expect(counts).toMatchObject({ updated: 1, mapped: 1, duplicate: 1 })
  })

  it('changes nothing when it is the same file again', async () => {
    const house = await openHouse()
    await take(house, history(said({ value: 'two', ...second }), said({ value: 'one', ...first })))
    const before = await versionsOf(house.record)
    await take(house, `${history(said({ value: 'two', ...second }), said({ value: 'one', ...first }))} `)
    expect(await versionsOf(house.record)).toBe(before)
  })

  it('never touches what is another patient’s', async () => {
    const house = await openHouse()
    const bert = await createPatient(house.record, { name: [{ family: 'Anna' }] })
    await ingested(house, bert, everything(), export2)
    await take(house, history(gone(third ?? {})))
    expect(await found(house.record, 'Observation')).toHaveLength(1)
  })
})

describe('a deletion in another Bundle', () => {
  it('is done in a transaction and a batch, and is none where there are no requests', async () => {
    const kept = bundle('collection', patient, said({ value: 'one', ...first }))
    for (const type of ['transaction', 'batch'])
      expect(await valuesAfter(kept, bundle(type, patient, gone({})))).toEqual([])
    for (const type of ['collection', 'searchset', 'document'])
      expect(await valuesAfter(kept, bundle(type, patient, gone({})))).toEqual(['one'])
  })

  it('of what nobody knows by an id is told', async () => {
    const house = await openHouse()
    const conditional = { request: { method: 'DELETE', url: 'Observation?code=x' } }
    expect((await take(house, bundle('transaction', patient, conditional)))[0]).toMatchObject({
      unmapped: [{ row: 'entry-without-resource', count: 1 }],
    })
  })
})
