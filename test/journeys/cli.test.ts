import { spawn } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import type { Bundle, CapabilityStatement } from '@medplum/fhirtypes'
import { ZipFile } from 'yazl'
import software from '../../package.json' with { type: 'json' }
import { claimAddress } from './server/claim-address.ts'
import { everyEntry, openClient } from './server/client.ts'
import { type Home, lastLine, newHome, type Ran, run } from './server/home.ts'
import { newReachableHome } from './server/reachable-home.ts'
import { type RunningServer, startServer } from './server/start-server.ts'
import { Visitor } from './server/visitor.ts'
import { until } from './server/waiting.ts'

const sample = (name: string) => new URL(`../../samples/${name}`, import.meta.url).pathname
const everything = 'system/*.cruds'

/** The same folders under another environment. */
function under(home: Home, env: NodeJS.ProcessEnv): Home {
  return { ...home, env: { ...home.env, ...env } }
}

async function ask<T>(server: RunningServer, token: string, path: string): Promise<{ status: number; body: T }> {
  const client = openClient(server.url, token === '' ? undefined : token)
  const answer = await client.send({ path })
  client.close()
  return { status: answer.status, body: answer.json<T>() }
}

/** A release in a zip that was damaged on its way. */
async function alteredZip(): Promise<Buffer> {
  const zip = new ZipFile()
  const name = 'Type 1 diabetes mellitus'
  zip.addBuffer(Buffer.from(`00001 E109    1 ${name.padEnd(60)} ${name}\n`), 'icd10cm_order_2025.txt', {
    compress: false,
  })
  zip.end()
  const bytes = await buffer(zip.outputStream)
  bytes[bytes.indexOf('Type 1')] = 0x54 ^ 0x20
  return bytes
}

