/** What an account brings in for a person whom it keeps in a lesser role. */
import type { Grant, Keeping } from '#access'
import { createPatient, found, grantOf, ingested, openHouse, readPatient, type TestHouse } from './house.ts'
import { message } from './reading.ts'

const viewer: Keeping = { role: 'viewer', categories: ['vital-signs'] }
const levels = ['user/*.cruds', 'patient/*.cruds'] as const

let house: TestHouse
let ann: string
beforeEach(async () => {
  house = await openHouse()
  ann = await createPatient(house.record, {
    identifier: [{ system: 'urn:oid:2.999.1.1', value: '4711' }],
    name: [{ family: 'Sample', given: ['Ann'] }],
    birthDate: '1980-02-03',
  })
  await house.record.addPatientTo('owner', ann)
})

async function grantFor(account: string, scope: string = levels[0]): Promise<Grant> {
  const inContext = scope.startsWith('patient/') ? { patient: ann } : {}
  return grantOf(scope, { account, ...(await house.record.keptBy(account)), ...inContext })
}

const entry = (resource: { readonly resourceType: string; readonly id: string }) => ({
  fullUrl: `https://h.example/${resource.resourceType}/${resource.id}`,
  resource,
})
const patient = {
  resourceType: 'Patient',
  id: 'p',
  name: [{ family: 'Sample', given: ['Ann'] }],
  birthDate: '1980-02-03',
}
const subject = { reference: 'Patient/p' }
const condition = (text: string) => ({ resourceType: 'Condition', id: 'c', code: { text }, subject })
const result = (id: string, valueInteger: number) => ({
  resourceType: 'Observation',
  id,
  status: 'final',
  code: { text: 'count' },
  subject,
  valueInteger,
})
const file = (...resources: readonly Parameters<typeof entry>[0][]) =>
  JSON.stringify({ resourceType: 'Bundle', type: 'collection', entry: [patient, ...resources].map(entry) })

/** How an import ended, or the code for which it did not begin. */
const broughtBy = async (grant: Grant, content: string) => {
  try {
    const { state, counts } = await ingested(house, ann, grant, content)
    return { state, created: counts.created, duplicate: counts.duplicate, rejected: counts.rejected }
  } catch (error) {
    return (error as { readonly code?: string }).code
  }
}

it.each(levels)('a viewer brings nothing in, and is not told whether it is here, under %s', async scope => {
  const here = file(condition('depression'))
  expect(await broughtBy(await grantFor('owner'), here)).toMatchObject({ state: 'done', created: 1 })
  await house.record.addPatientTo('coach', ann, viewer)
  const grant = await grantFor('coach', scope)
  const refusals = []
  for (const content of [here, file(condition('depression'), result('o', 1)), file(condition('none'))])
    refusals.push(await broughtBy(grant, content))
  expect(refusals).toEqual(Array(3).fill(scope === levels[0] ? 'record.owner-foreign' : 'scope.missing'))
  expect(await found(house.record, 'Observation')).toEqual([])
})

it('nor by messages', async () => {
  const text = (id: string, value: string) =>
    message(
      `MSH|^~\\&|HIS|C|||20260210||ORU^R01|${id}|P|2.5`,
      'PID|1||4711^^^&2.999.1.1&ISO||Sample^Ann||19800203|F',
      'OBR|1|||24331-1^Lipids^LN',
      `OBX|1|NM|2093-3^Cholesterol^LN||${value}|mg/dL|||||F|||20260209`,
    )
  const send = async (grant: Grant, bytes: Buffer) => {
    const { status, ack } = await house.ingest.hl7v2({ grant, message: bytes })
    return [status, /MSA\|(..)/.exec(ack)?.[1]]
  }
  expect(await send(await grantFor('owner'), text('M1', '200'))).toEqual([200, 'AA'])
  await house.record.addPatientTo('coach', ann, viewer)
  const grant = await grantFor('coach')
  const answers = []
  for (const bytes of [text('M1', '200'), text('M2', '200'), text('M3', '7')]) answers.push(await send(grant, bytes))
  expect(answers).toEqual(Array(3).fill([400, 'AR']))
})

it.each(levels)('a member adds, and changes neither the person nor what is here, under %s', async scope => {
  await house.record.addPatientTo('carer', ann, { role: 'member' })
  const grant = await grantFor('carer', scope)
  expect(await broughtBy(grant, file(result('o', 1)))).toMatchObject({ state: 'done', created: 1 })
  const denied = { row: 'Observation', reason: 'not-permitted' }
  expect(await broughtBy(grant, file(result('o', 2), result('n', 3)))).toMatchObject({
    created: 1,
    rejected: [denied],
  })
  const values = (await found(house.record, 'Observation')).map(({ valueInteger }) => valueInteger)
  expect(values.sort()).toEqual([1, 3])
  expect((await readPatient(house.record, ann)).meta?.versionId).toBe('1')
})

it('who becomes a viewer after an import began ends it', async () => {
  await house.record.addPatientTo('carer', ann, { role: 'member' })
  const began = await grantFor('carer')
  const renew = async () => {
    await house.record.limitKeeping('carer', ann, viewer)
    return grantFor('carer')
  }
  const body = (async function* () {
    yield Buffer.from(file(result('o', 1)))
  })()
  const job = await house.ingest.start({ grant: began, patient: ann, body, renew })
  await job.done
  expect((await house.ingest.job(job.id, began))?.state).toBe('failed')
  expect(await found(house.record, 'Observation')).toEqual([])
})
