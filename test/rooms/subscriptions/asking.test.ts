import { randomUUID } from 'node:crypto'
import { isProblem } from '#kernel'
import { isEndpoint } from '../../../src/subscriptions/endpoints.ts'
import { openPost } from '../../../src/subscriptions/post.ts'
import { admin, baseUrl, grantOf, type House, openHouse, patientA, patientB, weightOf } from '../interactions/house.ts'
import { openReceiver, plainSubscription, type Receiver, statusIn, topicSubscription } from './receiver.ts'

let house: House
let receiver: Receiver
const owner = grantOf('user/*.cruds', { account: 'tester', patients: ['a'] })
const ofApp = (app: string, scopes = 'user/*.cruds') =>
  grantOf(scopes, {
    id: app,
    account: 'tester',
    patients: ['a'],
    actor: { kind: 'account', id: 'tester', clientId: app },
  })

beforeAll(async () => {
  house = await openHouse()
  receiver = await openReceiver()
  await house.ask('PUT', '/Patient/a', { grant: admin, body: patientA })
  await house.ask('PUT', '/Patient/b', { grant: admin, body: patientB })
})
afterAll(async () => {
  await house.close()
  await receiver.close()
})

const backport = 'http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/'
const send = (body: object, grant = owner) => house.ask('POST', '/Subscription', { grant, body })
const codeIn = (json: { issue: { details: { coding: { code: string }[] } }[] }) =>
  json.issue[0]?.details.coding[0]?.code
const hook = () => receiver.url
const topic = (...about: Parameters<typeof topicSubscription>) => topicSubscription(...about)
const setting = (name: string, value: object) => topic(hook(), { settings: { [`backport-${name}`]: value } })

