import { cp, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type House, hostGrant, openHouse } from '../../src/compose.ts'
import { loadConfig } from '../../src/config.ts'
import { silentLog } from '../../src/kernel/index.ts'
import {
  cutNewest,
  documentsOf,
  execute,
  headsIn,
  ledgerOf,
  onDatabase,
  pageOf,
  putDocumentsBack,
  putLedgerBack,
  redirectNewest,
  spoilNewest,
} from './rollback/rows.ts'
import { type Answer, type Client, openClient } from './server/client.ts'
import { type Home, lastLine, newHome, run } from './server/home.ts'
import { type RunningServer, startServer } from './server/start-server.ts'

const longest = 600_000
/** After which a running process will not see it any more; a machine with much else to do takes its time. */
const soonMs = 120_000

let home: Home
let pristine: string
let token: string
/** Compartments of the data, by patient. */
const compartmentOf = new Map<string, string>()
let corasAudit = ''
const patients = ['anna', 'bert', 'cora', 'dora', 'emil'] as const
const password = 'seven words that nobody would ever guess'

const dataFile = () => join(home.data, 'kinhold.sqlite')
const keysFile = () => join(home.keys, 'keystore.sqlite')
const everything = hostGrant()

const openHere = (): Promise<House> => {
  const { config } = loadConfig(home.env, { home: home.folder, cwd: home.folder })
  return openHouse(config, { log: silentLog })
}

const heartRate = (patient: string, text: string) => ({
  resourceType: 'Observation',
  status: 'final',
  code: { text },
  subject: { reference: `Patient/${patient}` },
})

/** Patients with one Observation in three versions each, an owner, a member with a patient, and nothing amiss. */
beforeAll(async () => {
  home = await newHome('rollback')
  await (await startServer(home)).stop()
  const house = await openHere()
  const writer = house.record.writer(everything)
  for (const id of patients) {
    await writer.transact(txn => txn.update('Patient', id, { resourceType: 'Patient', id }))
    for (const text of ['one', 'two', 'three']) {
      const resource = { ...heartRate(id, text), id: `${id}-rate` }
      const stored = await writer.transact(txn => txn.update('Observation', resource.id, resource))
      compartmentOf.set(id, stored.holder.compartment)
    }
  }
  const { items } = await house.record.reader(everything).history({ type: 'AuditEvent', count: 1_000 })
  corasAudit = items.find(({ holder }) => holder.patient === 'cora')?.holder.compartment ?? ''
  for (const name of ['owner', 'member']) await house.smart.createAccount({ name, password })
  await house.record.addPatientTo(await house.smart.accountId('member'), 'anna')
  await house.close()
  token = await lastLine(home, 'token', '--scope', 'system/*.cruds', '--ttl', '1h')
  pristine = `${home.folder}-pristine`
  await cp(home.folder, pristine, { recursive: true })
}, longest)

beforeEach(async () => {
  for (const folder of ['data', 'keys']) {
    await rm(join(home.folder, folder), { recursive: true })
    await cp(join(pristine, folder), join(home.folder, folder), { recursive: true })
  }
})

afterAll(async () => {
  await Promise.all([home.remove(), rm(pristine, { recursive: true })])
})

async function serve(work: (client: Client, server: RunningServer) => Promise<void>): Promise<string> {
  const server = await startServer(home)
  const client = openClient(server.url, token)
  try {
    await work(client, server)
  } finally {
    client.close()
    await server.stop()
  }
  return server.output()
}

async function until<T>(look: () => T | Promise<T>, is: (found: T) => boolean): Promise<T> {
  for (const deadline = performance.now() + soonMs; ; ) {
    const found = await look()
    if (is(found) || performance.now() > deadline) return found
    await sleep(20)
  }
}

/** Bytes of a file become such as nobody wrote. */
async function spoil(path: string, from: number, size: number): Promise<void> {
  await using file = await open(path, 'r+')
  await file.write(Buffer.alloc(size, 0xff), 0, size, from)
}

const status = async (client: Client, path: string) => (await client.send({ path })).status
const codeIn = (answer: Answer) => /[a-z]+\.[a-z-]+/.exec(answer.body.toString())?.[0]
const readiness = async (client: Client) => (await client.send({ path: '/readyz' })).body.toString()
const verify = (...more: string[]) => run(home, 'verify', ...more)
const post = (client: Client, patient: string) =>
  client.send({ method: 'POST', path: '/fhir/Observation', body: heartRate(patient, 'later') })

