import type { Parameters } from '@medplum/fhirtypes'
import { tokenOfAccount } from './server/account-token.ts'
import { type Client, openClient } from './server/client.ts'
import { type Home, lastLine, newHome, run } from './server/home.ts'
import { type RunningServer, startServer } from './server/start-server.ts'
import { until } from './server/waiting.ts'

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
    await until(async () => (await stateOf(id)) === 'deciding')
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

describe('a message that was refused', () => {
  const er7 = 'x-application/hl7-v2+er7'
  const text = (number: string) =>
    `MSH|^~\\&|HIS|CLINIC|||20260210||ADT^A08|L-${number}|P|2.5\rPID|1||${number}^^^CLINIC^MR||Canary^Olive||19510607|F\r`
  const send = (family: Family, number: string) =>
    as(family, client =>
      client.send({ method: 'POST', path: '/hl7v2', body: text(number), headers: { 'content-type': er7 } }),
    )
  const ask = (family: Family, path = '', parameter?: readonly object[]) =>
    as(family, client => {
      const body = parameter === undefined ? {} : { method: 'POST', body: { resourceType: 'Parameters', parameter } }
      return client.send({ path: `/fhir/$letters${path}`, ...body })
    })
  const decide = (family: Family, id: string, said: string) =>
    ask(family, `/${id}`, [{ name: 'decision', valueCode: said }])
  const idsOf = async (family: Family) =>
    ((await ask(family)).json<Parameters>().parameter ?? []).map(({ part }) => part?.[0]?.valueId ?? '')

  it('is kept for who sent it, across a restart, and is nothing to another family', async () => {
    expect((await send('north', '901')).status).toBe(422)
    expect(await server.stop()).toBe(0)
    server = await startServer(home)
    const [id = '', ...others] = await idsOf('north')
    expect(others).toEqual([])
    expect(await idsOf('south')).toEqual([])
    const bare = (body: Buffer) => body.toString().replaceAll(/[0-9a-f]{32}/g, 'id')
    for (const said of [undefined, 'resend', 'drop']) {
      const as = (name: string) => (said === undefined ? ask('south', `/${name}`) : decide('south', name, said))
      const [real, ghost] = [await as(id), await as('0'.repeat(32))]
      expect([real.status, bare(real.body), codeIn(real.body)]).toEqual([
        404,
        bare(ghost.body),
        'ingest.letter-unknown',
      ])
    }
    const shown = (await ask('north', `/${id}`)).json<Parameters>().parameter ?? []
    expect(shown.find(({ name }) => name === 'reason')?.valueString).toBe('ingest.hl7-patient-unknown')
    const content = shown.find(({ name }) => name === 'content')?.valueBase64Binary ?? ''
    expect(Buffer.from(content, 'base64').toString()).toBe(text('901'))
    expect((await ask('north')).body.toString()).not.toMatch(/Canary|901/)
  })

  it.each([
    ['no decision', []],
    ['another decision', [{ name: 'decision', valueCode: 'accept' }]],
    [
      'more than a decision',
      [
        { name: 'decision', valueCode: 'drop' },
        { name: 'patient', valueString: 'x' },
      ],
    ],
  ])('is not decided by %s: letters.decision-malformed', async (_, parameter) => {
    const [id = ''] = await idsOf('north')
    const answer = await ask('north', `/${id}`, parameter)
    expect([answer.status, codeIn(answer.body)]).toEqual([400, 'letters.decision-malformed'])
  })

  it('is sent again by an app or by the command when the patient is known, or dropped', async () => {
    for (const number of ['902', '903']) await send('north', number)
    const ids = await idsOf('north')
    expect(ids).toHaveLength(3)
    const again = async (id: string) =>
      (await decide('north', id, 'resend'))
        .json<Parameters>()
        .parameter?.map(({ valueCode, valueString }) => valueCode ?? valueString)
    expect(await again(ids[0] ?? '')).toEqual(['refused', expect.stringContaining('MSA|AE|L-901')])
    const identifier = ['901', '902'].map(value => ({ system: 'urn:x-hl7v2-hd:CLINIC', value }))
    const olive = {
      resourceType: 'Patient',
      identifier,
      name: [{ family: 'Canary', given: ['Olive'] }],
      birthDate: '1951-06-07',
    }
    await as('north', client => client.send({ method: 'POST', path: '/fhir/Patient', body: olive }))
    expect(await again(ids[0] ?? '')).toEqual(['taken', expect.stringContaining('MSA|AA|L-901')])
    const all = await run(home, 'letters', 'resend', '--all')
    expect(all.stdout).toContain(`${ids[1]}\ttaken`)
    expect(all.stdout).toContain(`${ids[2]}\trefused`)
    expect(await idsOf('north')).toEqual([ids[2]])
    const [listed, shown] = [await run(home, 'letters'), await run(home, 'letters', 'show', ids[2] ?? '')]
    expect(listed.stdout).toMatch(/ADT\^A08\tHIS CLINIC\taccount .*ingest\.hl7-patient-unknown/)
    expect([/Canary/.test(listed.stdout), /Canary\^Olive/.test(shown.stdout)]).toEqual([false, true])
    expect((await run(home, 'letters', 'drop', ids[2] ?? '')).status).toBe(0)
    expect(await idsOf('north')).toEqual([])
    expect((await run(home, 'letters', 'resend')).status).not.toBe(0)
  })
})