describe('a Subscription that could have no effect is not taken', () => {
  it.each<[code: string, element: string, what: string, body: () => object]>([
    ['subscription.topic-unknown', 'criteria', 'a topic of elsewhere', () => topic(hook(), { topic: 'Nothing' })],
    ['subscription.topic-unknown', 'criteria', 'audit as a topic', () => topic(hook(), { topic: 'AuditEvent' })],
    ['subscription.topic-unknown', 'criteria', 'words', () => plainSubscription('whatever', { endpoint: hook() })],
    [
      'subscription.criteria-unsupported',
      'criteria',
      'no type',
      () => plainSubscription('Nonsense?x=1', { endpoint: hook() }),
    ],
    [
      'subscription.criteria-unsupported',
      'criteria',
      'audit',
      () => plainSubscription('AuditEvent?', { endpoint: hook() }),
    ],
    [
      'subscription.criteria-unsupported',
      'criteria',
      'Subscriptions',
      () => plainSubscription('Subscription', { endpoint: hook() }),
    ],
    ...[
      'nonsense=1',
      'subject.name=x',
      '_has:Provenance:target:agent=x',
      '_sort=date',
      '_include=*',
      '_count=1',
      'date=nonsense',
      'code:in=urn:x',
      '_text=x',
      '_list=1',
    ].map((query): [string, string, string, () => object] => [
      'subscription.criteria-unsupported',
      'criteria',
      query,
      () => plainSubscription(`Observation?${query}`, { endpoint: hook() }),
    ]),
    [
      'subscription.criteria-unsupported',
      'criteria.extension',
      'a filter of another type',
      () => topic(hook(), { filters: ['Condition?code=1'] }),
    ],
    [
      'subscription.criteria-unsupported',
      'criteria.extension',
      'a filter without a type',
      () => topic(hook(), { filters: ['code=1'] }),
    ],
    [
      'subscription.channel-unsupported',
      'channel.type',
      'sms',
      () => plainSubscription('Observation?', { type: 'sms', endpoint: 'tel:1' }),
    ],
    [
      'subscription.channel-unsupported',
      'channel.type',
      'message',
      () => topic(hook(), { channel: { type: 'message' } }),
    ],
    ...[
      'https://10.0.0.1/',
      'ftp://hook.example.org/',
      'https://a:b@hook.example.org/',
      'nonsense',
      'https://hook.example.org/#x',
    ].map((endpoint): [string, string, string, () => object] => [
      'subscription.endpoint-refused',
      'channel.endpoint',
      endpoint,
      () => topic(endpoint),
    ]),
    ['subscription.endpoint-refused', 'channel.endpoint', 'no endpoint', () => topic(undefined)],
    [
      'subscription.payload-unsupported',
      'channel.payload',
      'plain text',
      () => topic(hook(), { channel: { payload: 'text/plain' } }),
    ],
    [
      'subscription.payload-unsupported',
      'channel.payload',
      'no content',
      () => topic(hook(), { channel: { _payload: undefined } }),
    ],
    [
      'subscription.payload-unsupported',
      'channel.payload',
      'odd content',
      () => topic(hook(), { content: 'everything' }),
    ],
    [
      'subscription.header-malformed',
      'channel.header',
      'no line',
      () => topic(hook(), { channel: { header: ['nonsense'] } }),
    ],
    [
      'subscription.header-malformed',
      'channel.header',
      'two lines',
      () => topic(hook(), { channel: { header: ['X: a\nY: b'] } }),
    ],
    [
      'subscription.header-malformed',
      'channel.header',
      'one of the message itself',
      () => topic(hook(), { channel: { header: ['Content-Length: 0'] } }),
    ],
    [
      'subscription.header-malformed',
      'channel.header',
      'a value that is not kept',
      () => topic(hook(), { channel: { header: ['X: (withheld)'] } }),
    ],
    [
      'subscription.setting-unsupported',
      'channel.extension',
      'too patient',
      () => setting('timeout', { valueUnsignedInt: 61 }),
    ],
    [
      'subscription.setting-unsupported',
      'channel.extension',
      'no events',
      () => setting('max-count', { valuePositiveInt: 1001 }),
    ],
    [
      'subscription.setting-unsupported',
      'channel.extension',
      'an unknown one',
      () => setting('nonsense', { valueString: 'x' }),
    ],
    [
      'subscription.setting-unsupported',
      'criteria.extension',
      'the filter as R5 names it',
      () => ({
        ...topic(hook()),
        _criteria: {
          extension: [
            {
              url: 'http://hl7.org/fhir/5.0/StructureDefinition/extension-Subscription.backport-filter-criteria',
              valueString: 'Observation?code=1',
            },
          ],
        },
      }),
    ],
    [
      'subscription.end-past',
      'end',
      'one that is over',
      () => topic(hook(), { more: { end: '2026-01-01T00:00:00Z' } }),
    ],
  ])('%s at %s: %s', async (code, element, _what, body) => {
    const answer = await send(body())
    expect(answer.status).toBe(422)
    expect(codeIn(answer.json)).toBe(code)
    expect(answer.json.issue[0].expression).toEqual([`Subscription.${element}`])
  })

  it.each<[code: string, scopes: string, body: () => object]>([
    ['scope.missing', 'user/Subscription.cruds', () => topic(hook())],
    ['scope.missing', 'user/Subscription.cruds user/Observation.r', () => topic(hook())],
    ['scope.missing', 'user/Subscription.cruds user/Observation.s', () => topic(hook())],
    ['scope.missing', 'user/Subscription.cruds', () => topic(hook(), { topic: 'all' })],
    [
      'subscription.patient-foreign',
      'user/*.cruds',
      () => topic(hook(), { filters: ['Observation?patient=Patient/b'] }),
    ],
    [
      'subscription.patient-foreign',
      'user/*.cruds',
      () => topic(hook(), { filters: ['Observation?patient=Patient/never-was'] }),
    ],
    [
      'subscription.patient-foreign',
      'user/*.cruds',
      () => plainSubscription('Observation?subject=Patient/b', { endpoint: hook() }),
    ],
  ])('beyond the access of who asks: %s under %s', async (code, scopes, body) => {
    const answer = await send(body(), ofApp('narrow', scopes))
    expect(answer.status).toBe(403)
    expect(codeIn(answer.json)).toBe(code)
  })

  it('under an access that does not last', async () => {
    const writer = house.rooms.record.writer({ ...owner, id: 'never-heard-of' })
    const error = await writer.transact(txn => txn.create(topic(hook()))).catch(each => each)
    expect(isProblem(error) && error.code).toBe('subscription.access-fleeting')
  })

  it.each(['batch', 'transaction'])('nor in a %s, nor by PUT or PATCH', async type => {
    const bad = topic(hook(), { topic: 'Nothing' })
    const entry = [{ resource: bad, request: { method: 'POST', url: 'Subscription' } }]
    const { text } = await house.ask('POST', '/', { grant: admin, body: { resourceType: 'Bundle', type, entry } })
    expect(text).toContain('subscription.topic-unknown')
    const { json } = await send(topic(hook()))
    const put = await house.ask('PUT', `/Subscription/${json.id}`, { grant: owner, body: { ...bad, id: json.id } })
    expect(codeIn(put.json)).toBe('subscription.topic-unknown')
    const patched = await house.ask('PATCH', `/Subscription/${json.id}`, {
      grant: owner,
      headers: { 'content-type': 'application/json-patch+json' },
      body: JSON.stringify([{ op: 'replace', path: '/criteria', value: 'urn:nothing' }]),
    })
    expect(codeIn(patched.json)).toBe('subscription.topic-unknown')
    await house.ask('DELETE', `/Subscription/${json.id}`, { grant: owner })
  })

  it('nor when one app has a hundred, be it in one commit', async () => {
    const entry = Array.from({ length: 101 }, () => ({
      resource: topic(hook()),
      request: { method: 'POST', url: 'Subscription' },
    }))
    const body = { resourceType: 'Bundle', type: 'transaction', entry }
    const answer = await house.ask('POST', '/', { grant: ofApp('greedy'), body })
    expect([answer.status, codeIn(answer.json)]).toEqual([409, 'subscription.too-many'])
    const off = { resource: { ...topic(hook()), status: 'off' }, request: { method: 'POST', url: 'Subscription' } }
    const silent = { ...body, entry: [...Array.from({ length: 100 }, () => off), ...entry.slice(0, 1)] }
    expect((await house.ask('POST', '/', { grant: ofApp('silent'), body: silent })).status).toBe(200)
  })

  it('nor when several ask for the hundredth at the same time', async () => {
    const grant = ofApp('hasty')
    const entry = Array.from({ length: 99 }, () => ({
      resource: topic(hook()),
      request: { method: 'POST', url: 'Subscription' },
    }))
    const body = { resourceType: 'Bundle', type: 'transaction', entry }
    expect((await house.ask('POST', '/', { grant, body })).status).toBe(200)
    const hasty = Array.from({ length: 5 }, () => house.ask('POST', '/Subscription', { grant, body: topic(hook()) }))
    const statuses = (await Promise.all(hasty)).map(({ status }) => status)
    expect(statuses.toSorted()).toEqual([201, 409, 409, 409, 409])
  })
})

