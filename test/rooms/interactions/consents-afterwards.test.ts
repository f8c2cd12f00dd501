/** What was made, found or said before a Consent, and what is asked for after it: https://hl7.org/fhir/R4/consent.html */
import type { Grant } from '#access'
import { type Answer, grantOf, type House, openHouse } from './house.ts'

let house: House
const admin = grantOf('system/*.cruds')
const secret = 'Hidden-7f3a'
const acts = 'http://terminology.hl7.org/CodeSystem/v3-ActCode'
const label = { system: acts, code: 'SUD' }
const typesOf = (...codes: string[]) => ({
  class: codes.map(code => ({ system: 'http://hl7.org/fhir/resource-types', code })),
})
const toApp = (value: string) => ({
  actor: [
    {
      role: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType', code: 'IRCP' }] },
      reference: { identifier: { system: 'https://kinhold.org/fhir/client', value } },
    },
  ],
})
const consentOf = (provision: object) => ({
  resourceType: 'Consent',
  status: 'active',
  scope: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentscope', code: 'patient-privacy' }] },
  category: [{ coding: [{ system: 'http://loinc.org', code: '59284-0' }] }],
  patient: { reference: 'Patient/a' },
  policyRule: { coding: [{ system: acts, code: 'OPTIN' }] },
  provision: { type: 'deny', ...provision },
})
const observation = (id: string, text: string, more: object = {}) => ({
  resourceType: 'Observation',
  id,
  status: 'final',
  code: { text },
  subject: { reference: 'Patient/a' },
  ...more,
})

async function grantFor(account: string, about: Partial<Grant> = {}, scope = 'user/*.cruds'): Promise<Grant> {
  const actor = { kind: 'account', id: account } as const
  const kept = await house.record.keptBy(account)
  return grantOf(scope, { id: `${account} ${JSON.stringify(about)}`, actor, account, ...kept, ...about })
}

async function written(method: string, path: string, body: object | undefined, grant = admin): Promise<Answer> {
  const answer = await house.ask(method, path, { grant, ...(body === undefined ? {} : { body }) })
  if (answer.status >= 300) throw new Error(answer.text)
  return answer
}

const put = (body: { readonly resourceType: string; readonly id: string }, grant = admin) =>
  written('PUT', `/${body.resourceType}/${body.id}`, body, grant)
const ruled = async (provision: object): Promise<string> =>
  (await written('POST', '/Consent', consentOf(provision), await grantFor('anna'))).json.id
const idsIn = ({ json }: Answer): string[] =>
  (json.entry ?? []).map(({ resource }: { resource: { id: string } }) => resource.id).sort()

beforeEach(async () => {
  house = await openHouse()
  for (const id of ['a', 'b']) await put({ resourceType: 'Patient', id })
  await house.record.addPatientTo('anna', 'a')
  await house.record.addPatientTo('bert', 'a', { role: 'guardian' })
  await house.record.addPatientTo('bert', 'b')
})
afterEach(() => house.close())

describe('a label that a resource was given later', () => {
  const labelled = { meta: { security: [label] } }

  it.each(['labelled', 'labelled and deleted'])('withholds what it said before: %s', async what => {
    for (const id of ['one', 'two', 'three']) {
      await put(observation(id, `${secret} drinks`))
      house.clock.advance(1_000)
    }
    await ruled({ securityLabel: [label] })
    const grant = await grantFor('bert')
    const first = await house.ask('GET', '/Observation?_sort=_id&_count=1', { grant })
    expect(idsIn(first)).toEqual(['one'])
    const next = first.json.link.find(({ relation }: { relation: string }) => relation === 'next').url
    house.clock.advance(1_000)
    const owner = await grantFor('anna')
    await put(observation('three', secret, labelled), owner)
    if (what !== 'labelled') await written('DELETE', '/Observation/three', undefined, owner)
    for (const path of [
      '/Observation/three',
      '/Observation/three/_history',
      '/Observation/three/_history/1',
      '/Observation/_history',
      '/Observation/_history?_at=2026-03-01T12:00:02Z',
      '/_history?_since=2026-01-01',
      '/Patient/a/_history',
      '/Observation/three/_history/2',
    ]) {
      const answer = await house.ask('GET', path, { grant })
      expect([path, answer.text.includes('three"')]).toEqual([path, false])
    }
    const second = await house.ask('GET', next.replace(/^.*\/fhir/, ''), { grant })
    expect(idsIn(second)).toEqual([])
    expect((await house.ask('GET', '/Observation/two/_history/1', { grant })).status).toBe(200)
    expect((await house.ask('GET', '/Observation/three/_history/1', { grant: owner })).status).toBe(200)
  })
})

