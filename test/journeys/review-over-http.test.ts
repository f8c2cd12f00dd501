import type { Parameters } from '@medplum/fhirtypes'
import { tokenOfAccount } from './server/account-token.ts'
import { type Client, openClient } from './server/client.ts'
import { type Home, lastLine, newHome, run } from './server/home.ts'
import { type RunningServer, startServer } from './server/start-server.ts'

let home: Home
let server: RunningServer
/** Two families, each with a patient of its own. */
const families = ['north', 'south'] as const
type Family = (typeof families)[number]
const patients = {} as Record<Family, string>
const tokens = {} as Record<Family, string>

const newPatient = (family: Family) =>
  lastLine(
    home,
    'patient',
    'create',
    '--family',
    'Sample',
    '--given',
    'Ann',
    '--birthdate',
    '1980-02-03',
    '--account',
    family,
  )

beforeAll(async () => {
  home = await newHome('review')
  server = await startServer(home)
  for (const family of families) {
    await run(home, 'account', 'create', family)
    patients[family] = await newPatient(family)
    tokens[family] = await tokenOfAccount(home, family)
  }
})
afterAll(async () => {
  await server.stop()
  await home.remove()
})

const as = async <T>(family: Family, work: (client: Client) => Promise<T>): Promise<T> => {
  const client = openClient(server.url, tokens[family])
  try {
    return await work(client)
  } finally {
    client.close()
  }
}
const file = {
  resourceType: 'Bundle',
  type: 'collection',
  entry: [
    {
      resource: {
        resourceType: 'Patient',
        id: 'p',
        name: [{ family: 'Miller', given: ['Ann'] }],
        birthDate: '1980-02-03',
      },
    },
    {
      resource: {
        resourceType: 'Observation',
        status: 'final',
        code: { text: 'x' },
        subject: { reference: 'Patient/p' },
      },
    },
  ],
}
const codeIn = (body: Buffer) => /"code":"([a-z-]+\.[a-z-]+)"/.exec(body.toString())?.[1]
const decision = (said: string, patient?: string) => ({
  resourceType: 'Parameters',
  parameter: [
    { name: 'decision', valueCode: said },
    ...(patient === undefined ? [] : [{ name: 'patient', valueReference: { reference: `Patient/${patient}` } }]),
  ],
})

describe('what waits for one family', () => {
  let id: string

  it('is told to who sent it, by its name', async () => {
    const answer = await as('north', client =>
      client.send({ method: 'POST', path: `/fhir/Patient/${patients.north}/$ingest`, body: file }),
    )
    expect(answer.status).toBe(422)
    id = answer.json<Parameters>().parameter?.find(({ name }) => name === 'review')?.valueId ?? ''
    expect(id).toMatch(/^[0-9a-f]{32}$/)
  })

  it('is nothing to another one: what it is told of it is what it is told of what never was', async () => {
    await as('south', async client => {
      const bare = (body: Buffer) => body.toString().replaceAll(/[0-9a-f]{32}/g, 'id')
      const listed = await client.send({ path: '/fhir/$review' })
      expect([listed.status, listed.json<Parameters>().parameter]).toEqual([200, undefined])
      const nothing = '0'.repeat(32)
      for (const body of [undefined, decision('reject'), decision('new'), decision('accept', patients.south)]) {
        const ask = (name: string) =>
          client.send({
            method: body === undefined ? 'GET' : 'POST',
            path: `/fhir/$review/${name}`,
            ...(body === undefined ? {} : { body }),
          })
        const [real, ghost] = [await ask(id), await ask(nothing)]
        expect([real.status, bare(real.body)]).toEqual([404, bare(ghost.body)])
      }
      const stolen = await client.send({
        method: 'POST',
        path: `/fhir/$review/${id}`,
        body: decision('accept', patients.north),
      })
      expect(stolen.status).toBe(404)
    })
  })

  it('waits across a restart, and is decided by who keeps the patient', async () => {
    expect(await server.stop()).toBe(0)
    server = await startServer(home)
    await as('south', async client => expect((await client.send({ path: `/fhir/$review/${id}` })).status).toBe(404))
    await as('north', async client => {
      const shown = await client.send({ path: `/fhir/$review/${id}` })
      expect(JSON.stringify(shown.json())).toContain('Miller')
      const decided = await client.send({
        method: 'POST',
        path: `/fhir/$review/${id}`,
        body: decision('accept', patients.north),
      })
      expect(decided.status).toBe(200)
      expect(decided.json<Parameters>().parameter).toMatchObject([
        { name: 'state', valueCode: 'accepted' },
        { name: 'report', resource: { resourceType: 'Parameters' } },
      ])
      const found = await client.send({ path: `/fhir/Observation?patient=${patients.north}&_summary=count` })
      expect(found.json<{ total: number }>().total).toBe(1)
      const again = await client.send({
        method: 'POST',
        path: `/fhir/$review/${id}`,
        body: decision('accept', patients.north),
      })
      expect(again.status).toBe(404)
    })
  })

  it('a merge of one family is undone by nobody of another, who is not told that there was one', async () => {
    const second = await newPatient('north')
    const reference = (name: string, of: string) => ({ name, valueReference: { reference: `Patient/${of}` } })
    const merge = {
      resourceType: 'Parameters',
      parameter: [reference('source-patient', second), reference('target-patient', patients.north)],
    }
    await as('north', async client =>
      expect((await client.send({ method: 'POST', path: '/fhir/Patient/$merge', body: merge })).status).toBe(200),
    )
    expect(await server.stop()).toBe(0)
    server = await startServer(home)
    await as('south', async client => {
      const bare = (body: Buffer) => body.toString().replaceAll(second, 'id').replaceAll('nobody', 'id')
      for (const ask of [
        (of: string) => ({ method: 'POST', path: `/fhir/Patient/${of}/$unmerge` }),
        (of: string) => ({
          method: 'POST',
          path: '/fhir/Patient/$unmerge',
          body: { resourceType: 'Parameters', parameter: [reference('source-patient', of)] },
        }),
        (of: string) => ({
          method: 'POST',
          path: '/fhir/Patient/$merge',
          body: {
            resourceType: 'Parameters',
            parameter: [reference('source-patient', of), reference('target-patient', patients.south)],
          },
        }),
      ]) {
        const [real, ghost] = [await client.send(ask(second)), await client.send(ask('nobody'))]
        expect([403, 404]).toContain(real.status)
        expect([real.status, bare(real.body), codeIn(real.body)]).toEqual([
          ghost.status,
          bare(ghost.body),
          codeIn(ghost.body),
        ])
      }
    })
    await as('north', async client =>
      expect((await client.send({ method: 'POST', path: `/fhir/Patient/${second}/$unmerge` })).status).toBe(200),
    )
  })
})

