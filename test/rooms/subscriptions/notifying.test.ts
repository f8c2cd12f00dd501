import { createHmac } from 'node:crypto'
import { silentLog, withBudget } from '#kernel'
import { openSubscriptions } from '#subscriptions'
import { admin, baseUrl, grantOf, type House, openHouse, patientA, patientB, weightOf } from '../interactions/house.ts'
import {
  openReceiver,
  plainSubscription,
  type Received,
  type Receiver,
  statusIn,
  topicSubscription,
} from './receiver.ts'

let house: House
let receiver: Receiver
const xml = 'application/fhir+xml'
const owner = grantOf('user/*.cruds', { account: 'tester', patients: ['a'] })

beforeEach(async () => {
  house = await openHouse()
  receiver = await openReceiver()
  await house.ask('PUT', '/Patient/a', { grant: admin, body: patientA })
  await house.ask('PUT', '/Patient/b', { grant: admin, body: patientB })
})
afterEach(async () => {
  await house.close()
  await receiver.close()
})

async function made(body: object, grant = owner): Promise<string> {
  const answer = await house.ask('POST', '/Subscription', { grant, body })
  expect(answer.json).toMatchObject({ resourceType: 'Subscription', status: 'requested' })
  expect(answer.status).toBe(201)
  return answer.json.id
}

async function begun(body: object, grant = owner): Promise<string> {
  const id = await made(body, grant)
  await house.subscriptions.round()
  expect(await statusOf(id, grant)).toBe('active')
  return id
}

const statusOf = async (id: string, grant = owner) =>
  (await house.ask('GET', `/Subscription/${id}`, { grant })).json.status
const weigh = (patient: string, value: number, more: object = {}) =>
  house.ask('POST', '/Observation', { grant: admin, body: weightOf(patient, value, more) })
const bundles = () => receiver.received.map(({ json }) => statusIn(json))
const eventsReceived = () => bundles().flatMap(({ events }) => events)

it.each([
  ['a topic', () => topicSubscription(receiver.url, { content: 'full-resource', channel: { payload: xml } })],
  ['criteria', () => plainSubscription('Observation?', { endpoint: receiver.url, payload: xml })],
])('what XML cannot say is told of by %s without it, and does not hold up what comes behind', async (_, body) => {
  await begun(body())
  expect((await weigh('a', 70, { note: [{ text: '\uffff' }] })).status).toBe(201)
  await weigh('a', 71)
  await house.subscriptions.round()
  await weigh('a', 72)
  await house.subscriptions.round()
  expect(receiver.received.at(-1)?.text).toContain('<valueQuantity>')
})

it.each([
  ['a topic', () => topicSubscription(receiver.url)],
  ['criteria', () => plainSubscription('Observation?subject=Patient/a', { endpoint: receiver.url })],
])(
  'what an account that is deleted asked for by %s is off for whoever still reads it, and sends nothing',
  async (_, body) => {
    const [id, anothers] = [await begun(body()), await begun(body(), { ...owner, id: 'other', account: 'other' })]
    const told = receiver.received.length
    // Once more, as after a crash in between.
    for (let times = 0; times < 2; times++) await house.subscriptions.forgetAccount('tester')
    await weigh('a', 70)
    await house.subscriptions.round()
    expect([await statusOf(id, admin), await statusOf(anothers, admin)]).toEqual(['off', 'active'])
    expect(receiver.received.length).toBe(told + 1)
    // https://hl7.org/fhir/R4/subscription-definitions.html#Subscription.error
    expect((await house.ask('GET', `/Subscription/${id}`, { grant: admin })).json.error).toMatch(/access .* ended/)
  },
)

it('what it asked for in its household ends although that is gone by then', async () => {
  const id = await begun(topicSubscription(receiver.url))
  await house.record.vacate('tester')
  const before = await house.ask('GET', `/Subscription/${id}`, { grant: admin })
  await house.subscriptions.forgetAccount('tester')
  expect((await house.ask('GET', `/Subscription/${id}`, { grant: admin })).status).toBe(before.status)
  expect(before.status).toBeGreaterThanOrEqual(400)
  const told = receiver.received.length
  await weigh('a', 70)
  await house.subscriptions.round()
  expect(receiver.received).toHaveLength(told)
})

