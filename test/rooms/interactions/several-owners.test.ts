/**
 * What belongs to several patients, by every way in which it can be asked for: whoever reaches any of them is answered once, whoever
 * reaches none is not. https://hl7.org/fhir/R4/compartmentdefinition-patient.html
 */
import { setTimeout as pause } from 'node:timers/promises'
import { type Grant, type Keeping, parseScope } from '#access'
import type { Resource } from '#fhir'
import { openReceiver, plainSubscription, type Receiver, topicSubscription } from '../subscriptions/receiver.ts'
import { admin, baseUrl, grantOf, type House, openHouse } from './house.ts'

const to = (reference: string) => ({ reference })
const text = { text: 'x' }
const clinicalStatus = {
  coding: [{ system: 'http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical', code: 'active' }],
}
const people = ['mother', 'child', 'stranger'] as const

/** A type, the parameters that lead to each owner, and what it says. */
interface Shape {
  readonly type: string
  /** Parameters by which the mother and the child are found. */
  readonly by: readonly [mother: string, child: string]
  readonly body: object
}

const [mother, child] = [to('Patient/mother'), to('Patient/child')]
const shapes: readonly Shape[] = [
  {
    type: 'Appointment',
    by: ['actor', 'patient'],
    body: { status: 'proposed', participant: [mother, child].map(actor => ({ actor, status: 'accepted' })) },
  },
  {
    type: 'CareTeam',
    by: ['subject', 'participant'],
    body: { subject: mother, participant: [{ member: child }] },
  },
  {
    type: 'Group',
    by: ['member', 'member'],
    body: { type: 'person', actual: true, member: [{ entity: mother }, { entity: child }] },
  },
  {
    type: 'Observation',
    by: ['subject', 'performer'],
    body: { status: 'final', code: text, subject: mother, performer: [child] },
  },
  {
    type: 'AllergyIntolerance',
    by: ['patient', 'asserter'],
    body: { patient: mother, asserter: child, clinicalStatus },
  },
  {
    type: 'Communication',
    by: ['subject', 'recipient'],
    body: { status: 'completed', subject: mother, recipient: [child] },
  },
  {
    type: 'DocumentReference',
    by: ['subject', 'author'],
    body: { status: 'current', subject: mother, author: [child], content: [{ attachment: { title: 'x' } }] },
  },
  {
    type: 'Coverage',
    by: ['beneficiary', 'policy-holder'],
    body: { status: 'active', beneficiary: mother, policyHolder: child, payor: [child] },
  },
  { type: 'Account', by: ['subject', 'subject'], body: { status: 'active', subject: [mother, child] } },
  {
    type: 'List',
    by: ['subject', 'source'],
    body: { status: 'current', mode: 'working', subject: mother, source: child },
  },
  { type: 'Person', by: ['patient', 'link'], body: { link: [{ target: mother }, { target: child }] } },
  {
    type: 'Provenance',
    by: ['target', 'patient'],
    body: { target: [mother, child], recorded: '2026-01-01T00:00:00Z', agent: [{ who: child }] },
  },
]

interface Case {
  readonly house: House
  readonly grant: Grant
  readonly type: string
  readonly id: string
  readonly by: Shape['by']
}

type Way = (asked: Case) => Promise<number>

/** How often something stands in an answer, by what it is named with there. */
const timesIn = (answer: string, what: string) => answer.split(what).length - 1

async function get({ house, grant }: Case, url: string) {
  const answer = await house.ask('GET', url, { grant })
  return answer.status < 300 ? answer.json : { status: answer.status }
}

/** In a Bundle: the entries of that address, over all pages. */
async function entriesAt(asked: Case, url: string): Promise<number> {
  let found = 0
  for (let next: string | undefined = url; next !== undefined; ) {
    const bundle = await get(asked, next)
    for (const { fullUrl } of bundle.entry ?? []) if (fullUrl === `${baseUrl}/${asked.type}/${asked.id}`) found += 1
    const link = (bundle.link ?? []).find(({ relation }: { relation: string }) => relation === 'next')
    next = link?.url.slice(baseUrl.length)
  }
  return found
}

const at =
  (urlOf: (asked: Case) => string): Way =>
  asked =>
    entriesAt(asked, urlOf(asked))

/** Whoever can be asked about: of a patient's own token only that patient. */
const whomOf = ({ grant }: Case) =>
  grant.patient ?? (grant.patients === 'all' ? 'child' : grant.patients.at(-1)) ?? 'none'

