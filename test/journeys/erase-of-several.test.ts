import type { Bundle, OperationOutcome, Parameters, Resource } from '@medplum/fhirtypes'
import { type Client, everyEntry, openClient } from './server/client.ts'
import { type Home, lastLine, run } from './server/home.ts'
import type { RunningServer } from './server/start-server.ts'
import { type StartedHome, startHome } from './server/started-home.ts'

const longest = 600_000
let home: Home
let server: RunningServer
let client: Client
let end: StartedHome['end']

beforeAll(async () => {
  ;({ home, server, client, end } = await startHome('erase-several'))
}, longest)
afterAll(async () => {
  expect(await end()).toBe(0)
}, longest)

const takeIn = async (...ids: readonly string[]) => {
  for (const id of ids) {
    const body = { resourceType: 'Patient', id, name: [{ family: `Name-${id}` }] }
    expect((await client.send({ method: 'PUT', path: `/fhir/Patient/${id}`, body })).status).toBe(201)
  }
}
const write = async (resource: object & { id?: string; resourceType: string }) => {
  const { resourceType, id } = resource
  const path = id === undefined ? `/fhir/${resourceType}` : `/fhir/${resourceType}/${id}`
  const answer = await client.send({ method: id === undefined ? 'POST' : 'PUT', path, body: resource })
  expect([200, 201]).toContain(answer.status)
  return answer.json<Resource>()
}
const statusOf = async (path: string, by: Client = client) => (await by.send({ path })).status
const purge = async (id: string) => {
  const answer = await client.send({ method: 'POST', path: `/fhir/Patient/${id}/$purge?confirm=${id}` })
  return [answer.status, answer.json<OperationOutcome>().issue[0]?.details?.coding?.[0]?.code]
}
const reference = (id: string) => ({ reference: `Patient/${id}` })
const group = (ids: readonly string[], more: object = {}) => ({
  resourceType: 'Group',
  type: 'person',
  actual: true,
  member: ids.map(id => ({ entity: reference(id) })),
  ...more,
})

describe.each([
  ['three', 3],
  ['thirty-three, which is a crowd and lies in a household', 33],
])('what belongs to %s patients, when one of them is erased', (_, count) => {
  const ids = Array.from({ length: count }, (_, at) => `p${count}x${at}`)
  const [first = '', second = '', third = ''] = ids
  const id = `g${count}`

  it(
    'stays the others’: read, search, history, $everything, and takes their changes',
    async () => {
      await takeIn(...ids)
      await write({ ...group(ids), id })
      await write({ ...group(ids, { name: 'changed' }), id })
      expect((await purge(first))[0]).toBe(200)
      expect(await statusOf(`/fhir/Group/${id}`)).toBe(200)
      expect(await everyEntry(client, `/fhir/Group/${id}/_history`)).toHaveLength(2)
      expect(await everyEntry(client, `/fhir/Group?member=Patient/${second}&_id=${id}`)).toHaveLength(1)
      if (count <= 32)
        for (const who of [second, third]) {
          const own = openClient(server.url, await lastLine(home, 'token', '--scope', 'patient/*.rs', '--patient', who))
          expect(await statusOf(`/fhir/Group/${id}`, own)).toBe(200)
          expect(await statusOf(`/fhir/Group/${id}/_history/1`, own)).toBe(200)
          expect(await everyEntry(own, `/fhir/Group/${id}/_history`)).toHaveLength(2)
          expect(await everyEntry(own, `/fhir/Group?_id=${id}`)).toHaveLength(1)
          const everything = await everyEntry(own, `/fhir/Patient/${who}/$everything`)
          expect(everything.map(({ resource }) => resource?.id)).toContain(id)
          own.close()
        }
      await write({ ...group(ids, { name: 'changed again' }), id })
      await write({ ...group(ids.slice(1)), id })
      expect(await statusOf(`/fhir/Patient/${first}`)).toBe(410)
      expect((await client.send({ path: '/fhir/Patient' })).body.toString()).not.toContain(`Name-${first}`)
      expect(await run(home, 'verify')).toMatchObject({ status: 0, stdout: '' })
    },
    longest,
  )
})