describe('what a Subscription tells those who read it', () => {
  it('never is the value of a header: not in the answer, by reading, searching, history, or audit', async () => {
    const secret = `s3cret-${randomUUID()}`
    const { json, text } = await send(topic(hook(), { channel: { header: [`Authorization: Bearer ${secret}`] } }))
    expect(json.channel.header).toEqual(['Authorization: (withheld)'])
    await house.record.flush()
    const paths = [
      `/Subscription/${json.id}`,
      '/Subscription',
      `/Subscription/${json.id}/_history`,
      '/AuditEvent',
      `/Subscription/${json.id}/$status`,
    ]
    for (const path of paths) expect((await house.ask('GET', path, { grant: admin })).text + text).not.toContain(secret)
    expect(JSON.stringify(await house.record.documents.list('subscriptions'))).toContain(secret)

    receiver.received.length = 0
    await house.ask('PUT', `/Subscription/${json.id}`, { grant: owner, body: { ...json, reason: 'still' } })
    await house.subscriptions.round()
    expect(receiver.received.map(({ headers }) => headers.authorization)).toContain(`Bearer ${secret}`)
    const stolen = { ...json, channel: { ...json.channel, endpoint: `${receiver.url}/elsewhere` } }
    const put = await house.ask('PUT', `/Subscription/${json.id}`, { grant: ofApp('thief'), body: stolen })
    expect(codeIn(put.json)).toBe('subscription.header-malformed')
    for (const url of ['http://127.0.0.1:9/hook', receiver.url.replace('127.0.0.1', 'localhost')]) {
      const body = { ...json, channel: { ...json.channel, endpoint: url } }
      const led = await house.ask('PUT', `/Subscription/${json.id}`, { grant: owner, body })
      expect(codeIn(led.json)).toBe('subscription.header-malformed')
    }
    await house.ask('DELETE', `/Subscription/${json.id}`, { grant: owner })
    expect(JSON.stringify(await house.record.documents.list('subscriptions'))).not.toContain(secret)
  })

  it('is for the token alone that made it, where the administrator handed out several', async () => {
    const handedOut = (id: string) =>
      grantOf('patient/*.cruds', { id, patient: 'a', actor: { kind: 'administrator', id: 'host' } })
    const secret = `s3cret-${randomUUID()}`
    const { json } = await send(topic(hook(), { channel: { header: [`X: ${secret}`] } }), handedOut('one'))
    const asOther = { grant: handedOut('two') }
    const stolen = { ...json, channel: { ...json.channel, endpoint: `${receiver.url}/elsewhere` } }
    const put = await house.ask('PUT', `/Subscription/${json.id}`, { ...asOther, body: stolen })
    expect(codeIn(put.json)).toBe('subscription.header-malformed')
    for (const path of ['$signing-key', '$status', '$events']) {
      const own = await house.ask('GET', `/Subscription/${json.id}/${path}`, { grant: handedOut('one') })
      const other = await house.ask('GET', `/Subscription/${json.id}/${path}`, asOther)
      expect([path, own.status, other.status >= 400]).toEqual([path, 200, true])
    }
    // What one has used up is nothing to another.
    const entry = Array.from({ length: 99 }, () => ({
      resource: topic(hook()),
      request: { method: 'POST', url: 'Subscription' },
    }))
    const body = { resourceType: 'Bundle', type: 'transaction', entry }
    expect((await house.ask('POST', '/', { grant: handedOut('one'), body })).status).toBe(200)
    expect(codeIn((await send(topic(hook()), handedOut('one'))).json)).toBe('subscription.too-many')
    expect((await send(topic(hook()), handedOut('two'))).status).toBe(201)
  })

  it('is what the server says of its status; who PUTs what they read changes nothing', async () => {
    const { json } = await send({ ...topic(hook()), status: 'active', error: 'made up' })
    expect(json).toMatchObject({ status: 'requested' })
    expect(json.error).toBeUndefined()
    await house.subscriptions.round()
    const { json: active } = await house.ask('GET', `/Subscription/${json.id}`, { grant: owner })
    const { json: again } = await house.ask('PUT', `/Subscription/${json.id}`, { grant: owner, body: active })
    expect(again).toMatchObject({ status: 'active', meta: active.meta })
    const off = await house.ask('PUT', `/Subscription/${json.id}`, { grant: owner, body: { ...active, status: 'off' } })
    expect(off.json.status).toBe('off')
    receiver.received.length = 0
    await house.ask('POST', '/Observation', { grant: admin, body: weightOf('a', 70) })
    await house.subscriptions.round()
    expect(receiver.received.filter(({ text }) => text.includes(json.id))).toEqual([])
    const status = await house.ask('GET', `/Subscription/${json.id}/$status`, { grant: owner })
    expect(statusIn({ entry: status.json.entry })).toMatchObject({ status: 'off', count: '0' })
  })
})