async function exported(asked: Case, url: string): Promise<number> {
  const { house, grant, type, id } = asked
  const kick = await house.ask('GET', url, { grant, headers: { prefer: 'respond-async' } })
  if (kick.status !== 202) return kick.status === 403 ? 0 : -kick.status
  const status = (kick.headers['content-location'] ?? '').slice(baseUrl.length)
  for (;;) {
    const answer = await house.ask('GET', status, { grant })
    if (answer.status === 202) await pause(2)
    else {
      let found = 0
      for (const file of answer.json.output.filter((each: { type: string }) => each.type === type)) {
        const { text: lines } = await house.ask('GET', file.url.slice(baseUrl.length), { grant })
        found += lines.split('\n').filter(line => line !== '' && JSON.parse(line).id === id).length
      }
      return found
    }
  }
}

const ways: Readonly<Record<string, Way>> = {
  'a read': async asked =>
    timesIn(JSON.stringify(await get(asked, `/${asked.type}/${asked.id}`)), `"id":"${asked.id}"`),
  'a version': async asked =>
    timesIn(JSON.stringify(await get(asked, `/${asked.type}/${asked.id}/_history/1`)), `"id":"${asked.id}"`),
  'a search': at(({ type }) => `/${type}`),
  'by id': at(({ type, id }) => `/${type}?_id=${id}`),
  'page by page': at(({ type }) => `/${type}?_count=1`),
  sorted: at(({ type }) => `/${type}?_sort=-_lastUpdated,_id`),
  'by the one': at(({ type, by }) => `/${type}?${by[0]}=Patient/mother`),
  'by the other': at(({ type, by }) => `/${type}?${by[1]}=Patient/child`),
  'by either': at(({ type, by }) => `/${type}?${by[0]}=Patient/mother,Patient/child`),
  'by both': at(({ type, by }) => `/${type}?${by[0]}=Patient/mother&${by[1]}=Patient/child`),
  'a count': async asked => (await get(asked, `/${asked.type}?_id=${asked.id}&_summary=count`)).total ?? Number.NaN,
  'a total': async asked =>
    (await get(asked, `/${asked.type}?_id=${asked.id}&_total=accurate&_count=0`)).total ?? Number.NaN,
  'of every type': at(({ type, id }) => `/?_type=${type},Patient&_id=${id}`),
  'in a compartment': at(asked => `/Patient/${whomOf(asked)}/${asked.type}`),
  'of every type in a compartment': at(asked => `/Patient/${whomOf(asked)}/*`),
  'everything of one': at(asked => `/Patient/${whomOf(asked)}/$everything`),
  'everything of all': at(() => '/Patient/$everything'),
  'what refers to patients': at(({ type, by }) => `/Patient?_revinclude=${type}:${by[0]}&_revinclude=${type}:${by[1]}`),
  'by a chain': at(asked => `/${asked.type}?${asked.by[whomOf(asked) === 'mother' ? 0 : 1]}:Patient._id=mother,child`),
  'its history': at(({ type, id }) => `/${type}/${id}/_history`),
  'the history of its type': at(({ type }) => `/${type}/_history`),
  'the history of all': at(() => '/_history'),
  'the history of all, page by page': at(() => '/_history?_count=1'),
  'a list in GraphQL': async asked => {
    const query = `{ ${asked.type}List(_id: "${asked.id}") { id } }`
    const answer = await asked.house.ask('GET', `/$graphql?query=${encodeURIComponent(query)}`, { grant: asked.grant })
    return timesIn(answer.text, `"id":"${asked.id}"`)
  },
  'a resource in GraphQL': async asked => {
    const query = `{ ${asked.type}(id: "${asked.id}") { id } }`
    const answer = await asked.house.ask('GET', `/$graphql?query=${encodeURIComponent(query)}`, { grant: asked.grant })
    return timesIn(answer.text, `"id":"${asked.id}"`)
  },
  'referring in GraphQL': async asked => {
    const inner = `${asked.type}List(_reference: ${asked.by[whomOf(asked) === 'mother' ? 0 : 1].replaceAll('-', '_')}) { id }`
    const url = `/Patient/${whomOf(asked)}/$graphql?query=${encodeURIComponent(`{ ${inner} }`)}`
    const answer = await asked.house.ask('GET', url, { grant: asked.grant })
    return timesIn(answer.text, `"id":"${asked.id}"`)
  },
  'a batch': async asked => {
    const entry = [`${asked.type}?_id=${asked.id}`].map(url => ({ request: { method: 'GET', url } }))
    const body = { resourceType: 'Bundle', type: 'batch', entry }
    const { json } = await asked.house.ask('POST', '/', { grant: asked.grant, body })
    return (json.entry[0].resource?.entry ?? []).length
  },
  'a form': async asked => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const body = `_id=${asked.id}`
    const { json } = await asked.house.ask('POST', `/${asked.type}/_search`, { grant: asked.grant, headers, body })
    return (json.entry ?? []).length
  },
  'an export': asked => exported(asked, '/$export'),
  'an export of patients': asked => exported(asked, '/Patient/$export'),
}