describe('what waits, when the house is troubled', () => {
  const send = (family: Family, path: string, body?: object) =>
    as(family, client => client.send(body === undefined ? { path } : { method: 'POST', path, body }))
  const hold = async (patient: string, rows: number) => {
    const [person] = file.entry
    const row = (at: number) => ({
      resource: {
        resourceType: 'Observation',
        status: 'final',
        code: { text: `${patient} ${at}` },
        subject: { reference: 'Patient/p' },
      },
    })
    const body = { ...file, entry: [person, ...Array.from({ length: rows }, (_, at) => row(at))] }
    const answer = await send('north', `/fhir/Patient/${patient}/$ingest`, body)
    return answer.json<Parameters>().parameter?.find(({ name }) => name === 'review')?.valueId ?? ''
  }
  const countOf = async (patient: string) =>
    (await send('north', `/fhir/Observation?patient=${patient}&_summary=count`)).json<{ total: number }>().total
  const stateOf = async (id: string) =>
    (await send('north', `/fhir/$review/${id}`)).json<Parameters>().parameter?.find(({ name }) => name === 'state')
      ?.valueCode

  it('two people accept it at once: one of them does, and it is there once', async () => {
    const patient = await newPatient('north')
    const id = await hold(patient, 5)
    const accept = () => send('north', `/fhir/$review/${id}`, decision('accept', patient))
    const statuses = (await Promise.all([accept(), accept(), accept()])).map(({ status }) => status)
    expect(statuses.filter(status => status === 200)).toHaveLength(1)
    for (const status of statuses) expect([200, 404, 409]).toContain(status)
    expect(await countOf(patient)).toBe(5)
  })

  it('it is cut off by kill -9: it is neither accepted nor gone, and nobody else decides it otherwise', async () => {
    const patient = await newPatient('north')
    const id = await hold(patient, 6000)
    const accepting = send('north', `/fhir/$review/${id}`, decision('accept', patient)).catch(() => undefined)
    while ((await stateOf(id)) !== 'deciding') await new Promise(resolve => setTimeout(resolve, 5))
    await server.kill()
    await accepting
    server = await startServer(home)
    expect(await stateOf(id)).toBe('deciding')
    for (const other of [decision('reject'), decision('new'), decision('accept', patients.north)])
      expect((await send('north', `/fhir/$review/${id}`, other)).status).toBe(409)
    expect((await run(home, 'review', 'reject', id)).stderr).toContain('ingest.review-decided')
    expect(await run(home, 'verify')).toMatchObject({ status: 0, stdout: '' })
  })

  it('it is forgotten with the patient, and so is what was being decided', async () => {
    const patient = await newPatient('north')
    const id = await hold(patient, 3)
    expect(await stateOf(id)).toBe('waiting')
    expect((await run(home, 'erase', '--patient', patient, '--yes')).status).toBe(0)
    for (const body of [undefined, decision('accept', patients.north), decision('new'), decision('reject')])
      expect((await send('north', `/fhir/$review/${id}`, body)).status).toBe(404)
    expect((await run(home, 'review', 'show', id)).stderr).toContain('ingest.review-unknown')
    expect((await run(home, 'review')).stdout).not.toContain(id)
  })
})