describe('after a merge', () => {
  const merge = async (source: string, target: string) => {
    const parameter = [
      { name: 'source-patient', valueReference: reference(source) },
      { name: 'target-patient', valueReference: reference(target) },
    ]
    const body = { resourceType: 'Parameters', parameter }
    const answer = await client.send({ method: 'POST', path: '/fhir/Patient/$merge', body })
    expect(answer.status).toBe(200)
    return answer.json<Parameters>()
  }
  const observation = (of: string, text: string) => ({
    resourceType: 'Observation',
    status: 'final',
    code: { text },
    subject: reference(of),
  })

  it(
    'the one that lost is not erased alone, by $purge or by the command: all that was theirs would be left',
    async () => {
      await takeIn('lost', 'stayed')
      const { id } = await write(observation('lost', 'once of the lost'))
      await merge('lost', 'stayed')
      expect(await purge('lost')).toEqual([409, 'command.patient-merged'])
      const refused = await run(home, 'erase', '--patient', 'lost', '--yes')
      expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('command.patient-merged')])
      expect(await statusOf(`/fhir/Observation/${id}`)).toBe(200)
      expect(await statusOf(`/fhir/Observation/${id}/_history/1`)).toBe(200)
    },
    longest,
  )

  it(
    'who had it before is told the same by a read as by its history – https://hl7.org/fhir/R4/http.html#read',
    async () => {
      const own = openClient(server.url, await lastLine(home, 'token', '--scope', 'patient/*.rs', '--patient', 'lost'))
      const [last] = await everyEntry(own, '/fhir/Observation/_history')
      expect(last?.request?.method).toBe('DELETE')
      const path = `/fhir/${last?.request?.url}`
      const other = openClient(
        server.url,
        await lastLine(home, 'token', '--scope', 'patient/*.rs', '--patient', 'p3x1'),
      )
      expect([await statusOf(path, own), await statusOf(path), await statusOf(path, other)]).toEqual([410, 200, 404])
      expect((await own.send({ path: '/fhir/Observation' })).json<Bundle>().total).toBe(0)
      own.close()
      other.close()
    },
    longest,
  )

  it(
    'the one that stayed takes along all who were merged into it, and every version from before',
    async () => {
      await takeIn('stays')
      await merge('stayed', 'stays')
      const { id = '' } = (await everyEntry(client, '/fhir/Observation?patient=stays'))[0]?.resource ?? {}
      const erased = await run(home, 'erase', '--patient', 'stays', '--yes')
      expect([erased.status, erased.stdout.trimEnd().split('\n').length]).toEqual([0, 3])
      for (const who of ['stays', 'stayed', 'lost']) {
        expect([who, await statusOf(`/fhir/Patient/${who}`)]).toEqual([who, 410])
        expect([who, await statusOf(`/fhir/Patient/${who}/_history/1`)]).toEqual([who, 404])
      }
      for (const path of [`${id}`, `${id}/_history`, `${id}/_history/1`, `${id}/_history/2`])
        expect([path, await statusOf(`/fhir/Observation/${path}`)]).toEqual([path, 404])
      const everywhere = await client.send({ path: '/fhir/_history?_count=1000' })
      expect(everywhere.body.toString()).not.toMatch(/once of the lost|Name-(lost|stayed|stays)/)
      expect(await run(home, 'verify')).toMatchObject({ status: 0, stdout: '' })
    },
    longest,
  )

  it(
    'that was undone the two are two again: one is erased, and the other keeps what is theirs',
    async () => {
      await takeIn('one', 'two')
      const { id } = await write(observation('one', 'of one'))
      await merge('one', 'two')
      expect((await client.send({ method: 'POST', path: '/fhir/Patient/one/$unmerge' })).status).toBe(200)
      expect((await purge('two'))[0]).toBe(200)
      expect([await statusOf('/fhir/Patient/one'), await statusOf(`/fhir/Observation/${id}`)]).toEqual([200, 200])
      await write(observation('one', 'since'))
      expect((await purge('one'))[0]).toBe(200)
    },
    longest,
  )
})