const own = (patient: string) => grantOf('patient/*.rs', { patient })
const of = (...patients: readonly string[]) =>
  grantOf('user/*.rs', { patients: [...patients], account: patients.join('-') })
const readers: Readonly<Record<string, readonly [Grant, number]>> = {
  'the mother’s app': [own('mother'), 1],
  'the child’s app': [own('child'), 1],
  'a stranger’s app': [own('stranger'), 0],
  'the mother’s account': [of('mother'), 1],
  'the account of both': [of('mother', 'child'), 1],
  'the account of a child and a stranger': [of('stranger', 'child'), 1],
  'a stranger’s account': [of('stranger'), 0],
  everybody: [grantOf('system/*.rs', { patients: 'all' }), 1],
}

async function put(house: House, resource: Resource): Promise<void> {
  const answer = await house.ask('PUT', `/${resource.resourceType}/${resource.id}`, { grant: admin, body: resource })
  if (answer.status >= 300) throw new Error(answer.text)
}

async function familyOf(house: House): Promise<void> {
  for (const id of people) await put(house, { resourceType: 'Patient', id, name: [{ family: id }] })
}

describe('what belongs to mother and child', () => {
  let house: House
  beforeAll(async () => {
    house = await openHouse({ bulk: { maxOfOwner: 100 } })
    await familyOf(house)
    for (const { type, body } of shapes) await put(house, { resourceType: type, id: 'shared', ...body } as Resource)
  })
  afterAll(() => house.close())

  it.each(Object.keys(readers))('is found once by whoever reaches one of them: %s', async reader => {
    const [grant, times] = readers[reader] ?? [admin, 0]
    expect(await wronglyFound(house, grant, times)).toEqual([])
  })
})

/** What is not found as often as that: shape and way. */
async function wronglyFound(house: House, grant: Grant, times: number, meant = Object.keys(ways)): Promise<string[]> {
  const wrong: string[] = []
  for (const { type, by } of shapes)
    for (const name of meant) {
      const found = await ways[name]?.({ house, grant, type, id: 'shared', by })
      if (found !== times) wrong.push(`${type} ${name}: ${found}`)
    }
  return wrong
}

/** Ways that hold what is there now, whomever the resource names, of each kind one. */
const now = ['a read', 'a search', 'a count', 'of every type', 'in a compartment', 'everything of one'].concat([
  'a list in GraphQL',
  'a batch',
  'an export',
])

/** The same, about other people. */
function about(shape: Shape, names: { readonly mother: string; readonly child: string }): Resource {
  const said = JSON.stringify(shape.body).replace(
    /Patient\/(mother|child)/g,
    (_, who: 'mother' | 'child') => `Patient/${names[who]}`,
  )
  return { resourceType: shape.type, id: 'shared', ...JSON.parse(said) }
}