describe('a ledger that is put back, while the server runs and while it does not – README, "cannot … roll back unseen"', () => {
  it(
    'is refused by the process that had seen more, and named by verify for good',
    async () => {
      const [anna, bert, , dora, emil] = patients.map(each => compartmentOf.get(each) ?? '') as string[]
      const output = await serve(async client => {
        // The newest version is cut off, and three ordinary writes follow.
        expect(await status(client, '/fhir/Observation/anna-rate')).toBe(200)
        expect((await post(client, 'anna')).status).toBe(201)
        cutNewest(dataFile(), anna ?? '')
        for (let at = 0; at < 3; at++) {
          const answer = await post(client, 'anna')
          expect([answer.status, answer.body.toString()]).toEqual([500, expect.stringContaining('kinhold verify')])
        }
        // All of a ledger as it was minutes ago, with what was deleted since.
        const kept = ledgerOf(dataFile(), bert ?? '')
        expect((await client.send({ method: 'DELETE', path: '/fhir/Observation/bert-rate' })).status).toBe(204)
        for (let at = 0; at < 8; at++) expect((await post(client, 'bert')).status).toBe(201)
        putLedgerBack(dataFile(), bert ?? '', kept)
        for (let at = 0; at < 8; at++) expect((await post(client, 'bert')).status).toBe(500)
        expect(await status(client, '/fhir/Observation/bert-rate')).toBe(500)
        // The record of a read, before its head is noted; more reads follow.
        // Others' records are on their way as well.
        const before = headsIn(dataFile()).get(corasAudit) ?? 0
        expect(await status(client, '/fhir/Observation/cora-rate')).toBe(200)
        const head = () => headsIn(dataFile()).get(corasAudit) ?? 0
        expect(await until(head, found => found > before)).toBeGreaterThan(before)
        cutNewest(dataFile(), corasAudit)
        const read = () => status(client, '/fhir/Observation/cora-rate')
        expect(await until(read, found => found !== 200)).toBe(500)
        // An index that leads to an older version.
        expect(await status(client, '/fhir/Observation/dora-rate')).toBe(200)
        redirectNewest(dataFile(), dora ?? '')
        expect(
          await until(
            () => readiness(client),
            text => text.includes('entries'),
          ),
        ).toContain('entries')
        expect(await readiness(client)).toMatch(/3 ledgers show less than was written/)
        expect((await client.send({ path: '/readyz' })).status).toBe(503)
        // Nobody else is concerned.
        expect((await post(client, 'emil')).status).toBe(201)
      })
      expect(output).toContain('record.rolled-back')
      cutNewest(dataFile(), emil ?? '')
      const { stdout, status: exit } = await verify()
      for (const compartment of [anna, bert, corasAudit, emil])
        expect(stdout).toContain(`rolled-back\t${compartment}\t`)
      expect(stdout).toMatch(/store-fault.*(newest|superseded)/)
      expect(exit).toBe(1)
      // A process that starts now knows no more than what is noted, and that is enough.
      await serve(async client => {
        for (const id of ['anna', 'bert', 'emil'])
          expect([id, await status(client, `/fhir/Observation/${id}-rate`)]).toEqual([id, 500])
        expect(
          await until(
            () => readiness(client),
            text => text.includes('ledgers'),
          ),
        ).toMatch(/ledgers show less/)
      })
    },
    longest,
  )
})

describe('a keystore that somebody else writes to, while the server runs and while it does not', () => {
  it(
    'makes nobody erased and no ledger unknown: it is a fault within seconds, and named by verify',
    async () => {
      const [anna = '', bert = ''] = patients.map(each => compartmentOf.get(each) ?? '')
      await serve(async client => {
        expect(await status(client, '/fhir/Observation/bert-rate')).toBe(200)
        execute(keysFile(), 'INSERT INTO tombstones (owner, at_ms) VALUES (?, 1)', anna)
        execute(keysFile(), 'DELETE FROM notes WHERE name = ?', `head:${bert}`)
        // It may look after the first of the two, and hears of the second later.
        const both = /1 rows of the keystore were not written by us.*does not hold all that was written to it/
        expect(
          await until(
            () => readiness(client),
            text => both.test(text),
          ),
        ).toMatch(both)
      })
      await serve(async client => {
        expect(await status(client, '/fhir/Observation/anna-rate')).toBe(500)
        expect(
          await until(
            () => status(client, '/fhir/Observation/bert-rate'),
            found => found === 500,
          ),
        ).toBe(500)
        expect(await status(client, '/fhir/Observation/dora-rate')).toBe(200)
      })
      const { stdout, status: exit } = await verify()
      expect(stdout).toContain(`keystore-forged\t${anna}`)
      expect(stdout).toContain(`note-missing\t${bert}`)
      expect(exit).toBe(1)
      // Whoever takes it as it is keeps everybody.
      expect((await verify('--accept-restore')).status).toBe(0)
      await serve(async client => {
        for (const id of ['anna', 'bert']) expect(await status(client, `/fhir/Observation/${id}-rate`)).toBe(200)
        expect(await readiness(client)).toBe('{"status":"ready"}')
      })
    },
    longest,
  )
})