describe('a Subscription to a topic – https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/', () => {
  it('is greeted, then active, and tells what was created, updated and deleted, by numbers', async () => {
    const id = await made(
      topicSubscription(receiver.url, {
        channel: { header: ['Authorization: Bearer s3cret', 'X-Two: a', 'X-Two: b'] },
      }),
    )
    await house.subscriptions.round()
    const [hello] = receiver.received
    expect(hello).toMatchObject({
      method: 'POST',
      path: '/hook',
      headers: { authorization: 'Bearer s3cret', 'x-two': 'a, b' },
    })
    expect(hello?.headers['content-type']).toMatch(/^application\/fhir\+json/)
    expect(hello?.json).toMatchObject({ resourceType: 'Bundle', type: 'history' })
    expect(bundles()).toEqual([{ type: 'handshake', status: 'requested', count: '0', events: [] }])
    expect(await statusOf(id)).toBe('active')

    const { json: one } = await weigh('a', 70)
    await house.ask('PUT', `/Observation/${one.id}`, { grant: admin, body: { ...weightOf('a', 71), id: one.id } })
    await house.ask('DELETE', `/Observation/${one.id}`, { grant: admin })
    await house.subscriptions.round()
    const focus = `Observation/${one.id}`
    expect(bundles().at(-1)).toEqual({
      type: 'event-notification',
      status: 'active',
      count: '3',
      events: ['1', '2', '3'].map(number => ({ number, focus })),
    })
    const [, { json: told }] = receiver.received as [Received, Received]
    const { entry } = told
    expect(entry[0].request.url).toMatch(new RegExp(`/Subscription/${id}/\\$status$`))
    for (const each of entry) expect(each).toMatchObject({ fullUrl: expect.any(String), request: {}, response: {} })
    expect(entry.slice(1).map((each: { request: { method: string } }) => each.request.method)).toEqual([
      'POST',
      'PUT',
      'DELETE',
    ])
    expect(entry.slice(1).some((each: object) => 'resource' in each)).toBe(false)
    await house.subscriptions.round()
    expect(receiver.received).toHaveLength(2)
  })

  it.each(['empty', 'id-only', 'full-resource'])('tells as much as was asked for: %s', async content => {
    await begun(topicSubscription(receiver.url, { content }))
    const { json } = await weigh('a', 70, { valueQuantity: { value: 70.5 } })
    const body = JSON.stringify({ ...weightOf('a', 0), id: json.id }).replace('"value":0', '"value":70.50')
    await house.ask('PUT', `/Observation/${json.id}`, { grant: admin, body })
    await house.subscriptions.round()
    const told = receiver.received.at(-1)
    const focus = content === 'empty' ? {} : { focus: `Observation/${json.id}` }
    expect(statusIn(told?.json).events).toEqual([
      { number: '1', ...focus },
      { number: '2', ...focus },
    ])
    expect(told?.json.entry).toHaveLength(content === 'empty' ? 1 : 3)
    expect(told?.text.includes(json.id)).toBe(content !== 'empty')
    expect(told?.text.includes('70.50')).toBe(content === 'full-resource')
    expect(told?.text.includes('SubscriptionTopic/')).toBe(content !== 'empty')
  })

  it('tells of many large resources in several messages, each acknowledged by itself', async () => {
    const settings = { 'backport-max-count': { valuePositiveInt: 1_000 } }
    await begun(topicSubscription(receiver.url, { content: 'full-resource', settings }))
    for (let value = 0; value < 8; value++) await weigh('a', value, { note: [{ text: 'x'.repeat(300_000) }] })
    await house.subscriptions.round()
    expect(bundles().map(({ events }) => events.length)).toEqual([0, 4, 4])
    expect(eventsReceived().map(({ number }) => Number(number))).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  })

  it.each(['full-resource', 'id-only'])(
    '$events of more than one answer may have is refused, or said: %s',
    async content => {
      const id = await begun(topicSubscription(receiver.url, { content: 'empty' }))
      for (let value = 0; value < 6; value++)
        await weigh('a', value, { note: Array(6).fill({ text: 'x'.repeat(1_000_000) }) })
      await house.subscriptions.round()
      const asked = (more: string) =>
        withBudget({}, () =>
          house.ask('GET', `/Subscription/${id}/$events?content=${content}${more}`, { grant: owner }),
        )
      const isTold = content === 'id-only'
      expect((await asked('')).status).toBe(isTold ? 200 : 422)
      expect(statusIn((await asked('&eventsUntilNumber=5')).json).events).toHaveLength(5)
    },
  )

  it('tells in XML', async () => {
    await begun(
      topicSubscription(receiver.url, { content: 'full-resource', channel: { payload: 'application/fhir+xml' } }),
    )
    await weigh('a', 70)
    await house.subscriptions.round()
    expect(receiver.received.at(-1)?.headers['content-type']).toBe('application/fhir+xml')
    expect(receiver.received.at(-1)?.text).toMatch(
      /^(<\?xml[^>]*>)?<Bundle xmlns="http:\/\/hl7.org\/fhir">.*<Observation/s,
    )
  })

  it('tells of what passes all filters; of what was deleted by what it said', async () => {
    await begun(
      topicSubscription(receiver.url, { filters: ['Observation?code=29463-7', 'Observation?value-quantity=gt80'] }),
    )
    const { json: heavy } = await weigh('a', 90)
    await weigh('a', 70)
    const { json: other } = await weigh('a', 95, { code: { coding: [{ system: 'http://loinc.org', code: '8302-2' }] } })
    for (const { id } of [heavy, other]) await house.ask('DELETE', `/Observation/${id}`, { grant: admin })
    await house.subscriptions.round()
    const focus = `Observation/${heavy.id}`
    expect(eventsReceived()).toEqual([
      { number: '1', focus },
      { number: '2', focus },
    ])
  })

  it('of anything tells of all types within reach, but never of itself or of audit', async () => {
    await begun(topicSubscription(receiver.url, { topic: 'all' }))
    await weigh('a', 70)
    await house.ask('PUT', '/Patient/a', { grant: admin, body: { ...patientA, gender: 'female' } })
    for (let round = 0; round < 4; round++) {
      await house.record.flush()
      await house.subscriptions.round()
    }
    expect(eventsReceived().map(({ focus }) => focus?.split('/')[0])).toEqual(['Observation', 'Patient'])
  })

  it('has so many events in one message as it asks for, and twenty at most unasked', async () => {
    await begun(topicSubscription(receiver.url, { settings: { 'backport-max-count': { valuePositiveInt: 2 } } }))
    for (const value of [1, 2, 3, 4, 5]) await weigh('a', value)
    await house.subscriptions.round()
    expect(bundles().map(({ events }) => events.length)).toEqual([0, 2, 2, 1])
  })

  it('tells its heart beats while nothing happens, and does not count it', async () => {
    await begun(
      topicSubscription(receiver.url, { settings: { 'backport-heartbeat-period': { valueUnsignedInt: 60 } } }),
    )
    house.clock.advance(59_000)
    await house.subscriptions.round()
    expect(receiver.received).toHaveLength(1)
    house.clock.advance(1_000)
    await house.subscriptions.round()
    await house.subscriptions.round()
    expect(bundles().slice(1)).toEqual([{ type: 'heartbeat', status: 'active', count: '0', events: [] }])
  })

  it('tells of a resource of several patients once', async () => {
    await begun(topicSubscription(receiver.url), grantOf('user/*.cruds', { account: 'tester', patients: ['a', 'b'] }))
    await weigh('a', 70, { performer: [{ reference: 'Patient/b' }] })
    await house.subscriptions.round()
    expect(eventsReceived()).toHaveLength(1)
  })
})

