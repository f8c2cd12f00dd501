import { silentLog } from '#kernel'
import { openSubscriptions } from '#subscriptions'
import { admin, baseUrl, grantOf, type House, openHouse, patientA, patientB, weightOf } from '../interactions/house.ts'
import { plainSubscription, statusIn, topicSubscription } from './receiver.ts'

/** The other end of a line: what came over it, and how it ended. */
function openLine(grant?: ReturnType<typeof grantOf>, of = house.subscriptions) {
  const came: string[] = []
  const closed: { code: number; reason: string }[] = []
  const line = {
    untakenBytes: 0,
    send: (text: string) => void came.push(text),
    close: (code: number, reason: string) => void closed.push({ code, reason }),
  }
  const listener = of.connect(line, grant)
  return { came, closed, line, hear: (text: string) => listener.hear(text), ended: () => listener.ended() }
}

let house: House
const owner = grantOf('user/*.cruds', { id: 'owner', account: 'tester', patients: ['a'] })
const other = grantOf('user/*.cruds', {
  id: 'other',
  account: 'other',
  actor: { kind: 'account', id: 'other' },
  patients: ['b'],
})

beforeEach(async () => {
  house = await openHouse()
  await house.ask('PUT', '/Patient/a', { grant: admin, body: patientA })
  await house.ask('PUT', '/Patient/b', { grant: admin, body: patientB })
})
afterEach(() => house.close())

const overLine = { channel: { type: 'websocket' } }

async function begun(body: object = topicSubscription(undefined, overLine), grant = owner): Promise<string> {
  const { status, json } = await house.ask('POST', '/Subscription', { grant, body })
  expect(status).toBe(201)
  await house.subscriptions.round()
  expect((await house.ask('GET', `/Subscription/${json.id}`, { grant })).json.status).toBe('active')
  return json.id
}

interface Parameter {
  readonly name: string
  readonly [value: string]: unknown
}
const asked = (id: string, grant = owner) => house.ask('GET', `/Subscription/${id}/$get-ws-binding-token`, { grant })
async function tokenFor(id: string, grant = owner): Promise<string> {
  const { status, json } = await asked(id, grant)
  expect(status).toBe(200)
  return json.parameter.find(({ name }: Parameter) => name === 'token').valueString
}
const weigh = (patient: string, value: number, more: object = {}) =>
  house.ask('POST', '/Observation', { grant: admin, body: weightOf(patient, value, more) })
const told = (came: readonly string[]) => came.map(text => statusIn(JSON.parse(text)))
const numbers = (came: readonly string[]) => told(came).flatMap(({ events }) => events.map(({ number }) => number))

