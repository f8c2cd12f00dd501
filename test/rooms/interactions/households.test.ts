/** What an account writes that is no patient's, in whatever way: it is that account's, and no other way leads another one there. */
import type { Resource } from '#fhir'
import { type Answer, admin, grantOf, type House, openHouse } from './house.ts'

const north = grantOf('user/*.cruds', { patients: ['n'], account: 'north' })
const south = grantOf('user/*.cruds', { patients: ['s'], account: 'south' })
const text = { text: 'x' }
const elsewhere = [
  { display: 'somebody' },
  { identifier: { system: 'urn:x', value: '1' } },
  { reference: 'http://hospital.example.org/fhir/Patient/s' },
]

/** What is about nobody kept here, of each kind that a client writes. */
const kinds: readonly Resource[] = [
  { resourceType: 'List', status: 'current', mode: 'working' },
  { resourceType: 'Basic', code: text },
  { resourceType: 'Binary', contentType: 'text/plain', data: 'eA==' },
  { resourceType: 'Task', status: 'draft', intent: 'plan' },
  { resourceType: 'QuestionnaireResponse', status: 'completed' },
  { resourceType: 'Device', deviceName: [{ name: 'x', type: 'user-friendly-name' }] },
  { resourceType: 'Group', type: 'device', actual: false },
  {
    resourceType: 'Bundle',
    type: 'collection',
    entry: [
      { fullUrl: 'urn:uuid:0c1b1d0e-5a0c-4c38-9d5a-6f0b6d1c2a3b', resource: { resourceType: 'Basic', code: text } },
    ],
  },
  { resourceType: 'Communication', status: 'completed' },
  { resourceType: 'DocumentReference', status: 'current', content: [{ attachment: { title: 'x' } }] },
  ...elsewhere.map(subject => ({ resourceType: 'Observation', status: 'final', code: text, subject })),
  {
    resourceType: 'Observation',
    status: 'final',
    code: text,
    subject: { reference: '#p' },
    contained: [{ resourceType: 'Patient', id: 'p' }],
  },
] as readonly Resource[]

let house: House
beforeEach(async () => {
  house = await openHouse()
  for (const [account, id] of [
    ['north', 'n'],
    ['south', 's'],
  ] as const) {
    const { status } = await house.ask('PUT', `/Patient/${id}`, { grant: admin, body: { resourceType: 'Patient', id } })
    expect([account, status]).toEqual([account, 201])
  }
})
afterEach(() => house.close())

const tagged = (resource: Resource, code: string) => ({ ...resource, meta: { tag: [{ system: 'urn:t', code }] } })
const idOf = ({ json }: Answer): string =>
  json?.id ?? /([^/]+)\/_history\//.exec(json?.entry?.[0]?.response?.location ?? '')?.[1] ?? 'none'
const sent = (resource: Resource, type: string, request: object) => ({
  resourceType: 'Bundle',
  type,
  entry: [{ resource, request }],
})
const asFhir = { accept: 'application/fhir+json' }

type Way = (resource: Resource, code: string) => Promise<Answer>
const writing: Readonly<Record<string, Way>> = {
  POST: (body, _) => house.ask('POST', `/${body.resourceType}`, { grant: north, body, headers: asFhir }),
  'a conditional create': (body, code) =>
    house.ask('POST', `/${body.resourceType}`, {
      grant: north,
      body,
      headers: { ...asFhir, 'if-none-exist': `_tag=urn:t|${code}` },
    }),
  'a conditional update': (body, code) =>
    house.ask('PUT', `/${body.resourceType}?_tag=urn:t|${code}`, { grant: north, body, headers: asFhir }),
  'a transaction': (body, _) =>
    house.ask('POST', '/', {
      grant: north,
      body: sent(body, 'transaction', { method: 'POST', url: body.resourceType }),
    }),
  'a batch': (body, _) =>
    house.ask('POST', '/', { grant: north, body: sent(body, 'batch', { method: 'POST', url: body.resourceType }) }),
}