describe('$status and $events', () => {
  let id: string
  const app = ofApp('asking')
  beforeAll(async () => {
    id = (await send(topic(hook()), app)).json.id
    await house.subscriptions.round()
    for (const value of [1, 2, 3, 4])
      await house.ask('POST', '/Observation', { grant: admin, body: weightOf('a', value) })
    await house.subscriptions.round()
  })

  it('tell how it stands, of one and of all that one has made', async () => {
    for (const method of ['GET', 'POST']) {
      const { json } = await house.ask(method, `/Subscription/${id}/$status`, { grant: app })
      expect(json).toMatchObject({ type: 'searchset', total: 1 })
      expect(statusIn(json)).toEqual({ type: 'query-status', status: 'active', count: '4', events: [] })
    }
    const totals = async (query: string) =>
      (await house.ask('GET', `/Subscription/$status${query}`, { grant: app })).json.total
    expect(await totals('')).toBe(1)
    expect(await totals(`?id=${id}&id=other`)).toBe(1)
    expect(await totals('?id=other')).toBe(0)
    expect(await totals('?status=active&status=error')).toBe(1)
    expect(await totals('?status=error')).toBe(0)
  })

  it('tell of events from one number to another, both inclusive, as much as is asked for', async () => {
    const ask = async (query: string) =>
      (await house.ask('GET', `/Subscription/${id}/$events${query}`, { grant: app })).json
    const numbers = (json: object) => statusIn(json).events.map(({ number }) => number)
    expect(numbers(await ask(''))).toEqual(['1', '2', '3', '4'])
    expect(numbers(await ask('?eventsSinceNumber=2&eventsUntilNumber=3'))).toEqual(['2', '3'])
    expect(statusIn(await ask(''))).toMatchObject({ type: 'query-event', count: '4' })
    expect((await ask('?content=empty')).entry).toHaveLength(1)
    expect((await ask('?content=full-resource&eventsSinceNumber=4')).entry[1].resource.valueQuantity.value).toBe(4)
    const body = { resourceType: 'Parameters', parameter: [{ name: 'eventsSinceNumber', valueInteger64: '4' }] }
    expect(numbers((await house.ask('POST', `/Subscription/${id}/$events`, { grant: app, body })).json)).toEqual(['4'])
    for (const query of ['?eventsSinceNumber=x', '?eventsUntilNumber=-1', '?content=nonsense'])
      expect(codeIn(await ask(query))).toBe('subscription.parameter-malformed')
  })

  it.each<[what: string, status: number, grant: ReturnType<typeof grantOf>]>([
    ['another app of the same person', 403, ofApp('other')],
    [
      'the same app with an access that reaches less',
      403,
      ofApp('asking', 'user/Subscription.rs user/Observation.rs?status=final'),
    ],
    ['who may not read Subscriptions', 403, ofApp('asking', 'user/Observation.rs')],
    [
      'who reaches everybody',
      200,
      grantOf('system/*.rs', { patients: 'all', actor: { kind: 'administrator', id: 'host' } }),
    ],
  ])('are told to its maker: %s', async (_, status, grant) => {
    for (const operation of ['$status', '$events'])
      expect((await house.ask('GET', `/Subscription/${id}/${operation}`, { grant })).status).toBe(status)
    expect(codeIn((await house.ask('GET', `/Subscription/${id}/$status`, { grant: ofApp('other') })).json)).toBe(
      'subscription.foreign',
    )
  })
})