/** Looks again and again; what is never so ends with the test. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(resolve => setImmediate(resolve))
}

async function bound(id: string, grant = owner) {
  const line = openLine()
  await line.hear(`bind-with-token ${await tokenFor(id, grant)}`)
  return line
}

describe('a topic over a websocket – https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/channels.html#websockets', () => {
  it('is bound by a token, greeted, and told as it was asked for', async () => {
    const id = await begun(topicSubscription(undefined, { content: 'full-resource', ...overLine }))
    await weigh('a', 60)
    await house.subscriptions.round()
    const line = await bound(id)
    expect(told(line.came)).toEqual([{ type: 'handshake', status: 'active', count: '1', events: [] }])
    await weigh('a', 70)
    await house.subscriptions.round()
    expect(told(line.came)[1]).toMatchObject({ type: 'event-notification', count: '2', events: [{ number: '2' }] })
    expect(line.came[1]).toContain('"value":70')
    expect(line.closed).toEqual([])
  })

  it.each([
    ['empty', 1],
    ['id-only', 2],
    ['full-resource', 2],
  ])('tells no more than payload content %s', async (content, entries) => {
    const line = await bound(await begun(topicSubscription(undefined, { content, ...overLine })))
    const { json } = await weigh('a', 70)
    await house.subscriptions.round()
    expect(JSON.parse(String(line.came[1])).entry).toHaveLength(entries)
    expect(line.came[1]?.includes(json.id)).toBe(content !== 'empty')
    expect(line.came[1]?.includes('valueQuantity')).toBe(content === 'full-resource')
  })

  it.each([
    ['bind-with-token: ', ''],
    ['{"type":"bind-with-token","payload":{"token":"', '"}}'],
  ])('is bound by %s as well', async (before, after) => {
    const line = openLine()
    await line.hear(`${before}${await tokenFor(await begun())}${after}`)
    expect(told(line.came)).toMatchObject([{ type: 'handshake' }])
  })

  it('tells in XML where that is asked for', async () => {
    const body = topicSubscription(undefined, { channel: { type: 'websocket', payload: 'application/fhir+xml' } })
    const line = await bound(await begun(body))
    expect(line.came[0]).toMatch(/^(<\?xml[^>]*>)?<Bundle xmlns="http:\/\/hl7.org\/fhir">/)
  })

  it('names what XML cannot say, and goes on behind it', async () => {
    const channel = { type: 'websocket', payload: 'application/fhir+xml' }
    const line = await bound(await begun(topicSubscription(undefined, { content: 'full-resource', channel })))
    const { status, json } = await weigh('a', 70, { note: [{ text: '\uffff' }] })
    expect(status).toBe(201)
    await house.subscriptions.round()
    await weigh('a', 71)
    await house.subscriptions.round()
    expect(line.came).toHaveLength(3)
    expect(line.came[1]).toContain(`Observation/${json.id}`)
    expect(line.came[1]).not.toContain('<valueQuantity>')
    expect(line.came[2]).toContain('<valueQuantity>')
  })

  it('is told over several lines, several over one, each with its own numbers', async () => {
    const [one, two] = [await begun(), await begun(topicSubscription(undefined, { topic: 'Patient', ...overLine }))]
    const both = openLine()
    for (const id of [one, two]) await both.hear(`bind-with-token ${await tokenFor(id)}`)
    const single = await bound(one)
    await weigh('a', 70)
    await house.ask('PUT', '/Patient/a', { grant: admin, body: { ...patientA, gender: 'female' } })
    await house.subscriptions.round()
    expect(told(both.came).map(({ type }) => type)).toEqual([
      'handshake',
      'handshake',
      'event-notification',
      'event-notification',
    ])
    expect(numbers(single.came)).toEqual(['1'])
  })

  it('one token binds all that whoever asks has made for a websocket', async () => {
    await begun()
    await begun(topicSubscription(undefined, { topic: 'Patient', ...overLine }))
    const { json } = await house.ask('GET', '/Subscription/$get-ws-binding-token', { grant: owner })
    const values = (name: string) => json.parameter.filter((each: Parameter) => each.name === name)
    expect(values('subscription')).toHaveLength(2)
    expect(values('websocket-url')).toEqual([
      { name: 'websocket-url', valueUrl: 'ws://127.0.0.1:8080/ws/subscriptions' },
    ])
    expect(Date.parse(values('expiration')[0].valueDateTime)).toBe(house.clock.nowMs() + 60_000)
    const line = openLine()
    await line.hear(`bind-with-token ${values('token')[0].valueString}`)
    expect(line.came).toHaveLength(2)
  })

  it('tells its heart beats while nothing happens', async () => {
    const settings = { 'backport-heartbeat-period': { valueUnsignedInt: 60 } }
    const line = await bound(await begun(topicSubscription(undefined, { settings, ...overLine })))
    for (const delayMs of [59_000, 1_000, 0]) {
      house.clock.advance(delayMs)
      await house.subscriptions.round()
    }
    expect(told(line.came).map(({ type }) => type)).toEqual(['handshake', 'heartbeat'])
  })

  it('what happened while nobody was there is numbered, and can be asked for', async () => {
    const id = await begun()
    const before = await bound(id)
    before.ended()
    for (const value of [70, 71]) await weigh('a', value)
    await house.subscriptions.round()
    expect(before.came).toHaveLength(1)
    expect(told((await bound(id)).came)).toMatchObject([{ count: '2' }])
    const { json } = await house.ask('GET', `/Subscription/${id}/$events`, { grant: owner })
    expect(statusIn(json).events.map(({ number }) => number)).toEqual(['1', '2'])
    expect((await house.ask('GET', `/Subscription/${id}`, { grant: owner })).json.status).toBe('active')
  })
})

describe('criteria over a websocket – https://hl7.org/fhir/R4/subscription.html#websocket', () => {
  it('are bound by the id, and a ping says that there is something', async () => {
    const id = await begun(plainSubscription('Observation?code=29463-7', { type: 'websocket' }))
    const line = openLine(owner)
    await line.hear(`bind ${id}`)
    await weigh('a', 70)
    await weigh('a', 70, { code: { coding: [{ system: 'http://loinc.org', code: '8302-2' }] } })
    await house.subscriptions.round()
    await house.subscriptions.round()
    expect(line.came).toEqual([`bound ${id}`, `ping ${id}`])
  })
})

describe('a line', () => {
  const codeOf = (text: string | undefined) => JSON.parse(String(text)).issue[0].details.coding[0].code

  it.each<[what: string, says: (id: string) => Promise<string> | string, grant?: typeof owner]>([
    ['an id without an access token', id => `bind ${id}`],
    ['the id of another family', id => `bind ${id}`, other],
    ['an id that is nobody’s', () => 'bind nothing', owner],
    [
      'an id under an access that has ended',
      id => `bind ${id}`,
      grantOf('user/*.rs', { id: 'ended', account: 'tester' }),
    ],
    ['a token that is none', () => `bind-with-token ${'x'.repeat(43)}`],
    [
      'a token that was used',
      async id => {
        const token = await tokenFor(id)
        await openLine().hear(`bind-with-token ${token}`)
        return `bind-with-token ${token}`
      },
    ],
    [
      'a token whose minute is over',
      async id => {
        const token = await tokenFor(id)
        house.clock.advance(60_001)
        return `bind-with-token ${token}`
      },
    ],
    [
      'a token whose grant has ended',
      async id => {
        const token = await tokenFor(id)
        house.grants.delete(owner.id)
        return `bind-with-token ${token}`
      },
    ],
    [
      'a token for what is off by now',
      async id => {
        const token = await tokenFor(id)
        const body = { ...topicSubscription(undefined, overLine), id, status: 'off' }
        await house.ask('PUT', `/Subscription/${id}`, { grant: owner, body })
        return `bind-with-token ${token}`
      },
    ],
  ])('is bound to nothing by %s, always in the same words', async (_, says, ...[grant]) => {
    const id = await begun()
    if (grant === other) house.grants.set(other.id, other)
    const text = await says(id)
    const line = openLine(grant)
    await line.hear(text)
    expect(line.came.map(codeOf)).toEqual(['subscription.binding-refused'])
    await weigh('a', 70)
    await house.subscriptions.round()
    expect(line.came).toHaveLength(1)
  })

  it.each(['', 'bind', 'bind a b', 'ping', '{', '{"type":"bind-with-token"}', 'null', 'bind-with-token a b'])(
    'does not understand %j, and is closed when that goes on',
    async text => {
      const line = openLine(owner)
      for (let count = 0; count < 6; count++) await line.hear(text)
      expect(line.came.map(codeOf)).toEqual(Array(5).fill('subscription.message-unknown'))
      expect(line.closed).toMatchObject([{ code: 1008 }])
    },
  )

  it('says so when the server itself fails, without why', async () => {
    const broken = openSubscriptions({
      record: house.record,
      documents: house.record.documents,
      vault: house.vault,
      clock: house.clock,
      log: silentLog,
      baseUrl,
      standing: () => Promise.reject(new TypeError('c4n4ry')),
      networks: [],
    })
    const came: string[] = []
    const line = { untakenBytes: 0, send: (text: string) => void came.push(text), close: () => undefined }
    await broken.connect(line, owner).hear(`bind ${await begun()}`)
    expect(came.map(codeOf)).toEqual(['subscription.binding-failed'])
    expect(came.join()).not.toContain('c4n4ry')
    await broken.close()
  })

  it.each([
    ['at once', 'empty', 0],
    ['at once', 'id-only', 0],
    ['after some seconds', 'empty', 20_000],
  ])('of a process that does not lead tells what the leader numbers %s: %s', async (_, content, lateMs) => {
    const follower = openSubscriptions({
      record: house.record,
      documents: house.record.documents,
      vault: house.vault,
      clock: house.clock,
      log: silentLog,
      baseUrl,
      standing: async ({ id }) => house.grants.get(id),
      networks: [],
      leads: () => false,
    })
    const line = openLine(undefined, follower)
    await line.hear(
      `bind-with-token ${await tokenFor(await begun(topicSubscription(undefined, { content, ...overLine })))}`,
    )
    await house.record.flush()
    await follower.round()
    await weigh('a', 70)
    await house.record.flush()
    await follower.round()
    expect(numbers(line.came)).toEqual([])
    house.clock.advance(lateMs)
    await house.subscriptions.round()
    await follower.round()
    expect(numbers(line.came)).toEqual(['1'])
    await follower.close()
  })

  it('that binds nothing is closed after ten seconds', async () => {
    const line = openLine()
    await house.subscriptions.round()
    expect(line.closed).toEqual([])
    house.clock.advance(10_000)
    await house.subscriptions.round()
    expect(line.closed).toMatchObject([{ code: 1008 }])
  })

  it.each<[what: string, ends: (id: string) => unknown]>([
    ['the grant that bound it ends', () => house.grants.delete(owner.id)],
    [
      'it does not reach the type any more',
      () =>
        house.grants.set(
          owner.id,
          grantOf('user/Patient.rs user/Subscription.rs', { id: owner.id, account: 'tester', patients: ['a'] }),
        ),
    ],
    ['the Subscription is deleted', id => house.ask('DELETE', `/Subscription/${id}`, { grant: owner })],
    [
      'the Subscription is turned off',
      id =>
        house.ask('PUT', `/Subscription/${id}`, {
          grant: owner,
          body: { ...topicSubscription(undefined, overLine), id, status: 'off' },
        }),
    ],
    ['the patient in context is erased', () => house.rooms.purge('a', { kind: 'administrator', id: 'host' })],
  ])('is closed when %s, and tells nothing more', async (_, ends) => {
    const context = grantOf('patient/*.rs patient/Subscription.cruds', {
      id: owner.id,
      patient: 'a',
      account: 'tester',
    })
    const isOfPatient = _.includes('erased')
    const body = topicSubscription(undefined, { filters: ['Observation?patient=Patient/a'], ...overLine })
    const id = await begun(isOfPatient ? body : topicSubscription(undefined, overLine), isOfPatient ? context : owner)
    const line = await bound(id, isOfPatient ? context : owner)
    await weigh('a', 70)
    await ends(id)
    if (isOfPatient) house.grants.delete(owner.id)
    await house.subscriptions.round()
    expect(line.closed).toMatchObject([{ code: 1008 }])
    await house.subscriptions.round()
    expect(numbers(line.came)).toEqual([])
  })

  it('that ends while nothing moves is closed within a minute', async () => {
    const line = await bound(await begun())
    await house.subscriptions.round()
    house.grants.delete(owner.id)
    house.clock.advance(60_000)
    await house.subscriptions.round()
    expect(line.closed).toMatchObject([{ code: 1008 }])
  })

  it('one family is not told of another, nor bound to what is theirs', async () => {
    const id = await begun()
    const line = await bound(id)
    await weigh('b', 80)
    await house.subscriptions.round()
    expect(line.came).toHaveLength(1)
    expect((await asked(id, other)).status).toBe(404)
  })

  it('what is told over it stands in the audit of its patient', async () => {
    await bound(await begun())
    const { json } = await weigh('a', 70)
    await house.subscriptions.round()
    await house.record.flush()
    const { text } = await house.ask('GET', '/AuditEvent?patient=a&action=R', { grant: admin })
    expect(text).toContain(`Observation/${json.id}/_history/1`)
  })

  it('whose other side takes nothing is sent nothing more: events wait, and come when it does', async () => {
    const line = await bound(await begun())
    line.line.untakenBytes = 300 * 1024
    await weigh('a', 70)
    await house.subscriptions.round()
    house.clock.advance(29_000)
    await house.subscriptions.round()
    expect([line.came.length, line.closed.length]).toEqual([1, 0])
    line.line.untakenBytes = 0
    await house.subscriptions.round()
    expect(numbers(line.came)).toEqual(['1'])
  })

  it('whose other side takes nothing for half a minute is closed; what was missed can be asked for', async () => {
    const id = await begun()
    const line = await bound(id)
    line.line.untakenBytes = 300 * 1024
    await weigh('a', 70)
    await house.subscriptions.round()
    house.clock.advance(30_000)
    await house.subscriptions.round()
    expect(line.closed).toEqual([{ code: 1013, reason: expect.stringContaining('$events') }])
    const { json } = await house.ask('GET', `/Subscription/${id}/$events`, { grant: owner })
    expect(statusIn(json).events).toHaveLength(1)
  })

  it('whose other side takes slowly is waited for', async () => {
    const line = await bound(await begun())
    await weigh('a', 70)
    for (const untaken of [900, 700, 500, 300]) {
      line.line.untakenBytes = untaken * 1024
      await house.subscriptions.round()
      house.clock.advance(20_000)
    }
    expect(line.closed).toEqual([])
  })

  it('of one family is not kept waiting by what another is told', async () => {
    const gate = Promise.withResolvers<void>()
    let isHeld = false
    const slow = openSubscriptions({
      record: house.record,
      documents: house.record.documents,
      vault: house.vault,
      clock: house.clock,
      log: silentLog,
      baseUrl,
      standing: async ({ id }) => {
        if (isHeld && id === owner.id) await gate.promise
        return house.grants.get(id)
      },
      networks: [],
      leads: () => false,
    })
    const lineOf = async (grant: typeof owner) => {
      const line = openLine(undefined, slow)
      const id = await begun(topicSubscription(undefined, overLine), grant)
      await line.hear(`bind-with-token ${await tokenFor(id, grant)}`)
      return line
    }
    const held: ReturnType<typeof openLine>[] = []
    for (let count = 0; count < 6; count++) held.push(await lineOf(owner))
    const theirs = await lineOf(other)
    await house.record.flush()
    isHeld = true
    const rounds: Promise<void>[] = []
    for (const value of [70, 71]) {
      for (const patient of ['a', 'b']) await weigh(patient, value)
      await house.subscriptions.round()
      await house.record.flush()
      rounds.push(slow.round())
      await until(() => numbers(theirs.came).length === value - 69)
    }
    expect(held.flatMap(({ came }) => numbers(came))).toEqual([])
    gate.resolve()
    await Promise.all(rounds)
    await slow.round()
    for (const { came } of held) expect(numbers(came)).toEqual(['1', '2'])
    await slow.close()
  })

  it('is told of many large resources in several messages', async () => {
    const body = topicSubscription(undefined, {
      content: 'full-resource',
      settings: { 'backport-max-count': { valuePositiveInt: 100 } },
      ...overLine,
    })
    const line = await bound(await begun(body))
    for (let value = 0; value < 8; value++) await weigh('a', value, { note: [{ text: 'x'.repeat(300_000) }] })
    await house.subscriptions.round()
    expect(numbers(line.came)).toEqual(['1', '2', '3', '4', '5', '6', '7', '8'])
    expect(line.came).toHaveLength(3)
    for (const text of line.came) expect(text.length).toBeLessThan(1_400_000)
  })

  it('is one of twenty at most that one app of one person has open', async () => {
    const id = await begun()
    for (let count = 0; count < 20; count++) await bound(id)
    const tooMany = await bound(id)
    expect(tooMany.came.map(codeOf)).toEqual(['subscription.lines-too-many'])
  })
})

describe('a binding token', () => {
  it.each<[what: string, body: object]>([
    ['a rest-hook', topicSubscription('http://127.0.0.1:1/hook')],
    ['criteria by rest-hook', plainSubscription('Observation?', { endpoint: 'http://127.0.0.1:1/hook' })],
  ])('is not given for %s', async (_, body) => {
    const { json } = await house.ask('POST', '/Subscription', { grant: owner, body })
    const answer = await asked(json.id)
    expect([answer.status, answer.json.issue[0].details.coding[0].code]).toEqual([422, 'subscription.not-bindable'])
  })

  it('is not given for nothing', async () => {
    const { status } = await house.ask('GET', '/Subscription/$get-ws-binding-token', { grant: owner })
    expect(status).toBe(422)
  })

  it('is one of fifty at most that wait to be used', async () => {
    const id = await begun()
    for (let count = 0; count < 50; count++) await tokenFor(id)
    const { status, json } = await asked(id)
    expect([status, json.issue[0].details.coding[0].code]).toEqual([429, 'subscription.tokens-too-many'])
    house.clock.advance(60_001)
    expect((await asked(id)).status).toBe(200)
  })

  const ofAll = async () => {
    const { json } = await house.ask('GET', '/Subscription/$get-ws-binding-token', { grant: owner })
    return json.parameter[0].valueString as string
  }
  const codes = (came: readonly string[]) =>
    came.flatMap(text => JSON.parse(text).issue ?? []).map(({ details }) => details.coding[0].code)

  it('for several binds none of them when one of them may not be bound any more', async () => {
    await begun()
    const second = await begun()
    await begun()
    const token = await ofAll()
    await house.ask('PUT', `/Subscription/${second}`, {
      grant: owner,
      body: { ...topicSubscription(undefined, overLine), id: second, status: 'off' },
    })
    const line = openLine()
    for (let count = 0; count < 2; count++) await line.hear(`bind-with-token ${token}`)
    expect(codes(line.came)).toEqual(Array(2).fill('subscription.binding-refused'))
    await weigh('a', 70)
    await house.subscriptions.round()
    expect(line.came).toHaveLength(2)
  })

  it('for several that finds no room binds none, and is good once there is', async () => {
    const [id] = [await begun(), await begun()]
    const others = await Promise.all(Array.from({ length: 20 }, () => bound(id)))
    const token = await ofAll()
    const line = openLine()
    await line.hear(`bind-with-token ${token}`)
    expect(codes(line.came)).toEqual(['subscription.lines-too-many'])
    others[0]?.ended()
    await line.hear(`bind-with-token ${token}`)
    expect(line.came).toHaveLength(3)
    await weigh('a', 70)
    await house.subscriptions.round()
    expect(line.came).toHaveLength(5)
  })

  it('that several show at once binds one of them', async () => {
    await begun()
    await begun()
    const token = await ofAll()
    const shown = Array.from({ length: 5 }, () => openLine())
    await Promise.all(shown.map(line => line.hear(`bind-with-token ${token}`)))
    expect(shown.map(({ came }) => codes(came).length).toSorted()).toEqual([0, 1, 1, 1, 1])
    expect(shown.map(({ came }) => came.length).toSorted()).toEqual([1, 1, 1, 1, 2])
  })

  it('names several by Parameters, all of which must be of whoever asks', async () => {
    const [one, two, theirs] = [
      await begun(),
      await begun(),
      await begun(topicSubscription(undefined, overLine), other),
    ]
    const of = (...ids: string[]) =>
      house.ask('POST', '/Subscription/$get-ws-binding-token', {
        grant: owner,
        body: { resourceType: 'Parameters', parameter: ids.map(valueId => ({ name: 'id', valueId })) },
      })
    expect((await of(one, two)).json.parameter.filter(({ name }: Parameter) => name === 'subscription')).toHaveLength(2)
    expect((await of(one, theirs)).status).toBe(404)
  })
})
