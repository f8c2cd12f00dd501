/** A person whom an account keeps by invitation of another one: everything but what ends them. */
import { type Answer, grantOf, type House, openHouse, patientA, weightOf } from './house.ts'

let house: House
beforeEach(async () => {
  house = await openHouse()
  await house.ask('PUT', '/Patient/a', { grant: grantOf('system/*.cruds'), body: patientA })
  await house.record.addPatientTo('anna', 'a')
  await house.record.addPatientTo('bert', 'a', { role: 'guardian' })
})
afterEach(() => house.close())

const of = (account: string, scope = 'user/*.cruds') => grantOf(scope, { account, patients: ['a'] })
const codeOf = ({ json }: Answer) => json.issue[0].details.coding[0].code

it('reads, writes and deletes what is theirs', async () => {
  const { status, json } = await house.ask('POST', '/Observation', { grant: of('bert'), body: weightOf('a', 70) })
  expect(status).toBe(201)
  expect((await house.ask('GET', `/Observation/${json.id}`, { grant: of('anna') })).status).toBe(200)
  expect((await house.ask('DELETE', `/Observation/${json.id}`, { grant: of('bert') })).status).toBe(204)
})

it.each([
  ['/Patient/a/$purge?confirm=a', undefined],
  ['/Patient/a/$purge', { resourceType: 'Parameters', parameter: [{ name: 'confirm', valueString: 'a' }] }],
])('does not erase them: POST %s', async (path, body) => {
  const asked = body === undefined ? {} : { body }
  const refused = await house.ask('POST', path, { grant: of('bert'), ...asked })
  expect([refused.status, codeOf(refused)]).toEqual([403, 'purge.guarded'])
  expect((await house.ask('GET', '/Patient/a', { grant: of('anna') })).status).toBe(200)
  expect((await house.ask('POST', path, { grant: of('anna'), ...asked })).status).toBe(200)
  expect(await house.record.patientsOf('bert')).toEqual([])
})

it('tells an account that does not keep them nothing of who does', async () => {
  const foreign = grantOf('user/*.cruds', { account: 'cleo', patients: [] })
  expect((await house.ask('POST', '/Patient/a/$purge?confirm=a', { grant: foreign })).status).toBe(404)
})