describe('an export', () => {
  async function exported(grant: Grant, path = '/$export?_type=Observation') {
    const begun = await house.ask('GET', path, { grant, headers: { prefer: 'respond-async' } })
    if (begun.status !== 202) throw new Error(begun.text)
    const job = String(begun.headers['content-location']).replace(/^.*\/fhir/, '')
    for (;;) {
      const answer = await house.ask('GET', job, { grant })
      if (answer.status !== 202) return { job, manifest: answer.json }
      await new Promise(resolve => setTimeout(resolve, 2))
    }
  }
  type Files = readonly { readonly url: string; readonly count?: number; readonly type: string }[]
  async function linesOf(files: Files, grant: Grant): Promise<string> {
    const texts = []
    for (const { url } of files) texts.push((await house.ask('GET', url.replace(/^.*\/fhir/, ''), { grant })).text)
    return texts.join('')
  }

  it.each([
    ['of everybody', '/$export?_type=Observation,Condition'],
    ['of patients', '/Patient/$export?_type=Observation,Condition'],
  ])('%s gives the owner all, and a guardian what is not withheld', async (_, path) => {
    await put(observation('one', secret))
    await put({ resourceType: 'Condition', id: 'c', subject: { reference: 'Patient/a' } } as never)
    await ruled(typesOf('Observation'))
    for (const [account, types] of [
      ['anna', ['Condition', 'Observation']],
      ['bert', ['Condition']],
    ] as const) {
      const grant = await grantFor(account)
      const { manifest } = await exported(grant, path)
      expect([account, manifest.output.map(({ type }: { type: string }) => type).sort()]).toEqual([account, types])
    }
  })

  it('that was begun before and is fetched after tells nothing of it any more', async () => {
    await put(observation('one', secret))
    await put(observation('gone', 'gone'))
    house.clock.advance(60_000)
    await written('DELETE', '/Observation/gone', undefined)
    const grant = grantOf('system/*.rs', { actor: { kind: 'client', id: 'c1', clientId: 'tracker' }, id: 'c1' })
    const { job, manifest } = await exported(grant, '/$export?_type=Observation&_since=2026-03-01T12:00:30Z')
    const whole = await exported(grant)
    expect(manifest.deleted).toHaveLength(1)
    const id = await ruled({ ...typesOf('Observation'), ...toApp('tracker') })
    const after = (await house.ask('GET', job, { grant })).json
    expect(after.deleted).toEqual([])
    expect(await linesOf(manifest.deleted, grant)).not.toContain('Observation/gone')
    expect(await linesOf(whole.manifest.output, grant)).not.toContain(secret)
    const counted = (await house.ask('GET', whole.job, { grant })).json.output as Files
    expect(counted.map(({ count }) => count ?? 'unsaid')).toEqual(counted.map(() => 'unsaid'))
    await written('DELETE', `/Consent/${id}`, undefined, await grantFor('anna'))
    expect(await linesOf(whole.manifest.output, grant)).toContain(secret)
  })
})

describe('what a household keeps of several', () => {
  it('is withheld with one of them, from clients that act for nobody as well', async () => {
    // Of so many that it lies in the household.
    const many = [...Array(33).keys()].map(at => `member-${at}`)
    for (const id of many) {
      await put({ resourceType: 'Patient', id })
      await house.record.addPatientTo('anna', id)
    }
    const members = ['a', ...many].map(id => ({ entity: { reference: `Patient/${id}` } }))
    const group = { resourceType: 'Group', type: 'person', actual: true, name: secret, member: members }
    const { id } = (await written('POST', '/Group', group, await grantFor('anna'))).json
    await ruled({ ...typesOf('Group', 'Observation'), ...toApp('tracker') })
    const client = grantOf('system/*.cruds', { actor: { kind: 'client', id: 'c1', clientId: 'tracker' }, id: 'c1' })
    expect((await house.ask('GET', `/Group/${id}`, { grant: admin })).status).toBe(200)
    expect((await house.ask('GET', `/Group/${id}`, { grant: client })).status).toBe(404)
    expect((await house.ask('GET', '/Group', { grant: client })).json.entry ?? []).toEqual([])
    expect((await house.ask('GET', '/Group?_summary=count', { grant: client })).json.total).toBe(0)
  })
})