describe('what the process has not asked for itself since it started', () => {
  it(
    'is missed as well when it goes',
    async () => {
      await serve(async client => {
        expect(await status(client, '/fhir/Observation/anna-rate')).toBe(200)
        for (const gone of ['bert', 'cora']) cutNewest(dataFile(), compartmentOf.get(gone) ?? '')
        const text = await until(
          () => readiness(client),
          found => found.includes('2 ledgers'),
        )
        expect(text).toMatch(/2 ledgers show less/)
        expect(await status(client, '/fhir/Observation/bert-rate')).toBe(500)
        expect(await status(client, '/fhir/Observation/anna-rate')).toBe(200)
      })
    },
    longest,
  )

  it.each(['superseded', 'newest'])(
    'ends no server when it cannot be read: a page of %s',
    async table => {
      const [page = 0, size = 0] = pageOf(dataFile(), table)
      await spoil(dataFile(), (page - 1) * size, size)
      await serve(async client => {
        expect((await run(home, 'patient', 'list')).status).toBe(0)
        const text = await until(
          () => readiness(client),
          found => found.includes('gone through'),
        )
        expect(text).toMatch(/could not be gone through; run kinhold verify/)
        expect((await client.send({ path: '/healthz' })).status).toBe(200)
      })
      expect((await verify()).status).toBe(1)
    },
    longest,
  )
})

describe('a document that is put back – tokens, accounts, households, links', () => {
  it(
    'is refused within seconds, and named by verify',
    async () => {
      const house = await openHere()
      const { documents } = house.record
      await documents.put('share.links', 'exhausted', { attemptsLeft: 1 }, { group: 'anna' })
      const revoked = await house.smart.mint({ scope: 'system/*.cruds', ttlMs: 3_600_000 })
      const orphan = await house.smart.mint({ scope: 'system/*.cruds', ttlMs: 3_600_000 })
      await house.close()
      const output = await serve(async client => {
        const collections = ['smart.tokens', 'smart.accounts', 'share.links', 'households']
        const kept = new Map(collections.map(each => [each, documentsOf(dataFile(), each)]))
        // What a lawful process does beside the server is not a rollback.
        const beside = await openHere()
        expect(
          await beside.record.documents.put('share.links', 'exhausted', { attemptsLeft: 0 }, { group: 'anna' }),
        ).toBe(true)
        await beside.smart.resetPassword({ name: 'member', password: `${password} and another` })
        await beside.record.addPatientTo(await beside.smart.accountId('member'), 'bert')
        await beside.close()
        const headers = { 'content-type': 'application/x-www-form-urlencoded', authorization: `Bearer ${revoked}` }
        await client.send({ method: 'POST', path: '/auth/revoke', headers, body: `token=${revoked}` })
        const withToken = (bearer: string) =>
          client.send({ path: '/fhir/Patient', headers: { authorization: `Bearer ${bearer}` } })
        expect((await withToken(revoked)).status).toBe(401)
        await sleep(1_500)
        expect(await readiness(client)).toBe('{"status":"ready"}')
        for (const collection of collections) putDocumentsBack(dataFile(), collection, kept.get(collection) ?? [])
        expect(
          await until(
            async () => (await withToken(revoked)).status,
            found => found === 500,
          ),
        ).toBe(500)
        // The group of a document is bound to it: without it the document does not open.
        execute(dataFile(), "UPDATE documents SET belongs = NULL WHERE collection = 'smart.tokens'")
        expect(
          await until(
            async () => (await withToken(orphan)).status,
            found => found === 500,
          ),
        ).toBe(500)
        expect(
          await until(
            () => readiness(client),
            text => /documents/.test(text),
          ),
        ).toMatch(/documents are not what/)
      })
      expect(output).toContain('record.document-stale')
      const { stdout, status: exit } = await verify()
      for (const collection of ['smart.accounts', 'share.links', 'households'])
        expect(stdout).toMatch(new RegExp(`rolled-back.*${collection} is not what was written last`))
      expect(stdout).toMatch(/document-broken.*smart\.tokens cannot be opened/)
      expect(exit).toBe(1)
    },
    longest,
  )

  it.each([
    ['is taken away', "DELETE FROM documents WHERE collection = 'smart.accounts'", /document-missing.*smart\.accounts/],
    [
      'is said to have expired',
      "UPDATE documents SET expires = 1 WHERE collection = 'smart.account-names'",
      /document-broken.*smart\.account-names/,
    ],
  ])(
    '%s: the house starts, offers itself to nobody, and says what is wrong',
    async (_, sql, named) => {
      execute(dataFile(), sql)
      const output = await serve(async client => {
        expect(await readiness(client)).toMatch(/documents are not what was written last/)
        expect((await client.send({ path: '/fhir/Patient' })).status).toBe(200)
      })
      expect(output).not.toContain('/claim?')
      expect((await verify()).stdout).toMatch(named)
    },
    longest,
  )

  it.each([
    ['the mark that pairs data and keys', "collection = 'instance'", /rolled-back.*collection instance/],
    ['every document', 'true', /document-missing.*smart\.accounts/],
  ])(
    '%s is taken away: verify names it, and does not take the house for one that was never finished',
    async (_, which, named) => {
      execute(dataFile(), `DELETE FROM documents WHERE ${which}`)
      const { stdout, status: exit } = await verify()
      expect([stdout, exit]).toEqual([expect.stringMatching(named), 1])
    },
    longest,
  )

  it(
    'of two accounts whose households were exchanged neither reads the other’s',
    async () => {
      const house = await openHere()
      await house.record.addPatientTo(await house.smart.accountId('owner'), 'cora')
      await house.close()
      const keys = documentsOf(dataFile(), 'households').map(({ key }) => key as Uint8Array)
      expect(keys).toHaveLength(2)
      const [one = new Uint8Array(), other = new Uint8Array()] = keys
      const name = 'UPDATE documents SET key = ? WHERE key = ?'
      execute(dataFile(), name, Buffer.from('00', 'hex'), one)
      execute(dataFile(), name, one, other)
      execute(dataFile(), name, other, Buffer.from('00', 'hex'))
      const again = await openHere()
      const ask = again.record.patientsOf(await again.smart.accountId('owner'))
      await expect(ask).rejects.toMatchObject({ kind: 'fault', code: 'record.document-stale' })
      expect(again.record.faults()).toEqual([expect.stringContaining('2 documents')])
      await again.close()
      expect((await verify()).stdout).toMatch(/document-broken.*households/)
    },
    longest,
  )
})