describe('a Subscription by criteria – https://hl7.org/fhir/R4/subscription.html', () => {
  it('brings the resource itself where there is a payload, and does not tell of deletions', async () => {
    await begun(
      plainSubscription('Observation?code=29463-7', { endpoint: receiver.url, payload: 'application/fhir+json' }),
    )
    expect(receiver.received).toEqual([])
    const { json } = await weigh('a', 70)
    await house.ask('DELETE', `/Observation/${json.id}`, { grant: admin })
    await house.subscriptions.round()
    expect(receiver.received).toHaveLength(1)
    expect(receiver.received[0]).toMatchObject({ method: 'PUT', path: `/hook/Observation/${json.id}`, json })
  })

  it('says that there is something where there is none', async () => {
    await begun(plainSubscription('Observation?', { endpoint: receiver.url }))
    for (const value of [70, 71]) await weigh('a', value)
    await house.subscriptions.round()
    expect(receiver.received.map(({ method, path, text }) => [method, path, text])).toEqual([
      ['POST', '/hook', ''],
      ['POST', '/hook', ''],
    ])
  })
})

describe('a message', () => {
  it('is signed as Standard Webhooks has it, with a key for its maker alone', async () => {
    const id = await begun(topicSubscription(receiver.url))
    const key = await house.ask('GET', `/Subscription/${id}/$signing-key`, { grant: owner })
    const secret = Buffer.from(key.json.parameter[1].valueBase64Binary, 'base64')
    expect(secret).toHaveLength(32)
    const [{ headers, text }] = receiver.received as [Received]
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${text}`
    expect(headers['webhook-signature']).toBe(`v1,${createHmac('sha256', secret).update(signed).digest('base64')}`)
    expect(headers['webhook-timestamp']).toBe(String(house.clock.nowMs() / 1000))
    const host = grantOf('system/*.cruds', {
      id: 'host',
      patients: 'all',
      actor: { kind: 'administrator', id: 'host' },
    })
    expect((await house.ask('GET', `/Subscription/${id}/$signing-key`, { grant: host })).status).toBe(403)
  })

  it('that fails is tried again, ever later, as the same, and nothing overtakes it', async () => {
    const id = await begun(topicSubscription(receiver.url))
    receiver.status = 500
    await weigh('a', 70)
    await house.subscriptions.round()
    await weigh('a', 71)
    const tries = () => receiver.received.slice(1)
    await house.subscriptions.round()
    expect(tries()).toHaveLength(1)
    for (const [delayMs, count] of [
      [500, 2],
      [999, 2],
      [1, 3],
      [2_000, 4],
      [4_000, 5],
    ] as const) {
      house.clock.advance(delayMs)
      await house.subscriptions.round()
      expect(tries()).toHaveLength(count)
    }
    expect(await statusOf(id)).toBe('error')
    const { json } = await house.ask('GET', `/Subscription/${id}`, { grant: owner })
    expect(json.error).toBe('The endpoint answered with status 500.')
    receiver.status = 200
    house.clock.advance(8_000)
    await house.subscriptions.round()
    expect(await statusOf(id)).toBe('active')
    expect((await house.ask('GET', `/Subscription/${id}`, { grant: owner })).json.error).toBeUndefined()
    expect(new Set(tries().map(({ json: told }) => statusIn(told).events[0]?.number))).toEqual(new Set(['1']))
    expect(
      bundles()
        .at(-1)
        ?.events.map(({ number }) => number),
    ).toEqual(['1', '2'])
  })

  it('is another one than any before, where a Subscription was off and is asked for again', async () => {
    const body = topicSubscription(receiver.url)
    const id = await begun(body)
    for (const status of ['requested', 'off', 'requested']) {
      house.clock.advance(1_000)
      await house.ask('PUT', `/Subscription/${id}`, { grant: owner, body: { ...body, id, status } })
      await weigh('a', 70)
      for (let round = 0; round < 2; round++) await house.subscriptions.round()
    }
    const ids = receiver.received.map(({ headers }) => headers['webhook-id'])
    expect(eventsReceived().map(({ number }) => number)).toEqual(['1', '1'])
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('has headers of whatever name', async () => {
    await begun(topicSubscription(receiver.url, { channel: { header: ['constructor: x', '__proto__: y'] } }))
    expect(Object.entries(receiver.received[0]?.headers ?? {})).toContainEqual(['constructor', 'x'])
  })

  it('that only says that nothing happened is tried again as others are', async () => {
    const settings = { 'backport-heartbeat-period': { valueUnsignedInt: 60 } }
    const id = await begun(topicSubscription(receiver.url, { settings }))
    receiver.status = 500
    house.clock.advance(60_000)
    await house.subscriptions.round()
    receiver.status = 200
    for (const [delayMs, count] of [
      [0, 2],
      [1_000, 3],
      [59_000, 3],
      [1_000, 4],
    ] as const) {
      house.clock.advance(delayMs)
      await house.subscriptions.round()
      expect(receiver.received).toHaveLength(count)
    }
    expect(await statusOf(id)).toBe('active')
  })

  it.each([
    ['a redirect, which is not followed', 302, 'error'],
    ['an error', 404, 'error'],
    ['a word that no more is wanted', 410, 'off'],
  ])('of greeting that is answered with %s', async (_, status, expected) => {
    receiver.status = status
    receiver.headers = { location: receiver.url }
    const id = await made(topicSubscription(receiver.url))
    await house.subscriptions.round()
    expect(receiver.received).toHaveLength(1)
    expect(await statusOf(id)).toBe(expected)
    receiver.status = 200
    house.clock.advance(60_000)
    await house.subscriptions.round()
    expect(await statusOf(id)).toBe(expected === 'off' ? 'off' : 'active')
    expect(bundles().at(-1)?.type).toBe('handshake')
  })

  it('that is answered with more than anybody reads is taken all the same', async () => {
    receiver.body = 'x'.repeat(1_000_000)
    await begun(topicSubscription(receiver.url))
  })
})

describe('a message of which something becomes that is not asked for any more', () => {
  let elsewhere: Receiver
  beforeEach(async () => {
    elsewhere = await openReceiver()
  })
  afterEach(() => elsewhere.close())

  const moved = (id: string) => () =>
    house.ask('PUT', `/Subscription/${id}`, { grant: owner, body: { ...topicSubscription(elsewhere.url), id } })
  const told = () => elsewhere.received.map(({ json }) => statusIn(json))

  it.each<[what: string, status: number]>([
    ['was taken', 200],
    ['was not taken', 500],
    ['was the last', 410],
  ])('a greeting that %s says nothing of another endpoint: that is greeted itself', async (_, status) => {
    const id = await made(topicSubscription(receiver.url))
    receiver.status = status
    receiver.meanwhile = moved(id)
    for (let round = 0; round < 2; round++) await house.subscriptions.round()
    expect(told().map(({ type }) => type)).toEqual(['handshake'])
    expect(await statusOf(id)).toBe('active')
  })

  it.each<[what: string, status: number]>([
    ['was taken', 200],
    ['was not taken', 500],
    ['was the last', 410],
  ])('an event that %s comes to another endpoint once that was greeted', async (_, status) => {
    const id = await begun(
      topicSubscription(receiver.url, { settings: { 'backport-max-count': { valuePositiveInt: 1 } } }),
    )
    for (const value of [70, 71]) await weigh('a', value)
    receiver.status = status
    receiver.meanwhile = moved(id)
    for (let round = 0; round < 2; round++) await house.subscriptions.round()
    expect(eventsReceived()).toHaveLength(1)
    expect(told().map(({ type }) => type)).toEqual(['handshake', 'event-notification'])
    expect(told()[1]?.events.map(({ number }) => number)).toEqual(['1', '2'])
    expect(await statusOf(id)).toBe('active')
  })

  it('a beat of the heart keeps nobody from seeing that another endpoint is asked for', async () => {
    const id = await begun(
      topicSubscription(receiver.url, { settings: { 'backport-heartbeat-period': { valueUnsignedInt: 60 } } }),
    )
    house.clock.advance(60_000)
    receiver.meanwhile = async () => {
      await moved(id)()
      await house.subscriptions.round()
    }
    for (let round = 0; round < 2; round++) await house.subscriptions.round()
    expect(told().map(({ type }) => type)).toEqual(['handshake'])
    expect(await statusOf(id)).toBe('active')
  })

  it('nor do the numbers of who made it before count for who has taken it over', async () => {
    const other = grantOf('user/*.cruds', {
      id: 'other-app',
      account: 'tester',
      patients: ['a'],
      actor: { kind: 'account', id: 'tester', clientId: 'other-app' },
    })
    const id = await begun(topicSubscription(receiver.url))
    await weigh('a', 70)
    receiver.meanwhile = () =>
      house.ask('PUT', `/Subscription/${id}`, { grant: other, body: { ...topicSubscription(elsewhere.url), id } })
    await house.subscriptions.round()
    await weigh('a', 71)
    for (let round = 0; round < 2; round++) await house.subscriptions.round()
    expect(told().flatMap(({ events }) => events.map(({ number }) => number))).toEqual(['1'])
  })
})

describe('access', () => {
  it('that ends while much is being sent ends it there', async () => {
    const id = await begun(
      topicSubscription(receiver.url, { settings: { 'backport-max-count': { valuePositiveInt: 1 } } }),
    )
    for (const value of [70, 71, 72]) await weigh('a', value)
    receiver.meanwhile = async () => house.grants.delete(owner.id)
    await house.subscriptions.round()
    expect(eventsReceived()).toHaveLength(1)
    house.grants.set(owner.id, owner)
    expect(await statusOf(id)).toBe('off')
  })

  it('that reaches fewer types tells of what is left, also where another type waits', async () => {
    await begun(topicSubscription(receiver.url, { topic: 'all' }))
    receiver.status = 500
    await weigh('a', 70)
    await house.ask('PUT', '/Patient/a', { grant: admin, body: { ...patientA, gender: 'female' } })
    await house.subscriptions.round()
    receiver.received.length = 0
    receiver.status = 200
    const fewer = 'user/Patient.rs user/Subscription.rs'
    house.grants.set(owner.id, grantOf(fewer, { id: owner.id, account: 'tester', patients: ['a'] }))
    house.clock.advance(2_000)
    await house.subscriptions.round()
    expect(eventsReceived()).toEqual([{ number: '2', focus: 'Patient/a' }])
  })

  describe('under which one is taken over by who made it', () => {
    const later = (patients: readonly string[], scopes = 'user/*.cruds') =>
      grantOf(scopes, { id: 'later', account: 'tester', patients: [...patients] })
    const takenOver = async (id: string, grant: ReturnType<typeof later>) => {
      await house.ask('PUT', `/Subscription/${id}`, { grant, body: { ...topicSubscription(receiver.url), id } })
      receiver.received.length = 0
      receiver.status = 200
      for (let round = 0; round < 2; round++) await house.subscriptions.round()
      await weigh('a', 75)
      await house.subscriptions.round()
    }
    const numbers = () => eventsReceived().map(({ number }) => number)

    it('that reaches as far goes on where the other was, and nothing is lost', async () => {
      const id = await begun(topicSubscription(receiver.url))
      receiver.status = 500
      await weigh('a', 70)
      await house.subscriptions.round()
      await weigh('a', 71)
      await takenOver(id, later(['a']))
      expect(numbers()).toEqual(['1', '2', '3'])
    })

    it('that reaches less begins anew, with numbers and messages of its own', async () => {
      const id = await begun(topicSubscription(receiver.url))
      await weigh('a', 70)
      await house.subscriptions.round()
      const before = receiver.received.at(-1)?.headers['webhook-id']
      house.clock.advance(1_000)
      await takenOver(id, later(['a'], 'user/Subscription.cruds user/Observation.rs'))
      expect(numbers()).toEqual(['1'])
      expect(receiver.received.at(-1)?.headers['webhook-id']).not.toBe(before)
    })

    it('after the other has ended tells of nothing that happened in between', async () => {
      const id = await begun(topicSubscription(receiver.url))
      house.grants.delete(owner.id)
      await weigh('a', 70)
      await house.subscriptions.round()
      await weigh('a', 71)
      await takenOver(id, later(['a']))
      expect(numbers()).toEqual(['1'])
    })
  })

  it('one family is not told of another: no event, no number, no beat of the heart', async () => {
    const other = grantOf('user/*.cruds', {
      id: 'other',
      account: 'other',
      actor: { kind: 'account', id: 'other' },
      patients: ['b'],
    })
    const id = await begun(topicSubscription(receiver.url, { topic: 'all' }))
    for (const value of [70, 71]) await weigh('b', value)
    await house.ask('PUT', '/Patient/b', { grant: other, body: { ...patientB, gender: 'male' } })
    await house.ask('POST', '/Basic', { grant: other, body: { resourceType: 'Basic', code: { text: 'x' } } })
    await house.subscriptions.round()
    expect(receiver.received).toHaveLength(1)
    await weigh('a', 70)
    await house.subscriptions.round()
    expect(bundles().at(-1)).toMatchObject({ count: '1', events: [{ number: '1' }] })
    for (const path of [
      `/Subscription/${id}/$status`,
      `/Subscription/${id}/$events`,
      `/Subscription/${id}/$signing-key`,
    ])
      expect((await house.ask('GET', path, { grant: other })).status).toBe(404)
    expect((await house.ask('GET', '/Subscription/$status', { grant: other })).json.total).toBe(0)
  })

  it.each([
    ['ends', () => undefined],
    [
      'does not reach the type any more',
      () => grantOf('user/Patient.rs user/Subscription.rs', { id: owner.id, account: 'tester', patients: ['a'] }),
    ],
    ['is not to find any more', () => grantOf('user/*.r', { id: owner.id, account: 'tester', patients: ['a'] })],
    ['does not reach the patient any more who was named', () => ({ ...owner, patients: [] })],
  ])('that %s ends the Subscription, and nothing more is sent', async (_, now) => {
    const id = await begun(
      topicSubscription(receiver.url, {
        filters: ['Observation?patient=Patient/a'],
        channel: { header: ['X-Key: s3cret'] },
      }),
    )
    await weigh('a', 70)
    const stands = now()
    if (stands === undefined) house.grants.delete(owner.id)
    else house.grants.set(owner.id, stands)
    await house.subscriptions.round()
    expect(receiver.received).toHaveLength(1)
    house.grants.set(owner.id, owner)
    expect(await statusOf(id)).toBe('off')
    house.clock.advance(3_600_000)
    await weigh('a', 71)
    await house.subscriptions.round()
    expect(receiver.received).toHaveLength(1)
  })

  it('that ends while nothing moves is noticed within a minute', async () => {
    const id = await begun(topicSubscription(receiver.url))
    await house.subscriptions.round()
    house.grants.delete(owner.id)
    house.clock.advance(60_000)
    await house.subscriptions.round()
    expect(await statusOf(id)).toBe('off')
  })

  it('tells no more of what went out of reach between event and delivery', async () => {
    await begun(topicSubscription(receiver.url, { content: 'full-resource' }))
    receiver.status = 500
    const { json } = await weigh('a', 98)
    await house.subscriptions.round()
    await house.ask('PUT', `/Observation/${json.id}`, { grant: admin, body: { ...weightOf('b', 97), id: json.id } })
    receiver.status = 200
    house.grants.set(owner.id, grantOf('user/*.cruds', { id: owner.id, account: 'tester', patients: [] }))
    house.clock.advance(10_000)
    receiver.received.length = 0
    await house.subscriptions.round()
    expect(receiver.received.map(({ text }) => text).join()).not.toContain(json.id)
  })

  it('what is told stands in the audit of its patient, by the name of who is told', async () => {
    await begun(topicSubscription(receiver.url))
    const { json } = await weigh('a', 70)
    await house.subscriptions.round()
    await house.record.flush()
    const { text } = await house.ask('GET', '/AuditEvent?patient=a&action=R', { grant: admin })
    expect(text).toContain(`Observation/${json.id}/_history/1`)
  })

  it('a patient who is erased is forgotten, also in what was told before', async () => {
    const wide = grantOf('user/*.cruds', { account: 'tester', patients: ['a', 'b'] })
    const id = await begun(topicSubscription(receiver.url), wide)
    const { json: gone } = await weigh('b', 80)
    const { json: kept } = await weigh('a', 70)
    await house.subscriptions.round()
    await house.rooms.purge('b', { kind: 'administrator', id: 'host' })
    const { text, json } = await house.ask('GET', `/Subscription/${id}/$events`, { grant: wide })
    expect(text).not.toContain(gone.id)
    expect(statusIn(json).events).toEqual([{ number: '2', focus: `Observation/${kept.id}` }])
  })
})

describe('what goes wrong by the server’s own fault', () => {
  it('is tried again ever later, whatever it was, and nothing is lost', async () => {
    let asked = 0
    let isBroken = false
    const next = openSubscriptions({
      record: house.record,
      documents: house.record.documents,
      vault: house.vault,
      clock: house.clock,
      log: silentLog,
      baseUrl,
      standing: async ({ id }) => {
        if (!isBroken) return house.grants.get(id)
        asked++
        throw new TypeError('broken')
      },
      networks: ['127.0.0.1'],
    })
    await made(topicSubscription(receiver.url))
    await next.round()
    isBroken = true
    await weigh('a', 70)
    for (const [delayMs, count] of [
      [0, 1],
      [500, 1],
      [500, 2],
      [1_000, 2],
      [1_000, 3],
      [60_000, 4],
      [60_000, 5],
    ] as const) {
      house.clock.advance(delayMs)
      await next.round()
      expect(asked).toBe(count)
    }
    isBroken = false
    house.clock.advance(60_000)
    await next.round()
    expect(eventsReceived().map(({ number }) => number)).toEqual(['1'])
    await next.close()
  })
})

it('how a Subscription stands is one commit with what its resource says', async () => {
  const id = await begun(topicSubscription(receiver.url))
  const { json } = await house.ask('GET', `/Subscription/${id}/_history`, { grant: owner })
  expect(json.entry.map(({ resource }: { resource: { status: string } }) => resource.status)).toEqual([
    'active',
    'requested',
  ])
})

describe('nothing is lost', () => {
  const reopened = (house: House) =>
    openSubscriptions({
      record: house.record,
      documents: house.record.documents,
      vault: house.vault,
      clock: house.clock,
      log: silentLog,
      baseUrl,
      standing: async ({ id }) => house.grants.get(id),
      networks: ['127.0.0.1'],
    })

  it('when the process that sends is another one by then', async () => {
    await begun(topicSubscription(receiver.url))
    await weigh('a', 70)
    receiver.status = 503
    await house.subscriptions.round()
    await weigh('a', 71)
    receiver.status = 200
    const next = reopened(house)
    house.clock.advance(2_000)
    await next.round()
    expect(
      bundles()
        .at(-1)
        ?.events.map(({ number }) => number),
    ).toEqual(['1', '2'])
    await next.close()
  })

  it('when one died in the midst of sending: another one waits for its claim to expire', async () => {
    await begun(topicSubscription(receiver.url, { settings: { 'backport-timeout': { valueUnsignedInt: 30 } } }))
    await weigh('a', 70)
    receiver.status = 'hang'
    const dying = house.subscriptions.round()
    for (let turn = 0; receiver.received.length < 2 && turn < 1_000; turn++)
      await new Promise(resolve => setTimeout(resolve, 10))
    const next = reopened(house)
    receiver.status = 200
    await next.round()
    expect(receiver.received).toHaveLength(2)
    house.clock.advance(35_001)
    await next.round()
    expect(eventsReceived().map(({ number }) => number)).toEqual(['1', '1'])
    await house.subscriptions.close()
    await dying
    await next.close()
  })

  it('and nothing comes twice when several send at the same time', async () => {
    await begun(topicSubscription(receiver.url, { settings: { 'backport-max-count': { valuePositiveInt: 1 } } }))
    const others = [reopened(house), reopened(house)]
    for (let value = 60; value < 70; value++) {
      await weigh('a', value)
      await Promise.all([house.subscriptions, ...others].map(each => each.round()))
    }
    await house.subscriptions.round()
    const numbers = eventsReceived().map(({ number }) => Number(number))
    expect(numbers).toEqual(Array.from({ length: 10 }, (_, at) => at + 1))
    for (const other of others) await other.close()
  })

  it('when more happens than can wait: it waits where it was written', async () => {
    const id = await begun(
      topicSubscription(receiver.url, { settings: { 'backport-max-count': { valuePositiveInt: 1000 } } }),
    )
    receiver.status = 500
    await house.subscriptions.round()
    const entry = Array.from({ length: 1_150 }, (_, at) => ({
      resource: weightOf('a', at),
      request: { method: 'POST', url: 'Observation' },
    }))
    const bundle = { resourceType: 'Bundle', type: 'transaction', entry }
    expect((await house.ask('POST', '/', { grant: admin, body: bundle })).status).toBe(200)
    await house.subscriptions.round()
    receiver.status = 200
    receiver.received.length = 0
    for (let round = 0; round < 6; round++) {
      house.clock.advance(20_000)
      await house.subscriptions.round()
    }
    expect(eventsReceived().map(({ number }) => Number(number))).toEqual(entry.map((_, at) => at + 1))
    expect(
      (await house.ask('GET', `/Subscription/${id}/$status`, { grant: owner })).json.entry[0].resource.parameter,
    ).toContainEqual({
      name: 'events-since-subscription-start',
      valueString: '1150',
    })
  })
})
