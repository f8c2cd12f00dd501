/** What a Consent withholds is told of by no Subscription, whichever came first: https://hl7.org/fhir/R4/consent.html */
import { consentOf, ofCodes, ofTypes, toRecipients } from '../interactions/consent-of.ts'
import {
  type Answer,
  admin,
  grantOf,
  type House,
  openHouse,
  patientA,
  patientB,
  weightOf,
} from '../interactions/house.ts'
import { openReceiver, plainSubscription, type Receiver, statusIn, topicSubscription } from './receiver.ts'

let house: House
let receiver: Receiver
const secret = 'Hidden-7f3a'
const acts = 'http://terminology.hl7.org/CodeSystem/v3-ActCode'
const hiv = { code: { coding: [{ system: 'http://loinc.org', code: '75622-1' }], text: secret } }

async function grantFor(account: string, clientId?: string) {
  const actor = { kind: 'account', id: account, ...(clientId === undefined ? {} : { clientId }) } as const
  const id = `${account} ${clientId}`
  return grantOf('user/*.cruds', { id, actor, account, ...(await house.record.keptBy(account)) })
}

async function written(method: string, path: string, body?: object, grant = admin): Promise<Answer> {
  const answer = await house.ask(method, path, { grant, ...(body === undefined ? {} : { body }) })
  if (answer.status >= 300) throw new Error(answer.text)
  return answer
}

beforeEach(async () => {
  house = await openHouse()
  receiver = await openReceiver()
  await written('PUT', '/Patient/a', patientA)
  await written('PUT', '/Patient/b', patientB)
  await house.record.addPatientTo('anna', 'a')
  await house.record.addPatientTo('bert', 'a', { role: 'guardian' })
  await house.record.addPatientTo('bert', 'b')
})
afterEach(async () => {
  await house.close()
  await receiver.close()
})

const weigh = async (patient: string, value: number, more: object = {}): Promise<string> =>
  (await written('POST', '/Observation', weightOf(patient, value, more))).json.id
const ruled = async (provision: object): Promise<string> =>
  (await written('POST', '/Consent', consentOf('a', provision), await grantFor('anna'))).json.id
const lifted = async (id: string) => written('DELETE', `/Consent/${id}`, undefined, await grantFor('anna'))
const hidesHiv = () => ruled(ofCodes('http://loinc.org|75622-1'))

async function begun(body: object, who = ['bert']): Promise<string> {
  const grant = await grantFor(who[0] ?? '', who[1])
  const { id } = (await written('POST', '/Subscription', body, grant)).json
  await house.subscriptions.round()
  expect((await house.ask('GET', `/Subscription/${id}`, { grant })).json.status).toBe('active')
  return id
}

const messages = () => receiver.received.map(({ text }) => text)
/** What is said to have happened to which resource. */
const told = () =>
  receiver.received.flatMap(({ json }) => (json?.resourceType === 'Bundle' ? statusIn(json).events : [])).length
const namesOf = (id: string) => messages().filter(text => text.includes(id) || text.includes(secret))

const ways = [
  ['a topic, whole', () => topicSubscription(receiver.url, { content: 'full-resource' })],
  ['a topic, ids', () => topicSubscription(receiver.url, { content: 'id-only' })],
  ['criteria', () => plainSubscription('Observation?', { endpoint: receiver.url, payload: 'application/fhir+json' })],
] as const

describe.each(ways)('by %s', (_, body) => {
  it('nothing is told of what is withheld when it happens; all else, and all that comes once the Consent is over', async () => {
    await begun(body())
    const consent = await hidesHiv()
    const hidden = await weigh('a', 70, hiv)
    const owner = await grantFor('anna')
    await written('PUT', `/Observation/${hidden}`, { ...weightOf('a', 71, hiv), id: hidden }, owner)
    await written('DELETE', `/Observation/${hidden}`, undefined, owner)
    const [other, shown] = [await weigh('b', 72, hiv), await weigh('a', 73)]
    await house.subscriptions.round()
    expect(messages().filter(text => text.includes(hidden))).toEqual([])
    for (const id of [other, shown]) expect([id, namesOf(id).length > 0]).toEqual([id, true])
    await lifted(consent)
    const after = await weigh('a', 74, hiv)
    await house.subscriptions.round()
    expect(namesOf(after).length).toBeGreaterThan(0)
    expect(messages().filter(text => text.includes(hidden))).toEqual([])
  })

  it.each([
    ['it is sent for the first time', 200],
    ['it is sent again, since the receiver failed', 503],
  ])('what happened before is told no more when %s', async (_, status) => {
    await begun(body())
    receiver.status = status
    const hidden = await weigh('a', 70, hiv)
    if (status !== 200) await house.subscriptions.round()
    const before = receiver.received.length
    await hidesHiv()
    receiver.status = 200
    house.clock.advance(5_000)
    await house.subscriptions.round()
    const shown = await weigh('a', 71)
    await house.subscriptions.round()
    const since = messages().slice(before)
    expect(since.filter(text => text.includes(hidden) || text.includes(secret))).toEqual([])
    expect(since.some(text => text.includes(shown) || text.includes('"value":71'))).toBe(true)
  })

  it('is told to an app that no Consent names, and not to the one that is named', async () => {
    const other = await openReceiver()
    const of = (url: string) => JSON.parse(JSON.stringify(body()).replace(receiver.url, url))
    await begun(body(), ['anna', 'tracker'])
    await begun(of(other.url), ['anna', 'diary'])
    await ruled({ ...ofCodes('http://loinc.org|75622-1'), ...toRecipients('client=tracker') })
    const id = await weigh('a', 70, hiv)
    await house.subscriptions.round()
    expect(namesOf(id)).toEqual([])
    expect(other.received.some(({ text }) => text.includes(id))).toBe(true)
    await other.close()
  })
})

