import { grantOf, type House, openHouse } from './house.ts'

const laboratory = 'http://terminology.hl7.org/CodeSystem/observation-category|laboratory'
const admin = grantOf('system/*.cruds', { patients: 'all' })
const family = grantOf('user/*.cruds', { account: 'family', patients: ['anna'] })
const others = grantOf('user/*.cruds', { account: 'others', patients: [] })

describe('what may be seen and not be deleted – https://hl7.org/fhir/R4/http.html#delete', () => {
  let house: House
  let doctor = ''
  beforeAll(async () => {
    house = await openHouse()
    await house.ask('PUT', '/Patient/anna', { body: { resourceType: 'Patient', id: 'anna' }, grant: admin })
    await house.record.addPatientTo('family', 'anna')
    const practitioner = { resourceType: 'Practitioner', name: [{ family: 'Brandt' }] }
    const made = await house.ask('POST', '/Practitioner', { body: practitioner, grant: others })
    doctor = made.json.id
    const pulse = {
      resourceType: 'Observation',
      id: 'pulse',
      status: 'final',
      code: { text: 'pulse' },
      subject: { reference: 'Patient/anna' },
      performer: [{ reference: `Practitioner/${doctor}` }],
    }
    await house.ask('PUT', '/Observation/pulse', { body: pulse, grant: admin })
  })
  afterAll(() => house.close())

  it.each([
    ['a doctor of another account whom a record names', () => `/Practitioner/${doctor}`, family],
    [
      'a result that the scopes show and do not let delete',
      () => '/Observation/pulse',
      grantOf(`patient/Observation.rs patient/Observation.d?category=${laboratory}`, { patient: 'anna', patients: [] }),
    ],
  ])('is refused, and stays: %s', async (_, url, grant) => {
    expect((await house.ask('GET', url(), { grant })).status).toBe(200)
    const [, type, id] = url().split('/')
    for (const asked of [url(), `/${type}?_id=${id}`]) {
      const { status, json } = await house.ask('DELETE', asked, { grant })
      expect([asked, status, json?.issue[0].details.coding[0].code]).toEqual([asked, 403, 'record.owner-foreign'])
      const entry = [{ request: { method: 'DELETE', url: asked.slice(1) } }]
      const bundle = (kind: string) => ({ body: { resourceType: 'Bundle', type: kind, entry }, grant })
      const whole = await house.ask('POST', '/', bundle('transaction'))
      expect([asked, whole.status, whole.json.issue[0].expression]).toEqual([asked, 403, ['Bundle.entry[0]']])
      const each = await house.ask('POST', '/', bundle('batch'))
      expect([asked, each.json.entry[0].response.status]).toEqual([asked, '403'])
    }
    expect((await house.ask('GET', url(), { grant })).status).toBe(200)
  })

  it('what is gone already is gone, and so is what never was, or is not seen', async () => {
    await house.ask('PUT', '/Observation/old', {
      body: {
        resourceType: 'Observation',
        id: 'old',
        status: 'final',
        code: { text: 'x' },
        subject: { reference: 'Patient/anna' },
      },
      grant: admin,
    })
    const asked = async (url: string) => (await house.ask('DELETE', url, { grant: family })).status
    expect([await asked('/Observation/old'), await asked('/Observation/old')]).toEqual([204, 204])
    expect([await asked('/Observation/none'), await asked('/Practitioner/none')]).toEqual([204, 204])
    const outcome = { headers: { prefer: 'return=OperationOutcome' }, grant: family }
    const told = await house.ask('DELETE', '/Observation/none', outcome)
    expect([told.status, told.json.issue[0].severity]).toEqual([200, 'information'])
    const entry = [{ request: { method: 'DELETE', url: 'Observation/none' } }]
    for (const type of ['batch', 'transaction']) {
      const body = { resourceType: 'Bundle', type, entry }
      const { json } = await house.ask('POST', '/', { body, grant: family })
      expect([type, json.entry[0].response.status]).toEqual([type, '204'])
    }
    expect((await house.ask('DELETE', `/Practitioner/${doctor}`, { grant: others })).status).toBe(204)
  })
})