describe('topics', () => {
  it('are listed in the CapabilityStatement, found by their URL, and read there', async () => {
    const { json } = await house.ask('GET', '/metadata')
    const capability = json.rest[0].resource.find((each: { type: string }) => each.type === 'Subscription')
    expect(capability.supportedProfile).toEqual([`${backport}backport-subscription`])
    for (const name of ['create', 'update', 'read', 'delete'])
      expect(capability.interaction).toContainEqual({ code: name })
    expect(capability.operation.map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining(['status', 'events']),
    )
    const urls = capability.extension.map(({ valueCanonical }: { valueCanonical: string }) => valueCanonical)
    expect(urls).toContain(`${baseUrl}/SubscriptionTopic/Observation`)
    expect(urls).not.toContain(`${baseUrl}/SubscriptionTopic/AuditEvent`)
    const found = await house.ask('GET', `/SubscriptionTopic?url=${urls[1]}`, { grant: owner })
    expect(found.json).toMatchObject({ total: 1, entry: [{ fullUrl: urls[1], resource: { resourceType: 'Basic' } }] })
    const read = await house.ask('GET', urls[1].slice(baseUrl.length), { grant: owner })
    expect(read.json).toEqual(found.json.entry[0].resource)
    const validated = await house.ask('POST', '/Basic/$validate', { grant: owner, body: read.json })
    expect(validated.json.issue.filter((issue: { severity: string }) => issue.severity === 'error')).toEqual([])
    expect(codeIn((await house.ask('GET', '/SubscriptionTopic/Nothing', { grant: owner })).json)).toBe(
      'subscription.topic-absent',
    )
  })
})

describe('where messages may go', () => {
  it.each<[url: string, networks: string[], allowed: boolean]>([
    ['https://hook.example.org/x', [], true],
    ['http://hook.example.org/x', [], false],
    ['https://127.0.0.1/', [], false],
    ['https://[::1]/', [], false],
    ['https://192.168.1.1/', [], false],
    ['https://8.8.8.8/', [], false],
    ['https://2130706433/', [], false],
    ['https://localhost/', [], false],
    ['https://box.home/', [], false],
    ['http://127.0.0.1:8080/', ['127.0.0.1'], true],
    ['http://[::1]:8080/', ['::1'], true],
    ['http://10.1.2.3/', ['10.0.0.0/8'], true],
    ['http://10.1.2.3/', ['127.0.0.1'], false],
    ['http://box.home/', ['10.0.0.0/8'], true],
    ['http://a:b@127.0.0.1/', ['127.0.0.1'], false],
  ])('%s beside %j: %s', (url, networks, allowed) => {
    expect(isEndpoint(url, networks)).toBe(allowed)
  })

  it.each<[url: string, networks: string[]]>([
    ['http://127.0.0.1:PORT/hook', []],
    ['http://localhost:PORT/hook', []],
    ['http://localhost:PORT/hook', ['10.0.0.0/8']],
    ['http://[::ffff:127.0.0.1]:PORT/hook', []],
    ['http://0x7f000001:PORT/hook', []],
  ])('is looked at again when something is sent, wherever the name leads: %s', async (url, networks) => {
    receiver.received.length = 0
    const message = {
      url: url.replace('PORT', new URL(receiver.url).port),
      method: 'POST',
      headers: {},
      body: Buffer.from('x'),
      timeoutMs: 10_000,
    } as const
    const { signal } = new AbortController()
    expect(await openPost(networks)(message, signal)).toEqual({
      text: 'The endpoint lies where this server may not send.',
    })
    expect(receiver.received).toEqual([])
    expect(await openPost(['127.0.0.1', '::1'])({ ...message, url: receiver.url }, signal)).toBeUndefined()
  })
})