describe('kinhold beside a running server – README, "Commands"', () => {
  let home: Home
  let server: RunningServer
  let token: string
  let patient: string

  beforeAll(async () => {
    home = await newReachableHome('cli')
    server = await startServer(home)
    token = await lastLine(home, 'token', '--scope', everything)
    patient = await lastLine(home, 'patient', 'create', '--given', 'Greta Maria', '--family', 'Lindqvist')
  })
  afterAll(async () => {
    expect(await server.stop()).toBe(0)
    await home.remove()
  })

  describe('terminology', () => {
    it('takes in a release while the server runs, lists it and takes it away', async () => {
      const order = join(home.folder, 'icd10cm_order_2025.txt')
      const name = 'Type 1 diabetes mellitus without complications'
      await writeFile(order, `00001 E109    1 ${name.padEnd(60)} ${name}\n`)
      const line = 'http://hl7.org/fhir/sid/icd-10-cm|2025  ICD-10-CM, 1 concepts\n'
      expect(await run(home, 'terminology', 'import', order)).toMatchObject({ status: 0, stdout: line })
      expect(await run(home, 'terminology', 'list')).toMatchObject({ status: 0, stdout: line })
      const path = '/fhir/CodeSystem/$lookup?system=http://hl7.org/fhir/sid/icd-10-cm&code=E10.9'
      const looked = await ask<{ parameter: object[] }>(server, token, path)
      expect(looked.body.parameter).toEqual(expect.arrayContaining([{ name: 'display', valueString: name }]))
      expect((await run(home, 'terminology', 'remove', 'http://hl7.org/fhir/sid/icd-10-cm|2025')).status).toBe(0)
      const gone = await run(home, 'terminology', 'remove', 'http://hl7.org/fhir/sid/icd-10-cm|2025')
      expect(gone).toMatchObject({ status: 1, stderr: expect.stringContaining('command.terminology-absent') })
    })

    it.each([
      ['a path where nothing is', 'nowhere.zip', 'command.release-absent'],
      ['a zip that is none', 'broken.zip', 'command.release-unreadable'],
      ['a zip of which a byte is another one', 'altered.zip', 'command.release-unreadable'],
      ['a file of another kind', 'broken.txt', 'terminology.release-unknown'],
    ])('refuses %s, and names it', async (_, name, code) => {
      await writeFile(join(home.folder, 'altered.zip'), await alteredZip())
      for (const broken of ['broken.zip', 'broken.txt'])
        await writeFile(join(home.folder, broken), 'nothing of the kind')
      const refused = await run(home, 'terminology', 'import', name)
      expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining(code) })
      expect(refused.stderr).toContain(name)
    })
  })

  describe('serve', () => {
    it('shows an address once that gives the server its owner, and none to a server that has one', async () => {
      const claim = await claimAddress(server)
      expect(server.output().split('/claim?code=')).toHaveLength(2)
      const visitor = new Visitor(home.origin)
      const password = 'seven words that nobody would ever guess'
      const filled = { name: 'anna', password, again: password }
      const page = await visitor.submit(await visitor.open(claim), '/claim', filled)
      expect([page.url.pathname, page.status]).toEqual(['/claim', 200])
      const code = /<code>([0-9A-Z-]{47})<\/code>/.exec(page.text)?.[1] ?? ''
      const again = await visitor.submit(page, '/account/recovery/try', { code: code.toLowerCase() })
      expect(again.url.pathname).toBe('/account')
      expect((await run(home, 'doctor')).stdout).toContain('ok    a recovery code was made and tried')

      const late = await new Visitor(home.origin).open(claim)
      expect(late.status).not.toBe(200)
      expect(late.text).not.toContain('<form')

      expect(await server.stop()).toBe(0)
      server = await startServer(home)
      const later = new Visitor(home.origin)
      const account = await later.submit(await later.open('/auth/login'), '/auth/login', { name: 'anna', password })
      expect(account.url.pathname).toBe('/account')
      expect(server.output()).toContain('API page')
      expect(server.output()).not.toContain('/claim')
    })
  })

  it('serve ends with 1 and says so when its port is taken; the other server goes on', async () => {
    const { status, stderr } = await run(home, 'serve')
    expect([status, stderr.split(':')[0]]).toEqual([1, 'command.address-taken'])
    expect(stderr).not.toContain('    at ')
    expect((await ask(server, token, '/fhir/Patient')).status).toBe(200)
  })

  it('serve on port 0 takes a free port and names it in its links', async () => {
    const other = under(await newHome('port'), { KINHOLD_PORT: '0', KINHOLD_BASE_URL: '' })
    const free = await startServer(other)
    expect(free.output()).toContain(`FHIR base   ${free.url}/fhir`)
    expect((await ask<CapabilityStatement>(free, '', '/fhir/metadata')).body.implementation?.url).toBe(
      `${free.url}/fhir`,
    )
    expect(await free.stop()).toBe(0)
    await other.remove()
  })

  describe('token', () => {
    it('stands alone on the last line of standard output, and the running server knows it at once', async () => {
      const { status, stdout, stderr } = await run(home, 'token', '--scope', 'patient/Patient.rs', '--patient', patient)
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      expect(stdout).toMatch(/^[A-Za-z0-9_-]{43}\n$/)
      const read = await ask<{ name: unknown }>(server, stdout.trim(), `/fhir/Patient/${patient}`)
      expect(read.body.name).toEqual([{ family: 'Lindqvist', given: ['Greta', 'Maria'] }])
      expect((await ask(server, stdout.trim(), '/fhir/Observation')).status).toBe(403)
    })

    it.each([
      ['no SMART scope', ['--scope', 'system/*.everything'], 'smart.mint-scope-malformed'],
      ['no scope at all', ['--scope', ' '], 'smart.mint-scope-malformed'],
      ['a scope of a patient, and no patient', ['--scope', 'patient/*.rs'], 'smart.mint-patient-missing'],
      ['a scope of an account', ['--scope', 'user/*.rs'], 'smart.mint-scope-of-user'],
      ['a patient who is not here', ['--scope', 'patient/*.rs', '--patient', 'nobody'], 'command.patient-absent'],
      ['a time that is none', ['--scope', everything, '--ttl', 'soon'], 'command.ttl-malformed'],
    ])('refuses %s with status 1 and the code on standard error', async (_name, options, code) => {
      const { status, stdout, stderr } = await run(home, 'token', ...options)
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
      expect(stderr).toMatch(new RegExp(`^${code}: [^\\n]+\\n$`))
    })

    it('ends when its time is over', async () => {
      const statusOf = async (bearer: string) => (await ask(server, bearer, '/fhir/Patient?_summary=count')).status
      let short: string | undefined
      // On a busy machine the shortest may be over before the command has ended that told it.
      for (const ttl of ['10s', '40s', '160s']) {
        const told = await lastLine(home, 'token', '--scope', everything, '--ttl', ttl)
        if ((await statusOf(told)) === 200) short = told
        if (short !== undefined) break
      }
      const token = short ?? ''
      expect(token).not.toBe('')
      await until(async () => (await statusOf(token)) !== 200)
      expect(await statusOf(token)).toBe(401)
    })
  })

  describe('import', () => {
    const versions = async () => {
      const client = openClient(server.url, token)
      const entries = await everyEntry(client, '/fhir/_history?_count=1000')
      client.close()
      return entries.map(({ fullUrl, response }) => [fullUrl, response?.etag])
    }

    it('is seen by the running server at once; the same file again changes nothing', async () => {
      const file = sample('apple-health-export.zip')
      const once = await run(home, 'import', file, '--patient', patient, '--source', 'apple-health', '--json')
      expect(once.status).toBe(0)
      const report = JSON.parse(once.stdout) as { created: number; duplicate: number; folded: number }
      expect(report).toMatchObject({ state: 'done', format: 'apple-health' })
      // What is there already on a first import is what the file itself says twice.
      expect(report.duplicate).toBe(report.folded)
      expect(report.created).toBeGreaterThan(10)
      const before = await versions()
      expect(before.length).toBeGreaterThan(report.created)

      const twice = await run(home, 'import', file, '--patient', patient, '--json')
      expect(JSON.parse(twice.stdout)).toMatchObject({ state: 'done', created: 0, updated: 0, rejected: [] })
      expect(await versions()).toEqual(before)
    })

    it('says in words what became of a file when no JSON is wanted', async () => {
      const named = await lastLine(home, 'patient', 'create', '--given', 'Greta', '--family', 'Lindqvist')
      const { status, stdout } = await run(home, 'import', sample('oru-r01.hl7'), '--patient', named)
      expect(status).toBe(0)
      expect(stdout).toMatch(
        /^Imported: (\d+) rows of hl7v2: \1 taken in \(\d+ created, \d+ updated\), 0 there already/m,
      )
    })

    it.each([
      ['a file that is not there', ['no-such-file.zip', '--patient'], 'ingest.file-unreadable'],
      ['a folder', [sample(''), '--patient'], 'ingest.file-unreadable'],
      ['a source that is not known', [sample('oru-r01.hl7'), '--source', 'fax', '--patient'], 'ingest.source-unknown'],
      ['another source than it is', [sample('oru-r01.hl7'), '--source', 'fhir', '--patient'], 'ingest.source-mismatch'],
    ])('refuses %s with status 1 and the code', async (_name, options, code) => {
      const { status, stdout, stderr } = await run(home, 'import', ...options, patient)
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
      expect(stderr).toMatch(new RegExp(`^${code}: [^\\n]+\\n$`))
    })

    const apple = (rest: string) => `<?xml version="1.0" encoding="UTF-8"?>\n<HealthData locale="en_GB">\n${rest}`
    const heartRate = `<Record type="HKQuantityTypeIdentifierHeartRate" sourceName="Watch" unit="count/min" startDate="2024-03-10 08:00:00 +0000" endDate="2024-03-10 08:00:00 +0000" value="61"/>`
    const observation = { resourceType: 'Observation', code: { text: 'x' }, subject: { reference: 'Patient/p' } }
    const bundle = (...resources: object[]) =>
      JSON.stringify({ resourceType: 'Bundle', type: 'collection', entry: resources.map(resource => ({ resource })) })

    it.each([
      ['an export that is cut off', 'cut.xml', apple(`${heartRate}\n <Record type="HKQ`)],
      ['a Bundle of which a part is rejected', 'part.json', bundle(observation, { ...observation, status: 'final' })],
      ['a Bundle of which all is rejected', 'all.json', bundle(observation)],
      ['a row whose value is none', 'row.xml', apple(`${heartRate.replace('61', 'high')}</HealthData>`)],
      ['a Bundle that is cut off', 'cut.json', bundle({ ...observation, status: 'final' }).slice(0, -9)],
    ])('ends with 1 after %s, in words and in JSON', async (_what, name, content) => {
      const path = join(home.folder, name)
      await writeFile(path, content)
      for (const form of [[], ['--json']])
        expect([form, (await run(home, 'import', path, '--patient', patient, ...form)).status]).toEqual([form, 1])
    })

    it('ends with 0 after a file that says nothing, or nothing new', async () => {
      const path = join(home.folder, 'one.xml')
      await writeFile(path, apple(`${heartRate}</HealthData>`))
      for (const time of ['once', 'twice'])
        expect([time, (await run(home, 'import', path, '--patient', patient)).status]).toEqual([time, 0])
    })

    it('takes a path from where one stands, and names the file that it cannot read', async () => {
      expect((await run(home, 'import', 'one.xml', '--patient', patient)).status).toBe(0)
      const { stderr } = await run(home, 'import', 'two.xml', '--patient', patient)
      expect(stderr).toContain(join(home.folder, 'two.xml'))
    })

    it('refuses a patient that is not here', async () => {
      const { status, stderr } = await run(home, 'import', sample('oru-r01.hl7'), '--patient', 'nobody')
      expect([status, stderr.split(':')[0]]).toEqual([1, 'record.unknown'])
    })
  })

  describe('patient', () => {
    it('is taken in beside the server and listed by id alone', async () => {
      const id = await lastLine(home, 'patient', 'create', '--family', 'Lindqvist', '--birthdate', '2015-11-20')
      expect((await ask(server, token, `/fhir/Patient/${id}`)).body).toMatchObject({ birthDate: '2015-11-20' })
      const { stdout } = await run(home, 'patient', 'list')
      expect(stdout.trim().split('\n').toSorted()).toEqual(expect.arrayContaining([id, patient].toSorted()))
      expect(stdout).not.toContain('Lindqvist')
    })

    it.each([
      [[], true],
      [['--birthdate', '2015-11-20'], true],
      [['--given', 'Mila'], false],
      [['--family', 'Lindqvist'], false],
    ])('taken in with %j, it is said whether it has no name: %s', async (facts, isSaid) => {
      const { status, stdout, stderr } = await run(home, 'patient', 'create', ...facts)
      expect({ status, lines: stdout.trim().split('\n').length }).toEqual({ status: 0, lines: 1 })
      expect(stderr.includes('warning: the patient has no name')).toBe(isSaid)
      expect(stderr.split('\n').length).toBeLessThanOrEqual(2)
    })

    it('is listed with names where that is asked for, and the audit keeps that somebody looked', async () => {
      const id = await lastLine(home, 'patient', 'create', '--given', 'Mila', '--birthdate', '2015-11-20')
      const { status, stdout, stderr } = await run(home, 'patient', 'list', '--names')
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      expect(stdout).toContain(`${id}\tMila\t2015-11-20\n`)
      const path = `/fhir/AuditEvent?patient=${id}&subtype=read`
      const found = await ask<Bundle>(server, token, path)
      expect(found.body.entry?.length).toBe(1)
      expect(JSON.stringify(found.body.entry?.[0]?.resource)).toContain('Administrator')
    })

    it('is changed as an update is: validated, a new version, nothing else lost', async () => {
      const id = await lastLine(home, 'patient', 'create', '--given', 'Greta Maria', '--family', 'Lindqvist')
      const put = { resourceType: 'Patient', id, active: true, telecom: [{ system: 'phone', value: '1' }] }
      const name = [
        { use: 'old', family: 'Berg' },
        { use: 'official', text: 'Greta L', given: ['Greta'], family: 'L' },
      ]
      const client = openClient(server.url, token)
      await client.send({ method: 'PUT', path: `/fhir/Patient/${id}`, body: { ...put, name } })
      client.close()
      const edited = await run(home, 'patient', 'edit', id, '--family', 'Ek', '--gender', 'female')
      expect([edited.status, edited.stderr]).toEqual([0, `Patient/${id} is now version 3\n`])
      expect(await run(home, 'patient', 'edit', '--patient', id, '--birthdate', '1951')).toMatchObject({ status: 0 })
      expect(await run(home, 'patient', 'edit', id, '--birthdate', '')).toMatchObject({ status: 0 })
      for (const typed of [[id], ['--patient', id]])
        expect(await run(home, 'patient', 'edit', ...typed)).toMatchObject({
          status: 2,
          stderr: 'error: say what changes: --given, --family, --birthdate, --gender\n',
        })
      const { body } = await ask<object>(server, token, `/fhir/Patient/${id}`)
      expect(body).toMatchObject({
        ...put,
        meta: { versionId: '5' },
        gender: 'female',
        name: [name[0], { use: 'official', given: ['Greta'], family: 'Ek' }],
      })
      expect(JSON.stringify(body)).not.toMatch(/Greta L|birthDate/)
      for (const wrong of [
        ['--gender', 'c4n4ry'],
        ['--birthdate', 'c4n4ry'],
      ]) {
        const refused = await run(home, 'patient', 'edit', id, ...wrong)
        expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('validation.failed')])
        expect(refused.stderr).not.toContain('c4n4ry')
      }
      const unknown = await run(home, 'patient', 'edit', 'nobody', '--family', 'Ek')
      expect([unknown.status, unknown.stderr]).toEqual([1, expect.stringContaining('nobody')])
    })

    it('is given to an account that is made on the host, whose person chooses the password', async () => {
      const id = await lastLine(home, 'patient', 'create', '--given', 'Emil')
      const url = await lastLine(home, 'account', 'create', 'emil')
      expect(await run(home, 'account', 'create', '--name', 'emil')).toMatchObject({ status: 1 })
      expect((await run(home, 'account', 'list')).stdout).toMatch(/\tmember\t0 patients\tno password yet\n/)
      expect(await run(home, 'patient', 'attach', id, '--account', 'emil')).toMatchObject({ status: 0 })
      expect((await run(home, 'account', 'list', '--names')).stdout).toMatch(/\t1 patients\tno password yet\temil\n/)
      const visitor = new Visitor(home.origin)
      const page = await visitor.open(new URL(url).pathname + new URL(url).search)
      expect([page.status, page.text]).toEqual([200, expect.stringContaining('type="password"')])
      expect((await run(home, 'account', 'reset', 'emil')).stdout).toMatch(/^http/)
      expect((await run(home, 'account', 'quota', 'emil')).stdout).toBe('1 of any number of patients\n')
      expect((await run(home, 'account', 'quota', 'emil', '--patients', '1')).stdout).toBe('1 of 1 patients\n')
      const beyond = await lastLine(home, 'patient', 'create', '--given', 'Nils')
      const full = await run(home, 'patient', 'attach', beyond, '--account', 'emil')
      expect([full.status, full.stderr]).toEqual([1, expect.stringContaining('record.patients-exceeded')])
      const malformed = await run(home, 'account', 'quota', 'emil', '--patients', 'many')
      expect([malformed.status, malformed.stderr]).toEqual([1, expect.stringContaining('command.quota-malformed')])
      const lost = await run(home, 'account', 'reset', 'emil', '--second-factor')
      expect(lost).toMatchObject({ status: 0, stdout: expect.stringMatching(/^http/) })
      expect(lost.stderr).toContain('The second step and all passkeys were taken away')
      for (const [args, word] of [
        [['patient', 'attach', id, '--account', 'nobody'], 'nobody'],
        [['patient', 'attach', 'no-patient', '--account', 'emil'], 'no-patient'],
        [['account', 'reset', 'nobody'], 'nobody'],
      ] as const) {
        const { status, stderr } = await run(home, ...args)
        expect([status, stderr]).toEqual([1, expect.stringContaining(word)])
      }
    })

    it('is refused by element and not by value when FHIR does not allow it', async () => {
      const { status, stderr } = await run(home, 'patient', 'create', '--gender', 'c4n4ry')
      expect(status).toBe(1)
      expect(stderr).toContain('validation.failed')
      expect(stderr).toContain('Patient.gender')
      expect(stderr).not.toContain('c4n4ry')
    })

    it('is taken in for an account by the name its owner logs in with, and for no other', async () => {
      const before = (await run(home, 'patient', 'list')).stdout
      const refused = await run(home, 'patient', 'create', '--given', 'Mila', '--account', 'nobody')
      expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('smart.account-absent')])
      expect((await run(home, 'patient', 'list')).stdout).toBe(before)
    })
  })

  describe('client', () => {
    it('is approved, listed and ended for a hospital that has a key of its own', async () => {
      const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' })
      const metadata = {
        client_name: 'Hospital feed',
        grant_types: ['client_credentials'],
        token_endpoint_auth_method: 'private_key_jwt',
        scope: 'system/Observation.rs system/Patient.r',
        jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'ES384', use: 'sig' }] },
      }
      const client = openClient(server.url)
      const headers = { 'content-type': 'application/json' }
      const answer = await client.send({ method: 'POST', path: '/auth/register', headers, body: metadata })
      client.close()
      const id = answer.json<{ client_id: string }>().client_id
      const lineOf = async () =>
        (await run(home, 'client', 'list')).stdout.split('\n').find(line => line.startsWith(id))
      expect(await lineOf()).toContain('backend\twaits for: system/Observation.rs system/Patient.r\t"Hospital feed"')
      const refused = await run(home, 'client', 'approve', id, '--scope', 'user/*.rs')
      expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('user/*.rs')])
      const approved = await run(home, 'client', 'approve', id, '--scope', 'system/Observation.rs')
      expect([approved.status, approved.stdout]).toEqual([0, 'system/Observation.rs\n'])
      expect(await lineOf()).toContain('backend\tsystem/Observation.rs\t')
      expect(await run(home, 'client', 'end', '--client', id)).toMatchObject({ status: 0 })
      expect(await lineOf()).toBeUndefined()
      // What is wrong is named, and not what was typed beside it.
      expect(await run(home, 'client', 'approve', id, '--scope', 'system/Patient.r')).toMatchObject({
        status: 1,
        stderr: `smart.client-absent: There is no client with this id: ${id}\n`,
      })
      const gone = await run(home, 'client', 'end', id)
      expect([gone.status, gone.stderr]).toEqual([1, expect.stringContaining(id)])
    })
  })

  it('verify and reindex find everything as it should be and leave it so', async () => {
    const path = `/fhir/Observation?patient=${patient}&_sort=date&_count=100`
    const before = await ask<Bundle>(server, token, path)
    expect(await run(home, 'verify')).toMatchObject({ status: 0, stdout: '' })
    const reindexed = await run(home, 'reindex')
    expect(reindexed.status).toBe(0)
    expect(Number(/^(\d+) entries indexed\n$/.exec(reindexed.stdout)?.[1])).toBeGreaterThan(20)
    const after = await ask<Bundle>(server, token, path)
    expect(after.body.entry).toEqual(before.body.entry)
    expect(await run(home, 'verify')).toMatchObject({ status: 0, stdout: '' })
  })
})