it('an empty notification does not come for what is withheld by then – payload content empty', async () => {
  const id = await begun(topicSubscription(receiver.url, { content: 'empty' }))
  receiver.status = 503
  await weigh('a', 70, hiv)
  await house.subscriptions.round()
  const before = receiver.received.length
  await hidesHiv()
  receiver.status = 200
  house.clock.advance(5_000)
  await house.subscriptions.round()
  const events = receiver.received
    .slice(before)
    .flatMap(({ json }) => statusIn(json))
    .flatMap(({ type, events }) => (type === 'event-notification' ? events : []))
  expect(events).toEqual([])
  const grant = await grantFor('bert')
  const asked = await house.ask('GET', `/Subscription/${id}/$events?eventsSinceNumber=1`, { grant })
  expect(statusIn(asked.json).events).toEqual([])
  await weigh('a', 71)
  await house.subscriptions.round()
  expect(told()).toBeGreaterThan(0)
})

it.each(['empty', 'id-only', 'full-resource'])(
  '$events tell what is not withheld at that moment, as much as %s',
  async content => {
    const id = await begun(topicSubscription(receiver.url, { content: 'full-resource' }))
    const [hidden, shown] = [await weigh('a', 70, hiv), await weigh('a', 71)]
    await house.subscriptions.round()
    const grant = await grantFor('bert')
    const events = async () => {
      const path = `/Subscription/${id}/$events?eventsSinceNumber=1&content=${content}`
      const answer = await house.ask('GET', path, { grant })
      return { numbers: statusIn(answer.json).events.map(({ number }) => number), text: answer.text }
    }
    expect((await events()).numbers).toEqual(['1', '2'])
    const consent = await hidesHiv()
    const during = await events()
    expect([during.numbers, during.text.includes(hidden), during.text.includes(secret)]).toEqual([['2'], false, false])
    expect(during.text.includes(shown)).toBe(content !== 'empty')
    await lifted(consent)
    expect((await events()).numbers).toEqual(['1', '2'])
  },
)

it('over a websocket nothing is told of what is withheld, until that is over', async () => {
  const overLine = { content: 'full-resource', channel: { type: 'websocket' } }
  const id = await begun(topicSubscription(undefined, overLine))
  const grant = await grantFor('bert')
  const { parameter } = (await house.ask('GET', `/Subscription/${id}/$get-ws-binding-token`, { grant })).json
  const token = parameter.find(({ name }: { name: string }) => name === 'token').valueString
  const came: string[] = []
  const closed: number[] = []
  const line = {
    untakenBytes: 0,
    send: (text: string) => void came.push(text),
    close: (code: number) => void closed.push(code),
  }
  const listener = house.subscriptions.connect(line)
  await listener.hear(`bind-with-token ${token}`)
  const hidden = [await weigh('a', 70, hiv)]
  const consent = await hidesHiv()
  hidden.push(await weigh('a', 71, hiv))
  const shown = await weigh('a', 72)
  await house.subscriptions.round()
  expect(came.filter(text => text.includes(secret) || hidden.some(each => text.includes(each)))).toEqual([])
  expect(came.some(text => text.includes(shown))).toBe(true)
  await lifted(consent)
  const after = await weigh('a', 73, hiv)
  await house.subscriptions.round()
  expect(came.some(text => text.includes(after))).toBe(true)
  expect(closed).toEqual([])
  listener.ended()
})

it('a label that comes later ends the telling of what was said before', async () => {
  await begun(topicSubscription(receiver.url, { content: 'full-resource' }))
  await ruled({ securityLabel: [{ system: acts, code: 'SUD' }] })
  receiver.status = 503
  const hidden = await weigh('a', 70, { note: [{ text: secret }] })
  await house.subscriptions.round()
  const before = receiver.received.length
  const label = { meta: { security: [{ system: acts, code: 'SUD' }] } }
  await written('PUT', `/Observation/${hidden}`, { ...weightOf('a', 70, label), id: hidden }, await grantFor('anna'))
  receiver.status = 200
  house.clock.advance(5_000)
  await house.subscriptions.round()
  expect(
    messages()
      .slice(before)
      .filter(text => text.includes(hidden) || text.includes(secret)),
  ).toEqual([])
})

it('a Subscription of who is not shown the Patient any more goes on about others alone', async () => {
  await begun(topicSubscription(receiver.url, { content: 'full-resource' }))
  await ruled({})
  const [hidden, other] = [await weigh('a', 70), await weigh('b', 71)]
  await house.subscriptions.round()
  expect([namesOf(hidden), namesOf(other).length]).toEqual([[], 1])
  await ruled(ofTypes('Observation'))
})