describe('what somebody is added to or taken from', () => {
  let house: House
  beforeEach(async () => {
    house = await openHouse({ bulk: { maxOfOwner: 100 } })
    await familyOf(house)
  })
  afterEach(() => house.close())

  it('is found by those whom it names now, and by nobody else', async () => {
    for (const shape of shapes) await put(house, about(shape, { mother: 'mother', child: 'mother' }))
    expect(await wronglyFound(house, own('mother'), 1, now)).toEqual([])
    for (const who of ['child', 'stranger']) expect(await wronglyFound(house, own(who), 0, now)).toEqual([])
    for (const shape of shapes) await put(house, about(shape, { mother: 'mother', child: 'child' }))
    for (const who of ['mother', 'child']) expect(await wronglyFound(house, own(who), 1, now)).toEqual([])
    expect(await wronglyFound(house, of('mother', 'child'), 1, now)).toEqual([])
    for (const shape of shapes) await put(house, about(shape, { mother: 'stranger', child: 'child' }))
    for (const who of ['stranger', 'child']) expect(await wronglyFound(house, own(who), 1, now)).toEqual([])
    for (const grant of [own('mother'), of('mother')]) expect(await wronglyFound(house, grant, 0, now)).toEqual([])
    for (const grant of [of('mother', 'child'), of('stranger', 'child'), grantOf('system/*.rs', { patients: 'all' })])
      expect(await wronglyFound(house, grant, 1, now)).toEqual([])
  })

  it('stays with the other when one of them is erased', async () => {
    for (const shape of shapes) await put(house, about(shape, { mother: 'mother', child: 'child' }))
    expect((await house.ask('POST', '/Patient/mother/$purge?confirm=mother', { grant: admin })).status).toBeLessThan(
      300,
    )
    for (const grant of [own('child'), of('child'), grantOf('system/*.rs', { patients: 'all' })])
      expect(await wronglyFound(house, grant, 1, now)).toEqual([])
    for (const grant of [own('mother'), own('stranger')]) expect(await wronglyFound(house, grant, 0, now)).toEqual([])
  })
})