describe('kinhold demo --once – the main job in one command', () => {
  it('shows the table, ends with 0 and leaves no folder behind', async () => {
    const home = await newHome('demo')
    const { status, stdout } = await run(home, 'demo', '--once')
    expect(status).toBe(0)
    expect(stdout).not.toContain('NOT AS IT SHOULD BE')
    for (const part of ['Imported', 'Apple Health', 'Google Fit', 'ADT^A01', 'ORU^R01', 'transaction bundle'])
      expect(stdout).toContain(part)
    expect(stdout).toMatch(/403 refused\s+✓/)
    expect(stdout).toMatch(/404 unknown to this token\s+✓/)
    expect(stdout).toMatch(/ 0 of \d+ files .*✓/)
    expect(stdout).toMatch(/http:\/\/127\.0\.0\.1:\d+\/docs/)
    expect(await readdir(home.temporary)).toEqual([])
    await home.remove()
  })
})

describe('kinhold doctor', () => {
  let home: Home
  beforeAll(async () => {
    home = await newHome('doctor')
  })
  afterAll(() => home.remove())
  const open = { KINHOLD_KEYS: '' }

  it('finds keys that lie beside the data, and what others may read: status 1, each with its remedy', async () => {
    const beside = under(home, open)
    const first = await startServer(beside)
    expect(await first.stop()).toBe(0)
    expect(first.output().split('The keystore lies beside the data')).toHaveLength(2)
    const careful = await run(beside, 'doctor')
    expect([careful.status, careful.stderr]).toEqual([1, ''])
    expect(careful.stdout).toContain('KINHOLD_KEYS')
    expect(faultsOf(careful)).toEqual(['keys lie apart from the data'])
    await chmod(home.data, 0o755)
    const careless = await run(beside, 'doctor')
    expect(faultsOf(careless)).toEqual(expect.arrayContaining(['data folder is closed to others']))
    expect(careless.stdout).toContain('chmod 700')
  })

  it('says of a Node that is too old for anything else that it is', async () => {
    const older =
      "Object.defineProperty(process,'versions',{value:{...process.versions,node:'24.11.0'}});delete globalThis.Temporal"
    const preload = `--import=data:text/javascript,${encodeURIComponent(older)}`
    const { status, stdout } = await run(under(home, { NODE_OPTIONS: preload }), 'doctor')
    expect({ status, stdout }).toEqual({
      status: 1,
      stdout: expect.stringMatching(/^FAIL {2}Node is new enough: this is Node 24\.11\.0; [^\n]*\n$/),
    })
  })

  it('says of a folder that nobody has served what to do first', async () => {
    const { status, stdout } = await run(under(home, { KINHOLD_DATA: join(home.folder, 'none') }), 'doctor')
    expect(status).toBe(1)
    expect(stdout).toContain('start the server once')
  })

  it('is content with a passphrase: what protects the keys is not on the disk', async () => {
    const file = join(home.folder, 'passphrase')
    await writeFile(file, 'a passphrase that is not on this disk\n')
    const data = join(home.folder, 'guarded')
    const guarded = under(home, { KINHOLD_DATA: data, KINHOLD_KEYS: data, KINHOLD_PASSPHRASE_FILE: file })
    const first = await startServer(guarded)
    expect(await first.stop()).toBe(0)
    expect(first.output()).not.toContain('lies beside the data')
    const { status, stdout } = await run(guarded, 'doctor')
    expect({ status, faults: stdout.split('\n').filter(line => line.startsWith('FAIL')) }).toEqual({
      status: 0,
      faults: [],
    })
    const wrong = { KINHOLD_PASSPHRASE_FILE: '', KINHOLD_PASSPHRASE: 'c4n4ry' }
    const refused = await run(under(guarded, wrong), 'doctor')
    expect(faultsOf(refused)).toEqual(['store, keys and instance open'])
    expect(refused.stdout + refused.stderr).not.toContain('c4n4ry')
    const without = { KINHOLD_PASSPHRASE_FILE: '' }
    for (const [env, code] of [
      [without, 'vault.root-missing: .* KINHOLD_PASSPHRASE_FILE'],
      [wrong, 'vault.passphrase-too-short: KINHOLD_PASSPHRASE '],
      [{ ...wrong, KINHOLD_PASSPHRASE: 'c4n4ry, c4n4ry' }, 'vault.root-refused: KINHOLD_PASSPHRASE '],
    ] as const) {
      const { status, stderr } = await run(under(guarded, env), 'verify')
      expect([status, stderr]).toEqual([1, expect.stringMatching(new RegExp(`^${code}`, 'm'))])
      expect(stderr).not.toContain('c4n4ry')
    }
  })

  it('of a key file that is lost, cut or that of another house it says what to do, and the code opens the house', async () => {
    const keys = join(home.folder, 'lost')
    const house = under(home, { KINHOLD_DATA: join(home.folder, 'lost-data'), KINHOLD_KEYS: keys })
    const made = await startServer(house)
    expect(await made.stop()).toBe(0)
    const code = await lastLine(house, 'recovery', 'new')
    const file = join(keys, 'root.key')
    for (const [bytes, fault] of [
      [undefined, 'vault.key-file-missing'],
      [randomBytes(7), 'vault.key-file-malformed'],
      [randomBytes(32), 'vault.root-refused'],
    ] as const) {
      await rm(file)
      if (bytes !== undefined) await writeFile(file, bytes, { mode: 0o600 })
      for (const command of ['verify', 'serve', 'doctor']) {
        const { status, stdout, stderr } = await run(house, command)
        expect([command, status, stdout + stderr]).toEqual([command, 1, expect.stringContaining('root.key')])
        expect(stdout + stderr).toContain('kinhold recover')
      }
      expect((await run(house, 'verify')).stderr).toContain(`${fault}: `)
      const recovered = await run(under(house, { KINHOLD_RECOVERY_CODE: code }), 'recover')
      expect(recovered.status).toBe(0)
      expect((await run(house, 'verify')).status).toBe(0)
    }
  })
})

