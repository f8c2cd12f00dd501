import type { Bundle } from '@medplum/fhirtypes'
import { tokenOfAccount } from './server/account-token.ts'
import { type Home, newHome, run } from './server/home.ts'
import { type RunningServer, startServer } from './server/start-server.ts'

/** A hospital's messages at two servers that share a record: what comes again, at whichever, says nothing new. */
let home: Home
let servers: RunningServer[]
let token: string

beforeAll(async () => {
  home = await newHome('hl7v2-again')
  servers = [await startServer(home)]
  await run(home, 'account', 'create', 'hospital')
  token = await tokenOfAccount(home, 'hospital')
  servers.push(await startServer(home))
})
afterAll(async () => {
  for (const server of servers) await server.stop()
  await home.remove()
})

const ask = (nth: number, path: string, init: RequestInit = {}) =>
  fetch(new URL(path, servers[nth]?.url), { ...init, headers: { authorization: `Bearer ${token}`, ...init.headers } })

async function send(nth: number, message: string): Promise<string> {
  const headers = { 'content-type': 'x-application/hl7-v2+er7' }
  const answer = await ask(nth, '/hl7v2', { method: 'POST', body: message, headers })
  return answer.text()
}

const pid = 'PID|1||4711^^^HOSP^MR||Sample^Ann||19800203|F'
const admission = `MSH|^~\\&|REG|HOSP|K|H|20240310080000+0000||ADT^A01|A1|P|2.5.1\r${pid}\rPV1|1|I|WARD1||||||||||||||||V1\r`
const transfer = `MSH|^~\\&|REG|HOSP|K|H|20240310090000+0000||ADT^A02|A2|P|2.5.1\r${pid}\rPV1|1|I|WARD2||||||||||||||||V1\r`
const result = (id: string, time: string, value: string, status: string) =>
  [
    `MSH|^~\\&|LAB|HOSP|K|H|2024031012${time}00+0000||ORU^R01|${id}|P|2.5.1`,
    pid,
    `OBR|1||F-${id.slice(0, 1)}|PAN^Panel^L|||20240310110000+0000||||||||||||||||||${status}`,
    `OBX|1|NM|2345-7^Glucose^LN||${value}|mg/dL|||||${status}`,
    '',
  ].join('\r')

async function bundle(nth: number, path: string): Promise<Bundle> {
  return (await (await ask(nth, path)).json()) as Bundle
}

/** What stands, with its versions. */
async function standing(nth: number): Promise<string> {
  const found = [await bundle(nth, '/fhir/Observation?_sort=_id'), await bundle(nth, '/fhir/Encounter')]
  return JSON.stringify(found.flatMap(({ entry = [] }) => entry.map(({ resource }) => resource)))
}

it('gets its first answer word for word at another process and after a restart, and changes nothing', async () => {
  const early = result('R1', '01', '90', 'P')
  const late = result('R2', '02', '95', 'F')
  const said = [
    { message: admission, ack: await send(0, admission) },
    { message: early, ack: await send(0, early) },
    { message: transfer, ack: await send(1, transfer) },
    { message: late, ack: await send(1, late) },
  ]
  for (const { ack } of said) expect(ack).toContain('MSA|AA')
  const before = await standing(0)
  expect(before).toContain('"value":95')
  expect(before).toContain('WARD2')
  expect(await standing(1)).toBe(before)

  const comeAgain = async () => {
    for (const { message, ack } of said) for (const nth of [1, 0]) expect(await send(nth, message)).toBe(ack)
    // The same under another name is another message that says nothing new; what was said before it turns nothing back.
    for (const { message } of said)
      expect(await send(0, message.replace(/\|(A1|R1|A2|R2)\|P/, '|again-$1|P'))).toContain('MSA|AA')
    for (const nth of [0, 1]) expect(await standing(nth)).toBe(before)
  }
  await comeAgain()
  await servers[0]?.stop()
  await servers[1]?.kill()
  servers = [await startServer(home), await startServer(home)]
  await comeAgain()
})

it('sent to both processes at once it is taken in once', async () => {
  const message = result('S1', '03', '70', 'F')
  const acks = await Promise.all([0, 1, 0, 1].map(nth => send(nth, message)))
  for (const ack of acks) expect(ack).toContain('MSA|AA')
  const { entry = [] } = await bundle(1, '/fhir/Observation')
  expect(entry).toHaveLength(2)
  const made = entry.find(({ resource }) => JSON.stringify(resource).includes('"value":70'))
  expect(made?.resource?.meta?.versionId).toBe('1')
})