describe('what names more patients than 32', () => {
  const many = Array.from({ length: 40 }, (_, at) => `p${at}`)
  const larger: readonly Shape[] = [
    {
      type: 'Group',
      by: ['member', 'member'],
      body: { type: 'person', actual: true, member: many.map(id => ({ entity: to(`Patient/${id}`) })) },
    },
    {
      type: 'Appointment',
      by: ['actor', 'patient'],
      body: { status: 'proposed', participant: many.map(id => ({ actor: to(`Patient/${id}`), status: 'accepted' })) },
    },
    {
      type: 'Account',
      by: ['subject', 'subject'],
      body: { status: 'active', subject: many.map(id => to(`Patient/${id}`)) },
    },
  ]
  const all = grantOf('system/*.rs', { patients: 'all' })
  const class40 = grantOf('user/*.cruds', { patients: many, account: 'class' })
  const others = [own('p0'), own('p39'), of('p1'), of(...many.slice(1)), of(...many)]
  const meant = now
    .filter(name => !/one|compartment/.test(name))
    .concat('its history', 'the history of its type', 'the history of all')
  let house: House
  beforeEach(async () => {
    house = await openHouse({ bulk: { maxOfOwner: 100 } })
    for (const id of many) await put(house, { resourceType: 'Patient', id })
  })
  afterEach(() => house.close())
  const wrong = async (grant: Grant, times: number, id: string) => {
    const told: string[] = []
    for (const { type, by } of larger)
      for (const name of meant) {
        const found = await ways[name]?.({ house, grant, type, id, by })
        if (found !== times) told.push(`${type} ${name}: ${found}`)
      }
    return told
  }

  it('lies with the instance when a feed wrote it, and is seen by who reaches everybody', async () => {
    for (const { type, body } of larger) await put(house, { resourceType: type, id: 'big', ...body } as Resource)
    expect(await wrong(all, 1, 'big')).toEqual([])
    for (const grant of others) expect(await wrong(grant, 0, 'big')).toEqual([])
  })

  it.each<[string, Grant]>([
    ['who wrote it', class40],
    [
      'who wrote it, whoever is in context',
      grantOf('user/*.cruds patient/*.cruds', { patients: many, account: 'class', patient: 'p0' }),
    ],
  ])('lies in the household of %s', async (_, writer) => {
    for (const { type, by, body } of larger) {
      const asked = { grant: writer, body: { resourceType: type, ...body } }
      const { status, json } = await house.ask('POST', `/${type}`, asked)
      expect(status).toBe(201)
      for (const name of meant) {
        const found = async (grant: Grant) => ways[name]?.({ house, grant, type, id: json.id, by })
        const seen = [await found(class40), await found(all), await found(own('p0')), await found(of(...many))]
        expect([name, ...seen]).toEqual([name, 1, 1, 0, 0])
      }
    }
  })

  /** What leads to a crowd and what lies beside it, kept by the account too. */
  interface Crowd {
    readonly type: string
    readonly id: string
    readonly list: string
  }

  const patientOf: Readonly<Record<string, string>> = { Group: 'member', Appointment: 'actor', Account: 'subject' }
  /** With whose id in the answer each tells of it. */
  const crowdWays: Readonly<Record<string, (crowd: Crowd) => readonly [url: string, told: string]>> = {
    'by a chain': ({ type, id }) => [`/${type}?${patientOf[type]}:Patient._id=p3`, id],
    'by whom it names': ({ type, id }) => [`/${type}?${patientOf[type]}=Patient/p3`, id],
    'what refers to patients': ({ type, id }) => [`/Patient?_id=p3&_revinclude=${type}:${patientOf[type]}`, id],
    'what a list includes': ({ list, id }) => [`/List?_id=${list}&_include=List:item`, id],
    'by a list that names it': ({ type, list, id }) => [`/${type}?_has:List:item:_id=${list}`, id],
    'a list that leads to it': ({ type, list, id }) => [`/List?item:${type}._id=${id}`, list],
    'a list of whom it names': ({ type, list }) => [`/List?item:${type}.${patientOf[type]}=Patient/p3`, list],
    'patients whom it names': ({ type, id }) => [`/Patient?_has:${type}:${patientOf[type]}:_id=${id}`, 'p3'],
    'what contains somebody': ({ id }) => ['/Organization?_contained=both&_containedType=container', id],
    'the types in one': ({ type, id }) => [`/?_type=${type},List`, id],
    'a page of one': ({ type, id }) => [`/${type}?_count=1&_sort=-_lastUpdated`, id],
    'what was written lately': ({ id }) => ['/_history?_since=2020-01-01T00:00:00Z', id],
    'a list in GraphQL': ({ list, id }) => [
      `/$graphql?query=${encodeURIComponent(`{ List(id: "${list}") { entry { item { resource { ... on Group { id } ... on Appointment { id } ... on Account { id } } } } } }`)}`,
      id,
    ],
  }

  async function writeCrowds(): Promise<readonly Crowd[]> {
    const crowds: Crowd[] = []
    for (const { type, body } of larger) {
      const contained = [{ resourceType: 'Organization', id: 'o', name: 'School' }]
      const referring = type === 'Account' ? { owner: to('#o'), contained } : {}
      const said = { resourceType: type, ...body, ...referring }
      const { json } = await house.ask('POST', `/${type}`, { grant: class40, body: said })
      const entry = [{ item: to(`${type}/${json.id}`) }]
      const listed = { resourceType: 'List', status: 'current', mode: 'working', entry }
      const list = await house.ask('POST', '/List', { grant: class40, body: listed })
      if (list.status !== 201) throw new Error(list.text)
      crowds.push({ type, id: json.id, list: list.json.id })
    }
    return crowds
  }

  /** By which ways it is not found as often as that. */
  async function wrongly(grant: Grant, times: 0 | 1, crowds: readonly Crowd[]): Promise<string[]> {
    const told: string[] = []
    for (const crowd of crowds) {
      const { type, id } = crowd
      for (const name of [...meant, 'a version', 'by id', 'page by page', 'sorted', 'a total', 'a form']) {
        const found = await ways[name]?.({ house, grant, type, id, by: ['member', 'member'] })
        if (found !== times) told.push(`${type} ${name}: ${found}`)
      }
      for (const [name, asking] of Object.entries(crowdWays)) {
        if (name === 'what contains somebody' && type !== 'Account') continue
        const [url, what] = asking(crowd)
        const { text: answer } = await house.ask('GET', url, { grant })
        const found = Math.min(timesIn(answer, `"id":"${what}"`), 1)
        if (found !== times) told.push(`${type} ${name}: ${found} ${answer.slice(0, 200)}`)
      }
    }
    return told
  }

  const of40 = (...patients: readonly string[]) =>
    grantOf('user/*.cruds', { id: `of ${patients.length}`, patients, account: 'class' })
  const of39 = { patients: many.filter(id => id !== 'p7'), account: 'class' }
  const lost = of40(...of39.patients)
  const narrowed: readonly (readonly [string, Grant])[] = [
    ['one is lost', lost],
    ['of three', of40('p0', 'p1', 'p3')],
    ['of one', of40('p3')],
    ['of nobody', of40()],
    ['another patient in context', grantOf('user/*.cruds patient/*.cruds', { ...of39, patient: 'p3' })],
    ['told less of one', grantOf('user/*.cruds', { patients: many, account: 'class', within: new Map([['p7', []]]) })],
  ]

  it('is not there for a grant of its own account that reaches not all, and is there again for one that does', async () => {
    const crowds = await writeCrowds()
    for (const [name, grant] of narrowed) expect([name, await wrongly(grant, 0, crowds)]).toEqual([name, []])
    const inContext = grantOf('user/*.cruds patient/*.cruds', { ...of39, id: 'context', patient: 'p7' })
    for (const grant of [of40(...many), inContext, all]) expect(await wrongly(grant, 1, crowds)).toEqual([])
  })

  it('comes and goes with whom the account keeps: taken away, given back, invited until a day, as less, erased', async () => {
    const { record, clock } = house
    const keep = async (patient: string, as?: Keeping) => record.addPatientTo('class', patient, as)
    // Whom an account keeps by invitation may be taken off; whom it owns it gives away.
    const lose = async (patient: string) => {
      await record.removePatientFrom('class', patient)
      await record.givePatient({ patient, from: 'class', to: 'another' }, async () => [])
    }
    const grants: Grant[] = []
    const now = async () => {
      const grant = grantOf('user/*.cruds', {
        id: `${grants.length}`,
        account: 'class',
        ...(await record.keptBy('class')),
      })
      grants.push(grant)
      return grant
    }
    const crowds = await writeCrowds()
    for (const id of many.slice(2)) await keep(id)
    const untilMs = clock.nowMs() + 1_000
    await keep('p0', { role: 'guardian', untilMs })
    await keep('p1')
    expect(await wrongly(await now(), 1, crowds)).toEqual([])
    await lose('p7')
    expect(await wrongly(await now(), 0, crowds)).toEqual([])
    await keep('p7')
    expect(await wrongly(await now(), 1, crowds)).toEqual([])
    clock.advance(1_000)
    expect(await wrongly(await now(), 0, crowds)).toEqual([])
    await keep('p0', { role: 'viewer', categories: ['conditions'] })
    expect(await wrongly(await now(), 0, crowds)).toEqual([])
    await lose('p0')
    await keep('p0', { role: 'member' })
    expect(await wrongly(await now(), 1, crowds)).toEqual([])
    await lose('p7')
    await lose('p8')
    const purged = async (id: string) =>
      (await house.ask('POST', `/Patient/${id}/$purge?confirm=${id}`, { grant: admin })).status
    expect(await purged('p7')).toBeLessThan(300)
    expect(await wrongly(await now(), 0, crowds)).toEqual([])
    expect(await purged('p8')).toBeLessThan(300)
    // A grant that stood before and was not made anew is told the same.
    for (const grant of [await now(), grants.at(-1) as Grant]) expect(await wrongly(grant, 1, crowds)).toEqual([])
  })

  it('is changed by whoever may change what is each one’s', async () => {
    const crowds = await writeCrowds()
    const member = parseScope('user/*.crs')
    const adding = grantOf('user/*.cruds', {
      patients: many,
      account: 'class',
      within: new Map([['p7', member === undefined ? [] : [member]]]),
    })
    for (const { type, id } of crowds) {
      const { json } = await house.ask('GET', `/${type}/${id}`, { grant: adding })
      expect(json.id).toBe(id)
      const changed = { ...json, language: 'de' }
      expect((await house.ask('PUT', `/${type}/${id}`, { grant: adding, body: changed })).status).toBe(403)
      const less = { ...json, member: json.member?.slice(10), participant: json.participant?.slice(10) }
      expect((await house.ask('PUT', `/${type}/${id}`, { grant: adding, body: less })).status).toBe(403)
      expect((await house.ask('DELETE', `/${type}/${id}`, { grant: adding })).status).toBe(403)
      expect((await house.ask('PUT', `/${type}/${id}`, { grant: class40, body: changed })).status).toBe(200)
    }
  })

  it('answers every write as if it were not there', async () => {
    for (const { type, id } of await writeCrowds()) {
      const body = { resourceType: type, id, ...larger.find(each => each.type === type)?.body }
      const patch = [{ op: 'replace', path: '/language', value: 'de' }]
      const statuses = async (at: string) => {
        const patched = { 'content-type': 'application/json-patch+json' }
        const answers = [
          await house.ask('PUT', `/${type}/${at}`, { grant: lost, body: { ...body, id: at } }),
          await house.ask('PATCH', `/${type}/${at}`, { grant: lost, body: JSON.stringify(patch), headers: patched }),
          await house.ask('DELETE', `/${type}/${at}`, { grant: lost }),
          await house.ask('DELETE', `/${type}?_id=${at}`, { grant: lost }),
          await house.ask('GET', `/${type}/${at}/_history`, { grant: lost }),
          await house.ask('POST', `/${type}/${at}/$meta-add`, {
            grant: lost,
            body: { resourceType: 'Parameters', parameter: [{ name: 'meta', valueMeta: { tag: [{ code: 'x' }] } }] },
          }),
        ]
        return answers.map(({ status, text: told }) => [status, told.replaceAll(at, 'ID')])
      }
      expect(await statuses(id)).toEqual(await statuses('never-was'))
      const { json } = await house.ask('GET', `/${type}/${id}`, { grant: class40 })
      expect(json.meta.versionId).toBe('1')
      const known = async (grant: Grant) => {
        const found: string[] = []
        await house.record
          .writer(grant)
          .transact(async txn => found.push(...(await txn.existing(type, [id, 'never-was']))))
        return found
      }
      expect([await known(class40), await known(lost)]).toEqual([[id], []])
    }
  })

  it('leads nobody to whom it was for: what follows it lies as if it were not there', async () => {
    const [{ id } = { id: '' }] = await writeCrowds()
    const patient = 'p3'
    const inContext = grantOf('user/*.cruds patient/*.cruds', { ...of39, id: 'context', patient })
    const provenance = (target: string) => ({
      resourceType: 'Provenance',
      target: [to(target)],
      recorded: '2026-01-01T00:00:00Z',
      agent: [{ who: { display: 'x' } }],
    })
    const seen: number[] = []
    for (const target of [`Group/${id}`, 'Group/never-was']) {
      const { json, status } = await house.ask('POST', '/Provenance', { grant: inContext, body: provenance(target) })
      expect(status).toBe(201)
      seen.push((await house.ask('GET', `/Provenance/${json.id}`, { grant: own(patient) })).status)
    }
    expect(new Set(seen).size).toBe(1)
  })

  it('hides its versions and its deletion one by one, by whom each names', async () => {
    const [{ id } = { id: '' }] = await writeCrowds()
    const members = (ids: readonly string[]) => ids.map(each => ({ entity: to(`Patient/${each}`) }))
    const group = (ids: readonly string[]) => ({
      resourceType: 'Group',
      id,
      type: 'person',
      actual: true,
      member: members(ids),
    })
    const versions = async (grant: Grant) => {
      const { json, status } = await house.ask('GET', `/Group/${id}/_history`, { grant })
      return status === 200 ? json.entry.map((each: { response: { etag: string } }) => each.response.etag) : status
    }
    const others = many.filter(each => each !== 'p7')
    expect((await house.ask('PUT', `/Group/${id}`, { grant: class40, body: group(others) })).status).toBe(200)
    expect([await versions(class40), await versions(lost)]).toEqual([['W/"2"', 'W/"1"'], ['W/"2"']])
    expect((await house.ask('GET', `/Group/${id}/_history/1`, { grant: lost })).status).toBe(404)
    expect((await house.ask('GET', `/Group/${id}`, { grant: lost })).status).toBe(200)
    expect((await house.ask('PUT', `/Group/${id}`, { grant: class40, body: group(many) })).status).toBe(200)
    expect((await house.ask('GET', `/Group/${id}`, { grant: lost })).status).toBe(404)
    expect((await house.ask('DELETE', `/Group/${id}`, { grant: class40 })).status).toBeLessThan(300)
    expect(await versions(lost)).toEqual(['W/"2"'])
    expect((await house.ask('GET', `/Group/${id}`, { grant: lost })).status).toBe(404)
    expect((await house.ask('GET', `/Group/${id}`, { grant: class40 })).status).toBe(410)
    for (const url of ['/_history', '/Group/_history']) {
      const { text } = await house.ask('GET', url, { grant: lost })
      expect([url, timesIn(text, '"method":"DELETE"')]).toEqual([url, 0])
    }
  })

  it('shows a Bundle of many by whom its entries are about', async () => {
    const entry = many.map(each => ({
      fullUrl: `${baseUrl}/Basic/of-${each}`,
      resource: { resourceType: 'Basic', id: `of-${each}`, code: text, subject: to(`Patient/${each}`) },
    }))
    const body = { resourceType: 'Bundle', type: 'collection', entry }
    const { status, json } = await house.ask('POST', '/Bundle', { grant: class40, body })
    expect(status).toBe(201)
    const crowd = { house, type: 'Bundle', id: json.id, by: ['', ''] as const }
    for (const name of meant.filter(each => !each.includes('GraphQL')))
      expect([
        name,
        await ways[name]?.({ ...crowd, grant: class40 }),
        await ways[name]?.({ ...crowd, grant: lost }),
      ]).toEqual([name, 1, 0])
  })
})