describe('a ledger of documents that cannot be opened at its head', () => {
  it(
    'is told as damage, and no command answers by what nobody can believe',
    async () => {
      const { owner } = onDatabase(keysFile(), database =>
        database.prepare("SELECT owner FROM keys WHERE kind = 'documents'").get(),
      ) as { owner: string }
      spoilNewest(dataFile(), owner)
      const commands = [
        ['patient', 'list'],
        ['patient', 'list', '--names'],
        ['account', 'list'],
        ['client', 'list'],
        ['review', 'list'],
        ['letters', 'list'],
        ['token', '--scope', 'system/*.rs'],
      ]
      for (const command of commands) {
        const { stdout, stderr, status: exit } = await run(home, ...command)
        expect([command, stdout, exit]).toEqual([command, '', 1])
        expect(stderr).toMatch(/record\.rolled-back: .* is damaged/)
      }
      await serve(async client => {
        expect(await readiness(client)).toMatch(/"1 ledgers hold what was not written there; run kinhold verify"/)
        expect(await status(client, '/fhir/Patient/anna')).toBe(500)
      })
      const { stdout, status: exit } = await verify()
      expect([stdout, exit]).toEqual([expect.stringContaining(`entry-broken\t${owner}`), 1])
    },
    longest,
  )
})

