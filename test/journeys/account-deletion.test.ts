/** An account is deleted on the host, beside the server that is used: what is its own is gone everywhere, another family has everything. */

import { tokenOfAccount } from './server/account-token.ts'
import { type Client, openClient } from './server/client.ts'
import { type Home, lastLine, run } from './server/home.ts'
import { type StartedHome, startHome } from './server/started-home.ts'

const longest = 600_000

let started: StartedHome
let home: Home
beforeAll(async () => {
  started = await startHome('account-deletion')
  home = started.home
}, longest)
afterAll(async () => {
  expect(await started.end()).toBe(0)
}, longest)

interface Family {
  readonly patient: string
  readonly client: Client
  readonly list: string
  readonly link: string
}

const json = { 'content-type': 'application/json' }
const pathOf = (location: string | undefined) => /\/fhir\/[A-Za-z]+\/[^/]+/.exec(location ?? '')?.[0] ?? ''

/** An account with a person, a list of its household, and a link that it gave away. */
async function family(name: string): Promise<Family> {
  await lastLine(home, 'account', 'create', name)
  const patient = await lastLine(home, 'patient', 'create', '--given', name, '--family', 'Ek')
  expect(await run(home, 'patient', 'attach', patient, '--account', name)).toMatchObject({ status: 0 })
  const client = openClient(started.server.url, await tokenOfAccount(home, name))
  const body = { resourceType: 'List', status: 'current', mode: 'working', title: `of ${name}` }
  const made = await client.send({ method: 'POST', path: '/fhir/List', body })
  expect(made.status).toBe(201)
  const share = { patient, scopes: 'patient/*.rs', label: 'Dr' }
  const shared = await client.send({ method: 'POST', path: '/share', body: share, headers: json })
  const link = new URL(shared.json<{ url: string }>().url).pathname
  return { patient, client, list: pathOf(made.headers.location), link }
}

async function statusOf(client: Client, path: string): Promise<number> {
  return (await client.send({ path })).status
}

async function opened(link: string): Promise<number> {
  const open = { method: 'POST', path: link, headers: json, body: { recipient: 'Dr' } }
  return (await started.client.send(open)).status
}

it(
  'waits, can be kept, and in the end takes nothing of another family along',
  async () => {
    const [anna, bert] = [await family('anna'), await family('bert')]
    expect((await run(home, 'account', 'delete', 'nobody', '--yes')).stderr).toContain('smart.account-absent')
    const unclear = await run(home, 'account', 'delete', 'anna', '--now', '--take-back')
    expect([unclear.status, unclear.stderr]).toEqual([1, expect.stringContaining('command.deletion-unclear')])
    const asked = await run(home, 'account', 'delete', 'anna', '--yes')
    expect(asked).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) })
    expect(asked.stderr).toContain(`Patient/${anna.patient} is erased`)
    expect(await statusOf(anna.client, anna.list)).toBe(401)
    expect((await run(home, 'account', 'deletions', '--names')).stdout).toMatch(/\twaiting\t.*\tanna\n$/)
    expect(await run(home, 'account', 'delete', 'anna', '--take-back')).toMatchObject({ status: 0 })
    expect((await run(home, 'account', 'deletions')).stdout).toBe('')
    expect([await statusOf(started.client, anna.list), await opened(anna.link)]).toEqual([200, 200])

    const done = await run(home, 'account', 'delete', 'anna', '--now', '--yes')
    expect(done).toMatchObject({ status: 0, stderr: expect.stringContaining('The account was deleted.') })
    expect((await run(home, 'account', 'list', '--names')).stdout).toMatch(/^\S+\tmember\t1 patients\t[^\t]+\tbert\n$/)
    // The house sees no more of it than they do.
    expect(await statusOf(started.client, `/fhir/Patient/${anna.patient}`)).toBe(410)
    expect(await statusOf(started.client, anna.list)).toBe(404)
    expect(await opened(anna.link)).toBe(404)
    expect(await statusOf(started.client, '/fhir/List')).toBe(200)
    expect([await statusOf(bert.client, bert.list), await opened(bert.link)]).toEqual([200, 200])
    expect(await statusOf(bert.client, `/fhir/Patient/${bert.patient}`)).toBe(200)
    expect(await run(home, 'verify')).toMatchObject({ status: 0, stdout: '' })
    for (const { client } of [anna, bert]) client.close()
  },
  longest,
)
