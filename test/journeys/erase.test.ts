import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { text } from 'node:stream/consumers'
import type { OperationOutcome } from '@medplum/fhirtypes'
import { type Client, openClient } from './server/client.ts'
import { type Home, lastLine, mainFile, newHome, type Ran, run } from './server/home.ts'
import { type RunningServer, startServer } from './server/start-server.ts'

const everything = 'system/*.cruds'
/** Each command is a process of its own, and some of these are many. */
const longest = 600_000
const keysFile = (home: Home) => join(home.keys, 'keystore.sqlite')
const dataFile = (home: Home) => join(home.data, 'kinhold.sqlite')

/** Runs a command whose question is answered. */
async function answer(home: Home, line: string, ...args: string[]): Promise<Ran> {
  const child = spawn(process.execPath, [mainFile, ...args], { env: home.env, cwd: home.folder })
  child.stdin.end(`${line}\n`)
  const [stdout, stderr, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  return { status: Number(status), stdout, stderr }
}

/** All values of a query on a file that others have open. */
function valuesIn(path: string, sql: string): Buffer[] {
  const database = new DatabaseSync(path, { readOnly: true })
  const rows = database.prepare(sql).all()
  database.close()
  return rows.map(row => Buffer.from(Object.values(row)[0] as Uint8Array))
}

/** Which of these byte strings can be found in any file below the folders of a home. */
async function foundIn(home: Home, canaries: readonly Buffer[]): Promise<number> {
  const files = await readdir(home.folder, { recursive: true, withFileTypes: true })
  const contents = await Promise.all(
    files.filter(file => file.isFile()).map(file => readFile(join(file.parentPath, file.name))),
  )
  return canaries.filter(canary => contents.some(content => content.includes(canary))).length
}

/** What a thief would look for: the wrapped keys, and the beginnings of what they sealed. */
function canariesOf(home: Home): Buffer[] {
  const keys = valuesIn(keysFile(home), "SELECT wrapped FROM keys WHERE kind = 'patient'")
  const entries = valuesIn(dataFile(home), 'SELECT substr(sealed, 3, 40) FROM entries')
  const documents = valuesIn(dataFile(home), 'SELECT substr(sealed, 3, 40) FROM documents')
  return [...keys, ...entries, ...documents]
}

async function backUp(home: Home, name: string): Promise<string> {
  const path = join(home.folder, '..', `${name}-${Date.now()}`)
  for (const [from, part] of [
    [home.data, 'data'],
    [home.keys, 'keys'],
  ] as const)
    await cp(from, join(path, part), { recursive: true })
  return path
}

async function restore(home: Home, backup: string, parts: readonly ('data' | 'keys')[]): Promise<void> {
  for (const part of parts) {
    await rm(home[part], { recursive: true })
    await cp(join(backup, part), home[part], { recursive: true })
  }
}

async function fill(client: Client, id: string): Promise<void> {
  await client.send({ method: 'PUT', path: `/fhir/Patient/${id}`, body: { resourceType: 'Patient', id } })
  for (let at = 0; at < 20; at++) {
    const code = { text: `${id} ${at}` }
    const body = { resourceType: 'Observation', status: 'final', code, subject: { reference: `Patient/${id}` } }
    expect((await client.send({ method: 'POST', path: '/fhir/Observation', body })).status).toBe(201)
  }
}

describe('a patient is erased – README, "Destroying a patient’s key erases"', () => {
  let home: Home
  let server: RunningServer
  let client: Client
  let backup: string
  let ledger: string

  const begin = async () => {
    server = await startServer(home)
    client = openClient(server.url, await lastLine(home, 'token', '--scope', everything))
  }
  const end = async () => {
    client.close()
    expect(await server.stop()).toBe(0)
  }
  const total = async (id: string) => {
    const found = await client.send({ path: `/fhir/Observation?patient=${id}&_summary=count` })
    return found.json<{ total: number }>().total
  }
  const statusOf = async (path: string) => (await client.send({ path })).status

  beforeAll(async () => {
    home = await newHome('erase')
    await begin()
    for (const id of ['greta', 'emil']) await fill(client, id)
    await end()
    backup = await backUp(home, 'erase-backup')
    await begin()
  }, longest)
  afterAll(async () => {
    await home.remove()
    await rm(backup, { recursive: true })
  }, longest)

  it(
    'not before the id was typed, and not by another',
    async () => {
      expect(await run(home, 'erase', '--patient', 'greta')).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('command.unanswered'),
      })
      expect(await answer(home, 'emil', 'erase', '--patient', 'greta')).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('command.unconfirmed'),
      })
      const absent = await run(home, 'erase', '--patient', 'nobody', '--yes')
      expect([absent.status, ...absent.stderr.split(/:|\n/)].slice(0, 2)).toEqual([1, 'command.patient-absent'])
      expect(absent.stderr).toContain('nobody')
      for (const args of [[], ['--list', '--patient', 'greta']])
        expect((await run(home, 'erase', ...args)).stderr).toContain('command.erase-unclear')
      expect(await total('greta')).toBe(20)
    },
    longest,
  )

  it(
    'beside a running server: key and data are gone from every file, and the others keep theirs',
    async () => {
      const before = canariesOf(home)
      const erased = await answer(home, 'greta', 'erase', '--patient', 'greta')
      expect(erased).toMatchObject({
        status: 0,
        stdout: expect.stringMatching(/^[0-9a-f]{32}\t\d{4}-\d\d-\d\dT.+Z\n$/),
      })
      ledger = join(home.folder, 'erased.txt')
      await writeFile(ledger, (await run(home, 'erase', '--list')).stdout)
      expect(await readFile(ledger, 'utf8')).toBe(erased.stdout)

      expect(await total('greta')).toBe(0)
      expect(await total('emil')).toBe(20)
      expect([await statusOf('/fhir/Patient/greta'), await statusOf('/fhir/Patient/emil')]).toEqual([410, 200])

      const kept = new Set(canariesOf(home).map(canary => canary.toString('hex')))
      const gone = before.filter(canary => !kept.has(canary.toString('hex')))
      expect(gone.length).toBeGreaterThan(21)
      expect(await foundIn(home, gone)).toBe(0)
      expect(await foundIn(home, before)).toBe(before.length - gone.length)
      expect(await run(home, 'verify')).toMatchObject({ status: 0, stdout: '' })
    },
    longest,
  )

  it(
    'and cannot be erased twice, or come back under the same id',
    async () => {
      expect((await run(home, 'erase', '--patient', 'greta', '--yes')).status).toBe(1)
      const body = { resourceType: 'Patient', id: 'greta' }
      expect((await client.send({ method: 'PUT', path: '/fhir/Patient/greta', body })).status).toBe(410)
      await end()
    },
    longest,
  )

  it(
    'also from a backup of the data that is restored beside the keystore of today',
    async () => {
      await restore(home, backup, ['data'])
      // What was written after the backup is missing, and greta came back without her key. Nothing is served until somebody
      // says that it is meant so.
      const findings = (await run(home, 'verify')).stdout.trimEnd().split('\n')
      const kinds = new Set(findings.map(line => line.split('\t')[0]))
      expect([...kinds].toSorted()).toEqual(['key-missing', 'rolled-back'])
      expect((await run(home, 'token', '--scope', everything)).stderr).toContain('record.rolled-back')
      expect(await run(home, 'verify', '--accept-restore')).toMatchObject({ status: 0, stdout: '' })
      await begin()
      expect([await total('greta'), await total('emil')]).toEqual([0, 20])
      expect([404, 410]).toContain(await statusOf('/fhir/Patient/greta'))
      await end()
    },
    longest,
  )

  it(
    'also when both were restored and the list of what was erased is replayed',
    async () => {
      await restore(home, backup, ['data', 'keys'])
      expect((await run(home, 'erase', '--list')).stdout).toBe('')
      const foreign = join(home.folder, 'foreign.txt')
      await writeFile(foreign, 'Patient/greta\n')
      expect((await run(home, 'erase', '--replay', foreign)).stderr).toContain('command.ledger-unreadable')
      const absent = join(home.folder, 'absent.txt')
      for (const unreadable of [absent, home.folder])
        expect(await run(home, 'erase', '--replay', unreadable, '--yes')).toMatchObject({
          status: 1,
          stderr: expect.stringMatching(`^command.file-unreadable: .*${unreadable}\n$`),
        })
      expect((await answer(home, '7', 'erase', '--replay', ledger)).stderr).toContain('command.unconfirmed')
      expect(await answer(home, '1', 'erase', '--replay', ledger)).toMatchObject({ status: 0 })
      expect(await run(home, 'erase', '--replay', ledger)).toMatchObject({ status: 0 })
      await begin()
      expect([await total('greta'), await total('emil')]).toEqual([0, 20])
      expect(await run(home, 'verify')).toMatchObject({ status: 0, stdout: '' })
      await end()
    },
    longest,
  )

  it(
    'also when an older keystore is restored beside the data of today',
    async () => {
      await restore(home, backup, ['data', 'keys'])
      expect(await run(home, 'erase', '--patient', 'greta', '--yes')).toMatchObject({ status: 0 })
      await restore(home, backup, ['keys'])
      await begin()
      expect([await total('greta'), await total('emil')]).toEqual([0, 20])
      expect((await run(home, 'erase', '--list')).stdout).toMatch(/^[0-9a-f]{32}\t/)
      // Nothing else is amiss, and that is so until somebody says that it is right.
      expect((await run(home, 'verify')).stdout).toMatch(/^keystore-changed\t-\t-\tThe keystore is older[^\n]*\n$/)
      await end()
      expect(await run(home, 'verify', '--accept-restore')).toMatchObject({ status: 0, stdout: '' })
    },
    longest,
  )
})

