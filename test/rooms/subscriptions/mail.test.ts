import { admin, grantOf, type House, openHouse, patientA, patientB, weightOf } from '../interactions/house.ts'
import { type MailServer, openMailServer } from './mail-server.ts'
import { plainSubscription, statusIn, topicSubscription } from './receiver.ts'

let house: House
let server: MailServer
const owner = grantOf('user/*.cruds', { account: 'tester', patients: ['a'] })
const address = 'mailto:anna+news@example.org'

async function opened(content: 'empty' | 'id-only' | 'full-resource' = 'empty') {
  const mail = { host: '127.0.0.1', port: server.port, security: 'none', from: 'house@example.org', content } as const
  house = await openHouse({ mail })
  await house.ask('PUT', '/Patient/a', { grant: admin, body: patientA })
  await house.ask('PUT', '/Patient/b', { grant: admin, body: patientB })
}

beforeEach(async () => {
  server = await openMailServer()
})
afterEach(async () => {
  await house.close()
  await server.close()
})

const byMail = (content = 'empty', payload = 'text/plain', more: object = {}) =>
  topicSubscription(address, { content, channel: { type: 'email', payload }, ...more })
const ask = (body: object) => house.ask('POST', '/Subscription', { grant: owner, body })
async function begun(body: object): Promise<string> {
  const { status, json } = await ask(body)
  expect(status).toBe(201)
  await house.subscriptions.round()
  return json.id
}
const weigh = (value: number, patient = 'a') =>
  house.ask('POST', '/Observation', { grant: admin, body: weightOf(patient, value) })

