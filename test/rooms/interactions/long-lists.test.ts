/** Lists of some hundred thousand, which gzip makes of a few kilobytes: an answer, and never a fault. */
import { admin, grantOf, type House, openHouse, patientA } from './house.ts'

/** More than can be put on the stack of a call at once. */
const many = 200_000
const list = (make: (at: number) => unknown) => Array.from({ length: many }, (_, at) => make(at))

let house: House
beforeAll(async () => {
  house = await openHouse()
  await house.ask('PUT', '/Patient/a', { grant: admin, body: patientA })
})
afterAll(() => house.close())

const observation = { resourceType: 'Observation', status: 'final', code: { text: 'x' } }
const listed = { resourceType: 'List', status: 'current', mode: 'working' }

it.each<[string, object]>([
  ['components that say nothing', { ...observation, component: list(() => ({})) }],
  [
    'components that say something',
    { ...observation, component: list(() => ({ code: { text: 'y' }, valueInteger: 1 })) },
  ],
  ['entries that say nothing', { ...listed, entry: list(() => ({})) }],
  ['profiles that it claims', { ...observation, meta: { profile: list(at => `http://example.org/${at}`) } }],
  ['empty texts', { ...observation, note: [{ text: 'x' }], category: [{ coding: list(() => null) }] }],
  [
    'groups of a report',
    {
      resourceType: 'MeasureReport',
      status: 'complete',
      type: 'summary',
      measure: 'http://example.org/m',
      period: {},
      group: list(() => ({})),
    },
  ],
])('are validated or refused: %s', async (_what, resource) => {
  const { resourceType } = resource as { resourceType: string }
  const { status, json } = await house.ask('POST', `/${resourceType}/$validate`, {
    grant: grantOf('patient/*.cruds', { patient: 'a' }),
    body: resource,
  })
  expect([200, 400, 413, 422]).toContain(status)
  expect(json.issue[0].code).not.toBe('exception')
})