describe('Patient/{id}/$purge', () => {
  let home: Home
  let server: RunningServer
  const patients = ['anna', 'ben', 'cara', 'dora'] as const
  let all: string

  beforeAll(async () => {
    home = await newHome('purge')
    server = await startServer(home)
    all = await lastLine(home, 'token', '--scope', everything)
    const client = openClient(server.url, all)
    for (const id of patients) await fill(client, id)
    client.close()
  })
  afterAll(async () => {
    expect(await server.stop()).toBe(0)
    await home.remove()
  })

  async function purge(token: string, id: string, asked: { query?: string; body?: object } = {}) {
    const client = openClient(server.url, token)
    const path = `/fhir/Patient/${id}/$purge${asked.query ?? ''}`
    const answer = await client.send({
      method: 'POST',
      path,
      ...(asked.body === undefined ? {} : { body: asked.body }),
    })
    client.close()
    const [issue] = answer.json<OperationOutcome>().issue
    const code = issue?.details?.coding?.[0]?.code
    return { status: answer.status, code, diagnostics: issue?.diagnostics ?? '' }
  }
  const parameters = (name: string, valueString: string) => ({
    resourceType: 'Parameters',
    parameter: [{ name, valueString }],
  })

  it.each([
    ['no confirmation', {}],
    ['another id', { query: '?confirm=ben' }],
    ['both', { query: '?confirm=anna', body: parameters('confirm', 'ben') }],
    ['an unknown parameter', { query: '?confirm=anna&force=true' }],
  ])('does nothing with %s', async (_what, asked) => {
    const { status, code } = await purge(all, 'anna', asked)
    expect([status, ['purge.unconfirmed', 'request.parameter-unknown']]).toEqual([400, expect.arrayContaining([code])])
  })

  it.each([
    ['system/*.cru', 403],
    ['system/Observation.d system/Patient.d', 403],
    ['system/*.d?_id=anna', 403],
  ])('is not permitted by %s', async (scope, status) => {
    const minted = await run(home, 'token', '--scope', scope)
    // A scope that cannot be is no token at all.
    if (minted.status === 0)
      expect((await purge(minted.stdout.trim(), 'anna', { query: '?confirm=anna' })).status).toBe(status)
    else expect(minted.stderr).toContain('smart.mint-scope-malformed')
  })

  it('is not permitted to a token of one patient, whatever it may delete', async () => {
    const token = await lastLine(home, 'token', '--scope', 'patient/*.cruds', '--patient', 'anna')
    expect((await purge(token, 'anna', { query: '?confirm=anna' })).status).toBe(403)
  })

  it('answers for a patient that never was as every read does', async () => {
    expect((await purge(all, 'nobody', { query: '?confirm=nobody' })).status).toBe(404)
  })

  it('erases with the id confirmed in the URL or in Parameters, and says so', async () => {
    const byUrl = await purge(all, 'ben', { query: '?confirm=ben' })
    expect([byUrl.status, byUrl.diagnostics]).toEqual([200, expect.stringContaining('Erased')])
    expect((await purge(all, 'cara', { body: parameters('confirm', 'cara') })).status).toBe(200)
    const client = openClient(server.url, all)
    for (const [id, found] of [
      ['anna', 20],
      ['ben', 0],
      ['cara', 0],
    ] as const) {
      const answer = await client.send({ path: `/fhir/Observation?patient=${id}&_summary=count` })
      expect([id, answer.json<{ total: number }>().total]).toEqual([id, found])
    }
    client.close()
    expect(await run(home, 'verify')).toMatchObject({ status: 0, stdout: '' })
  })

  it('ends the tokens and links that were about the patient', async () => {
    const token = await lastLine(home, 'token', '--scope', 'patient/*.rs', '--patient', 'dora')
    expect((await purge(all, 'dora', { query: '?confirm=dora' })).status).toBe(200)
    const client = openClient(server.url, token)
    expect((await client.send({ path: '/fhir/Observation' })).status).toBe(401)
    client.close()
  })
})