function faultsOf({ stdout }: Ran): string[] {
  return [...stdout.matchAll(/^FAIL {2}([^:]+):/gm)].map(([, name = '']) => name)
}

describe('what kinhold says to those who are lost', () => {
  let home: Home
  beforeAll(async () => {
    home = await newHome('lost')
  })
  afterAll(async () => {
    // Nobody who only asks for help, or is refused, gets folders.
    for (const folder of [home.data, home.keys]) await expect(stat(folder)).rejects.toMatchObject({ code: 'ENOENT' })
    await home.remove()
  })

  it.each([
    [
      ['--help'],
      ['serve', 'demo', 'import', 'token', 'patient', 'account', 'client', 'recovery', 'doctor', 'verify', 'reindex'],
    ],
    [['serve', '--help'], []],
    [['demo', '--help'], ['--once']],
    [
      ['import', '--help'],
      ['<file>', '--patient', '--source', '--json'],
    ],
    [
      ['token', '--help'],
      ['--scope', '--patient', '--ttl', 'system/*.cruds'],
    ],
    [
      ['patient', '--help'],
      ['create', 'list', 'edit', 'attach'],
    ],
    [
      ['patient', 'edit', '--help'],
      ['[patient]', '--patient', '--given', '--family', '--birthdate', '--gender'],
    ],
    [
      ['client', '--help'],
      ['approve', 'list', 'end'],
    ],
    [
      ['account', '--help'],
      ['create', 'list', 'reset'],
    ],
    [
      ['recovery', '--help'],
      ['new', 'try'],
    ],
    [
      ['patient', 'create', '--help'],
      ['--given', '--family', '--birthdate', '--gender', '--account'],
    ],
    [['doctor', '--help'], []],
    [['verify', '--help'], []],
    [['reindex', '--help'], []],
  ])('%j explains itself', async (args, words) => {
    const { status, stdout } = await run(home, ...args)
    expect(status).toBe(0)
    for (const word of [`Usage: kinhold`, ...words]) expect(stdout).toContain(word)
  })

  it.each([
    [['tokne'], /unknown command 'tokne'[\s\S]*token/],
    [['token'], /--scope/],
    [['serve', 'everything'], /too many arguments/],
    [['verify', '--fix'], /unknown option/],
    [['patient', 'edit', '--family', 'x'], /name one patient/],
    [['patient', 'attach', 'a', '--patient', 'b', '--account', 'c'], /name one patient/],
    [['client', 'approve'], /name one client/],
  ])('%j ends with 2 and says why', async (args, words) => {
    const { status, stdout, stderr } = await run(home, ...args)
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toMatch(words)
  })

  it.each([
    ['a port that is none', { KINHOLD_PORT: 'c4n4ry' }, 'config.value-malformed: KINHOLD_PORT'],
    [
      'a secret given twice',
      { KINHOLD_PASSPHRASE: 'c4n4ry', KINHOLD_PASSPHRASE_FILE: '/dev/null' },
      'config.secret-given-twice: KINHOLD_PASSPHRASE',
    ],
    [
      'a secret in a file that is not there',
      { KINHOLD_PASSPHRASE_FILE: '/no/c4n4ry' },
      'config.secret-unreadable: The file that KINHOLD_PASSPHRASE_FILE',
    ],
    ['clear text to other machines', { KINHOLD_BASE_URL: 'http://c4n4ry.example' }, 'config.http-refused'],
    [
      'a MongoDB that is not there',
      { KINHOLD_STORE: 'mongodb://anna:c4n4ry@127.0.0.1:1/kinhold' },
      'store.unreachable: KINHOLD_KEYSTORE',
    ],
    [
      'an address of a MongoDB that cannot be read',
      { KINHOLD_STORE: 'mongodb://anna:c4n4ry@127.0.0.1:1/kinhold?c4n4ry=1' },
      'store.address-refused: KINHOLD_KEYSTORE',
    ],
  ])('refuses %s by its name, not by its value', async (_name, env, words) => {
    const { status, stderr } = await run(under(home, env), 'serve')
    expect(status).toBe(1)
    expect(stderr).toContain(words)
    expect(stderr).not.toContain('c4n4ry')
  })

  it('says which version it is', async () => {
    const { status, stdout } = await run(home, '--version')
    expect({ status, stdout }).toEqual({ status: 0, stdout: `${software.version}\n` })
  })

  it('warns of a KINHOLD_ name that means nothing, with the nearest that does', async () => {
    const { status, stderr } = await run(
      under(home, { KINHOLD_STORE_FILE: await memoryFile(), KINHOLD_PASSPHRAS: 'x' }),
      'verify',
    )
    expect(stderr).toContain('KINHOLD_PASSPHRAS is not')
    expect(stderr).toContain('did you mean KINHOLD_PASSPHRASE?')
    expect([status, stderr]).toEqual([1, expect.stringContaining('KINHOLD_STORE is memory')])
  })

  async function memoryFile(): Promise<string> {
    const path = join(home.folder, 'store')
    await writeFile(path, 'memory\n')
    return path
  }
})

