import { createValidator } from '#validation'
import { everything, found, ingested, openHouse } from './house.ts'

/** A resource that goes to the validating thread, which has no time at all here. */
const large = { text: 'x'.repeat(64) }
const subject = { reference: 'Patient/p' }
const observation = (id: string, note: object[] = []) => ({
  resourceType: 'Observation',
  id,
  status: 'final',
  code: { text: id },
  subject,
  ...(note.length === 0 ? {} : { note }),
})
const report = (...results: string[]) => ({
  resourceType: 'DiagnosticReport',
  id: 'r',
  status: 'final',
  code: { text: 'r' },
  subject,
  result: results.map(id => ({ reference: `Observation/${id}` })),
})
const costly = observation('costly', Array(40_000).fill(large))
const patient = { resourceType: 'Patient', id: 'p' }

const bundle = (...resources: object[]) =>
  JSON.stringify({ resourceType: 'Bundle', type: 'collection', entry: resources.map(resource => ({ resource })) })
const lines = (...resources: object[]) => resources.map(one => JSON.stringify(one)).join('\n')

describe('a resource that is too costly to validate', () => {
  const validator = createValidator({ longestMs: 0 })
  afterAll(() => validator.close())
  const house = () => openHouse({}, undefined, undefined, undefined, validator)

  it.each([
    ['in a Bundle', bundle(patient, observation('a'), costly, observation('b'))],
    ['first in a Bundle', bundle(patient, costly, observation('a'), observation('b'))],
    ['in NDJSON', lines(patient, observation('a'), costly, observation('b'))],
  ])('%s costs itself', async (_, file) => {
    const one = await house()
    const { state, counts } = await ingested(one, one.anna, everything(), file)
    expect(state).toBe('done')
    expect(counts.rejected).toMatchObject([{ row: 'Observation', reason: 'too-costly', count: 1 }])
    const all = await found(one.record, 'Observation')
    expect(all.map(({ code }) => (code as { text: string }).text).toSorted()).toEqual(['a', 'b'])
  })

  it('costs itself when it takes more memory than the thread has', async () => {
    const extension = Array.from({ length: 8 }, (_, at) => ({ url: `http://x.example/${at}`, valueDecimal: at + 0.5 }))
    const narrow = createValidator({ heapMebibytes: 24 })
    const one = await openHouse({}, undefined, undefined, undefined, narrow)
    const file = bundle(patient, observation('costly', Array(20_000).fill({ text: 'x', extension })), observation('a'))
    const { state, counts } = await ingested(one, one.anna, everything(), file).finally(() => narrow.close())
    expect(state).toBe('done')
    expect(counts.rejected).toMatchObject([{ row: 'Observation', reason: 'too-costly', count: 1 }])
    expect(await found(one.record, 'Observation')).toMatchObject([{ code: { text: 'a' } }])
  })

  it('nothing refers to it', async () => {
    const one = await house()
    const { counts } = await ingested(
      one,
      one.anna,
      everything(),
      bundle(patient, report('a', 'costly'), costly, observation('a')),
    )
    expect(counts.rejected).toHaveLength(1)
    const [made] = await found(one.record, 'DiagnosticReport')
    const [a] = await found(one.record, 'Observation')
    expect(made?.result).toEqual([
      { reference: `Observation/${a?.id}` },
      { identifier: { value: 'Observation/costly' } },
    ])
  })
})