describe('a Subscription by mail – https://hl7.org/fhir/uv/subscriptions-backport/STU1.1/channels.html#email', () => {
  it('tells that something happened and where to ask, and of nobody what', async () => {
    await opened()
    const id = await begun(byMail())
    expect(server.letters).toEqual([])
    const { json } = await weigh(70)
    await weigh(71)
    await weigh(80, 'b')
    await house.subscriptions.round()
    const [letter] = server.letters
    expect(server.letters).toHaveLength(1)
    expect(letter).toMatchObject({ from: 'house@example.org', to: ['anna+news@example.org'] })
    expect(letter?.text).toMatch(/^Auto-Submitted: auto-generated\r$/m)
    expect(letter?.text).toMatch(new RegExp(`^Message-ID: <${id}\\.\\d+\\.2@127\\.0\\.0\\.1>\\r$`, 'm'))
    expect(letter?.text).toContain('Events: 2')
    expect(letter?.text).toContain(`/Subscription/${id}/$events`)
    for (const secret of [json.id, '29463-7', 'Observation', 'valueQuantity'])
      expect(letter?.text).not.toContain(secret)
    expect((await house.ask('GET', `/Subscription/${id}`, { grant: owner })).json.status).toBe('active')
  })

  it('comes once a minute at most; what happens meanwhile is in the next letter', async () => {
    await opened()
    await begun(byMail())
    for (const value of [70, 71, 72]) {
      await weigh(value)
      await house.subscriptions.round()
    }
    expect(server.letters).toHaveLength(1)
    house.clock.advance(60_000)
    await house.subscriptions.round()
    expect(server.letters.map(({ text }) => /Events: \d/.exec(text)?.[0])).toEqual(['Events: 1', 'Events: 2'])
  })

  it('of many large resources carries the first ones; the others come in the next letters', async () => {
    await opened('full-resource')
    await begun(byMail('full-resource', 'application/fhir+json'))
    for (let value = 0; value < 8; value++) {
      const body = { ...weightOf('a', value), note: [{ text: 'x'.repeat(900_000) }] }
      expect((await house.ask('POST', '/Observation', { grant: admin, body })).status).toBe(201)
    }
    for (const expected of [1, 2]) {
      await house.subscriptions.round()
      expect(server.letters).toHaveLength(expected)
      house.clock.advance(60_000)
    }
    expect(server.letters.map(({ text }) => /Events: \d/.exec(text)?.[0])).toEqual(['Events: 5', 'Events: 3'])
  })

  it.each([
    ['id-only', 'text/plain', true, false],
    ['id-only', 'text/plain;attach=application/fhir+json', true, true],
    ['full-resource', 'application/fhir+json', true, true],
    ['full-resource', 'text/plain;attach=application/fhir+xml', true, true],
  ])('tells more where whoever runs the server allows it: %s as %s', async (content, payload, names, attached) => {
    await opened('full-resource')
    await begun(byMail(content, payload))
    const { json } = await weigh(70)
    await house.subscriptions.round()
    const { text = '' } = server.letters[0] ?? {}
    expect(text.includes(json.id)).toBe(names)
    expect(text.includes('filename=notification.')).toBe(attached)
  })

  it.each(['id-only', 'full-resource'])('is refused with content %s where that is not allowed', async content => {
    await opened()
    const answer = await ask(byMail(content))
    expect(answer.status).toBe(422)
    expect(answer.json.issue[0].details.coding[0].code).toBe('subscription.payload-unsupported')
    expect(answer.json.issue[0].expression).toEqual(['Subscription.channel.payload'])
  })

  it.each([
    'mailto:',
    'mailto:a@b,c@d',
    'mailto:a@b?bcc=c@d',
    'mailto:a%0d%0aBcc:c@d@e',
    'mailto:a\r\nBcc: c@d',
    'mailto:"a b"@c',
    'mailto:<a@b>',
    'mailto:a@[127.0.0.1]',
    'https://example.org',
  ])('is refused for the address %j', async endpoint => {
    await opened()
    const answer = await ask(
      topicSubscription(endpoint, { content: 'empty', channel: { type: 'email', payload: 'text/plain' } }),
    )
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.status).toBeLessThan(500)
  })

  it('is refused with a heart that beats more often than once an hour', async () => {
    await opened()
    const settings = { 'backport-heartbeat-period': { valueUnsignedInt: 60 } }
    expect((await ask(byMail('empty', 'text/plain', { settings }))).status).toBe(422)
  })

  it('is one of five at most, whichever way there come to be more', async () => {
    await opened()
    const entry = (count: number) =>
      Array.from({ length: count }, () => ({ resource: byMail(), request: { method: 'POST', url: 'Subscription' } }))
    const add = (count: number) =>
      house.ask('POST', '/', {
        grant: owner,
        body: { resourceType: 'Bundle', type: 'transaction', entry: entry(count) },
      })
    expect((await add(6)).status).toBe(409)
    expect((await add(4)).status).toBe(200)
    const hook = await ask(topicSubscription('http://127.0.0.1:1/hook'))
    const [created, updated] = [
      await ask(byMail()),
      await house.ask('PUT', `/Subscription/${hook.json.id}`, {
        grant: owner,
        body: { ...byMail(), id: hook.json.id },
      }),
    ]
    expect([created.status, updated.status, updated.json.issue?.[0].details.coding[0].code]).toEqual([
      201,
      409,
      'subscription.too-many',
    ])
  })

  it('that the mail server does not take is tried again, shown, and as the same letter taken in the end', async () => {
    await opened()
    const id = await begun(byMail())
    server.code = 451
    await weigh(70)
    await house.subscriptions.round()
    for (let tries = 1; tries < 5; tries++) {
      house.clock.advance(3_600_000)
      await house.subscriptions.round()
    }
    const { json } = await house.ask('GET', `/Subscription/${id}`, { grant: owner })
    expect([json.status, json.error]).toEqual(['error', 'The mail server answered with 451.'])
    const waiting = await house.ask('GET', `/Subscription/${id}/$events`, { grant: owner })
    expect(statusIn(waiting.json).events).toHaveLength(1)
    server.code = 250
    house.clock.advance(3_600_000)
    await house.subscriptions.round()
    const ids = server.letters.map(({ text }) => /^Message-ID: (.*)\r$/m.exec(text)?.[1])
    expect([ids.length, new Set(ids).size]).toEqual([6, 1])
    expect((await house.ask('GET', `/Subscription/${id}`, { grant: owner })).json.status).toBe('active')
  })

  it('goes nowhere once the access under which it was asked has ended', async () => {
    await opened()
    await begun(byMail())
    await weigh(70)
    house.grants.delete(owner.id)
    await house.subscriptions.round()
    expect(server.letters).toEqual([])
  })
})

describe('criteria by mail – https://hl7.org/fhir/R4/subscription.html#email', () => {
  it('say that there is something', async () => {
    await opened()
    await begun(plainSubscription('Observation?', { type: 'email', endpoint: address }))
    await weigh(70)
    await house.subscriptions.round()
    expect(server.letters).toHaveLength(1)
  })

  it('bring the resource where there is a payload, and that is allowed', async () => {
    const body = plainSubscription('Observation?', {
      type: 'email',
      endpoint: address,
      payload: 'application/fhir+json',
    })
    await opened()
    expect((await ask(body)).status).toBe(422)
    await house.close()
    await opened('full-resource')
    await begun(body)
    await weigh(70)
    await house.subscriptions.round()
    expect(server.letters[0]?.text).toContain('filename=1.json')
  })
})

it('a Subscription by mail is refused where no mail server is configured', async () => {
  house = await openHouse()
  const answer = await ask(byMail())
  expect(answer.status).toBe(422)
  expect(answer.json.issue[0].details.text).toContain('No mail server is configured here.')
})