/** What the other account tries: each answer as it is where nothing was written. */
const trying: readonly ((type: string, id: string, code: string, body: Resource) => Promise<Answer>)[] = [
  (type, id) => house.ask('GET', `/${type}/${id}`, { grant: south, headers: asFhir }),
  (type, id) => house.ask('GET', `/${type}/${id}/_history`, { grant: south }),
  (type, id) => house.ask('GET', `/${type}/${id}/_history/1`, { grant: south, headers: asFhir }),
  (type, id, _, body) => house.ask('PUT', `/${type}/${id}`, { grant: south, body: { ...body, id } }),
  (type, id) => house.ask('DELETE', `/${type}/${id}`, { grant: south }),
  (type, id) =>
    house.ask('PATCH', `/${type}/${id}`, {
      grant: south,
      headers: { 'content-type': 'application/json-patch+json' },
      body: [{ op: 'add', path: '/language', value: 'de' }],
    }),
  (type, _, code) => house.ask('DELETE', `/${type}?_tag=urn:t|${code}`, { grant: south }),
  (type, _, code) => house.ask('GET', `/${type}?_tag=urn:t|${code}&_total=accurate`, { grant: south }),
  (type, id) => house.ask('GET', `/?_type=${type}&_id=${id}`, { grant: south }),
  (type, id, _, body) =>
    house.ask('POST', '/', {
      grant: south,
      body: sent({ ...body, id }, 'batch', { method: 'PUT', url: `${type}/${id}` }),
    }),
  (type, id) =>
    house.ask('GET', `/$graphql?query=${encodeURIComponent(`{ ${type}List(_id: "${id}") { id } }`)}`, { grant: south }),
]

/** An answer without what differs from one asking to the next, and without the id that was asked for. */
const plain = ({ status, text: said }: Answer, id: string, code: string) =>
  `${status} ${said.replaceAll(id, 'ID').replaceAll(code, 'CODE')}`.replaceAll(
    /"(lastUpdated|timestamp)":"[^"]*"|"id":"[^"]*"/g,
    '',
  )

describe('what is nobody’s patient’s', () => {
  it.each(Object.keys(writing))(
    'written by %s is the account’s alone: another one is answered as if it were not there',
    async name => {
      const wrong: string[] = []
      for (const [at, kind] of kinds.entries()) {
        const code = `c${at}-${name.replaceAll(' ', '-')}`
        const body = tagged(kind, code)
        const type = kind.resourceType
        const written = await (writing[name] as Way)(body, code)
        const id = idOf(written)
        const own = await house.ask('GET', `/${type}/${id}`, { grant: north, headers: asFhir })
        if (own.status !== 200)
          wrong.push(`${type} is not its own account’s: ${written.status} ${written.text.slice(0, 200)}`)
        for (const [number, attempt] of trying.entries()) {
          const there = plain(await attempt(type, id, code, body), id, code)
          const nothing = 'ffffffff-ffff-4fff-8fff-ffffffffffff'
          const absent = plain(await attempt(type, nothing, 'no-such-code', body), nothing, 'no-such-code')
          if (there !== absent)
            wrong.push(`${type} by attempt ${number}: ${there.slice(0, 200)} | ${absent.slice(0, 200)}`)
        }
        const after = await house.ask('GET', `/${type}/${id}`, { grant: north, headers: asFhir })
        if (after.text !== own.text) wrong.push(`${type} was changed`)
      }
      expect(wrong).toEqual([])
    },
  )

  it('stays with the account when its subject is taken away, by an update or a patch', async () => {
    const observation = {
      resourceType: 'Observation',
      status: 'final',
      code: text,
      subject: { reference: 'Patient/n' },
    } as Resource
    const { json } = await house.ask('POST', '/Observation', { grant: north, body: observation })
    const bare = { ...json, subject: { display: 'somebody' } }
    const headers = { 'content-type': 'application/json-patch+json' }
    const patch = [
      { op: 'replace', path: '/subject', value: { reference: 'http://hospital.example.org/fhir/Patient/s' } },
    ]
    const url = `/Observation/${json.id}`
    expect((await house.ask('PUT', url, { grant: north, body: bare })).status).toBe(200)
    expect((await house.ask('PATCH', url, { grant: north, headers, body: patch })).status).toBe(200)
    expect((await house.ask('GET', url, { grant: north })).status).toBe(200)
    for (const grant of [south, grantOf('patient/*.rs', { patient: 's' }), grantOf('patient/*.rs', { patient: 'n' })])
      expect((await house.ask('GET', url, { grant })).json?.subject).toBeUndefined()
  })
})