describe('an honest restore – docs/operations.md', () => {
  it(
    'is refused until it is accepted, and quiet afterwards; who was erased stays erased',
    async () => {
      const backup = `${home.folder}-backup.sqlite`
      await cp(dataFile(), backup)
      const house = await openHere()
      await house.record.writer(everything).transact(txn => txn.create(heartRate('bert', 'after the backup')))
      await house.record.shred('anna')
      await house.record.documents.put('share.links', 'later', { attemptsLeft: 3 })
      await house.close()
      await rm(dataFile())
      await cp(backup, dataFile())
      await rm(backup)
      await serve(async client => {
        const answer = await client.send({ path: '/fhir/Patient/bert' })
        expect([answer.status, codeIn(answer) === undefined]).toEqual([500, expect.anything()])
        expect(await readiness(client)).toMatch(/ledgers show less/)
        expect((await client.send({ path: '/healthz' })).status).toBe(200)
      })
      expect((await verify()).stdout).toMatch(/rolled-back/)
      const accepted = await verify('--accept-restore')
      expect([accepted.stdout, accepted.status]).toEqual(['', 0])
      expect(await verify()).toMatchObject({ stdout: '', status: 0 })
      await serve(async client => {
        expect(await readiness(client)).toBe('{"status":"ready"}')
        expect([await status(client, '/fhir/Patient/bert'), (await post(client, 'bert')).status]).toEqual([200, 201])
        expect([404, 410]).toContain(await status(client, '/fhir/Patient/anna'))
        const trail = await client.send({ path: '/fhir/AuditEvent?_count=200' })
        expect(trail.body.toString()).toContain('"restore"')
      })
      expect(await verify()).toMatchObject({ stdout: '', status: 0 })
    },
    longest,
  )
})

describe('damage – a fault is told, and is never "not there" or "erased"', () => {
  it(
    'of a patient’s registration: who reaches the patient gets a fault, who asks everybody hears that something is missing',
    async () => {
      const house = await openHere()
      const key = Buffer.from(house.vault.documentKey('compartments', 'patient/anna'), 'hex')
      await house.close()
      execute(
        dataFile(),
        'UPDATE documents SET sealed = CAST(substr(sealed, 1, 60) || zeroblob(1) || substr(sealed, 62) AS BLOB) WHERE key = ?',
        key,
      )
      const ofAnna = await lastLine(home, 'token', '--scope', 'patient/*.cruds', '--patient', 'bert')
      expect(ofAnna).not.toBe('')
      await serve(async client => {
        const all = await client.send({ path: '/fhir/Observation' })
        expect([all.status, all.body.toString()]).toEqual([200, expect.stringContaining('"incomplete"')])
        const graph = await client.send({ path: '/fhir/$graphql?query={ObservationList{id}}' })
        expect([graph.status, graph.body.toString()]).toEqual([500, expect.stringContaining('graphql.incomplete')])
        expect(await status(client, '/fhir/Observation/bert-rate')).toBe(200)
        expect(await status(client, '/fhir/Observation?patient=bert')).toBe(200)
        const headers = { 'if-none-exist': 'code:text=three' }
        const created = await client.send({
          method: 'POST',
          path: '/fhir/Observation',
          headers,
          body: heartRate('bert', 'x'),
        })
        expect([created.status, created.body.toString()]).toEqual([500, expect.stringContaining('kinhold verify')])
        expect(await readiness(client)).toMatch(/registrations cannot be read/)
      })
      expect((await verify()).stdout).toMatch(/document-broken.*compartments/)
    },
    longest,
  )

  it(
    'of what is everybody’s: it is written anew from what is noted beside the keys',
    async () => {
      const house = await openHere()
      const keys = ['instance', ...Array.from({ length: 16 }, (_, at) => `commons/${at}`)].map(name =>
        Buffer.from(house.vault.documentKey('compartments', name), 'hex'),
      )
      await house.close()
      for (const key of keys) execute(dataFile(), 'UPDATE documents SET sealed = zeroblob(120) WHERE key = ?', key)
      await serve(async client => {
        expect(await readiness(client)).toBe('{"status":"ready"}')
        expect((await post(client, 'bert')).status).toBe(201)
      })
      expect(await verify()).toMatchObject({ stdout: '', status: 0 })
    },
    longest,
  )

  it.each([
    ['is changed', 'UPDATE keys SET wrapped = zeroblob(40) WHERE owner = ?', 'key-broken'],
    ['is lost', 'DELETE FROM keys WHERE owner = ?', 'key-missing'],
    ['has parameters that say nothing', "UPDATE keys SET params = 'x{' WHERE owner = ?", 'key-broken'],
  ])(
    'of a key that %s: 500 for its patient, a warning for who asks everybody, and nothing for the others',
    async (_, sql, kind) => {
      execute(keysFile(), sql, compartmentOf.get('anna') ?? '')
      await serve(async client => {
        expect(await status(client, '/fhir/Observation/anna-rate')).toBe(500)
        const all = await client.send({ path: '/fhir/Observation' })
        expect([all.status, all.body.toString()]).toEqual([200, expect.stringContaining('"incomplete"')])
        expect(await status(client, '/fhir/Observation/bert-rate')).toBe(200)
      })
      expect((await verify()).stdout).toContain(`${kind}\t${compartmentOf.get('anna')}`)
    },
    longest,
  )
})