/** Where the test was not started by npm, Node would wait for a program on standard input. */
const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe']

describe('npm run from another folder', () => {
  it('takes files and folders from where it was called, with --prefix and in a folder of the repository', async () => {
    const home = await newHome('standing')
    expect(await (await startServer(home)).stop()).toBe(0)
    const patient = await lastLine(home, 'patient', 'create')
    await writeFile(join(home.folder, 'lab.hl7'), await readFile(sample('oru-r01.hl7')))
    const root = new URL('../..', import.meta.url).pathname
    const relative = { ...home.env, KINHOLD_DATA: 'data', KINHOLD_KEYS: './keys', npm_lifecycle_event: undefined }
    const npm = async (cwd: string, env: NodeJS.ProcessEnv, ...args: string[]) => {
      const child = spawn(process.execPath, [process.env.npm_execpath ?? '', ...args], { cwd, env, stdio })
      const [stdout, stderr, [status]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, 'exit'),
      ])
      return { status: Number(status), stdout, stderr }
    }
    const importing = ['run', '--silent', 'kinhold', '--', 'import']
    const there = await npm(home.folder, relative, '--prefix', root, ...importing, 'lab.hl7', '--patient', patient)
    expect(there).toMatchObject({ status: 0, stdout: expect.stringMatching(/^Imported/) })
    const inside = await npm(join(root, 'samples'), home.env, ...importing, 'oru-r01.hl7', '--patient', patient)
    expect(inside).toMatchObject({ status: 0, stdout: expect.stringMatching(/^Imported/) })
    await home.remove()
  })
})

describe('npm run on a machine whose own Node is old', () => {
  it('runs the Node that came with npm ci', async () => {
    const home = await newHome('npm')
    const old = join(home.folder, 'old')
    await mkdir(old)
    await writeFile(join(old, 'node'), '#!/bin/sh\necho "this Node is too old" >&2\nexit 9\n', { mode: 0o755 })
    const npm = process.env.npm_execpath ?? ''
    const env = { ...home.env, PATH: `${old}${delimiter}${process.env.PATH}` }
    const cwd = new URL('../..', import.meta.url)
    const child = spawn(process.execPath, [npm, 'run', '--silent', 'kinhold', '--', 'token', '--help'], {
      env,
      cwd,
      stdio,
    })
    const [stdout, stderr, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.not.stringContaining('too old') })
    expect(stdout).toContain('Usage: kinhold token')
    await home.remove()
  })
})