describe('whoever is told of what belongs to several', () => {
  let house: House
  let receiver: Receiver
  beforeEach(async () => {
    house = await openHouse()
    receiver = await openReceiver()
    await familyOf(house)
  })
  afterEach(async () => {
    await house.close()
    await receiver.close()
  })
  const sides: readonly (readonly [Grant, number])[] = [
    [grantOf('patient/*.cruds', { patient: 'mother' }), 1],
    [grantOf('patient/*.cruds', { patient: 'child' }), 1],
    [grantOf('user/*.cruds', { patients: ['mother', 'child'], account: 'both' }), 1],
    [grantOf('user/*.cruds', { patients: ['stranger'], account: 'other' }), 0],
  ]

  it.each([
    ['by a topic', (type: string) => topicSubscription(receiver.url, { topic: type })],
    [
      'by criteria',
      (type: string) => plainSubscription(`${type}?`, { endpoint: receiver.url, payload: 'application/fhir+json' }),
    ],
  ])('%s is told once', async (_, bodyOf) => {
    const wrong: string[] = []
    for (const shape of shapes)
      for (const [grant, times] of sides) {
        const { status, json, text } = await house.ask('POST', '/Subscription', { grant, body: bodyOf(shape.type) })
        if (status !== 201) throw new Error(text)
        await house.subscriptions.round()
        receiver.received.length = 0
        await put(house, about({ ...shape }, { mother: 'mother', child: 'child' }))
        await house.subscriptions.round()
        await house.subscriptions.round()
        const told = receiver.received.filter(
          each => each.text.includes(`${shape.type}/shared`) || each.path.includes(`${shape.type}/shared`),
        )
        if (told.length !== times) wrong.push(`${shape.type} ${grant.patient ?? grant.account}: ${told.length}`)
        await house.ask('DELETE', `/Subscription/${json.id}`, { grant })
        await house.ask('DELETE', `/${shape.type}/shared`, { grant: admin })
      }
    expect(wrong).toEqual([])
  })

  it.each([
    ['by a topic', (type: string) => topicSubscription(receiver.url, { topic: type })],
    [
      'by criteria',
      (type: string) => plainSubscription(`${type}?`, { endpoint: receiver.url, payload: 'application/fhir+json' }),
    ],
  ])('%s of what a household keeps of many only while all are within reach', async (_, bodyOf) => {
    const many = Array.from({ length: 33 }, (_, at) => `p${at}`)
    for (const id of many) await put(house, { resourceType: 'Patient', id })
    const whole = grantOf('user/*.cruds', { id: 'whole', patients: many, account: 'class' })
    const lost = grantOf('user/*.cruds', { id: 'lost', patients: many.slice(1), account: 'class' })
    const body = {
      resourceType: 'Group',
      type: 'person',
      actual: true,
      member: many.map(id => ({ entity: to(`Patient/${id}`) })),
    }
    for (const [grant, times] of [
      [whole, 1],
      [lost, 0],
    ] as const) {
      const { status, json } = await house.ask('POST', '/Subscription', { grant, body: bodyOf('Group') })
      expect(status).toBe(201)
      await house.subscriptions.round()
      receiver.received.length = 0
      const made = await house.ask('POST', '/Group', { grant: whole, body })
      for (let round = 0; round < 2; round++) await house.subscriptions.round()
      await house.ask('DELETE', `/Group/${made.json.id}`, { grant: whole })
      for (let round = 0; round < 2; round++) await house.subscriptions.round()
      const told = receiver.received.filter(
        each => each.text.includes(made.json.id) || each.path.includes(made.json.id),
      )
      expect([grant.id, told.length > 0 ? 1 : 0]).toEqual([grant.id, times])
      await house.ask('DELETE', `/Subscription/${json.id}`, { grant })
    }
  })
})
