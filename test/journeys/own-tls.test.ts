/** TLS of its own from the command line on: `kinhold certificate`, a server, and clients that know nothing but the authority. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { get } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type Home, newHome, type Ran, run } from './server/home.ts'
import { type RunningServer, startServer } from './server/start-server.ts'

let home: Home
let server: RunningServer
let folder: string
let shown: Ran

beforeAll(async () => {
  const plain = await newHome('own-tls')
  const env = { ...plain.env, KINHOLD_TLS: 'own', KINHOLD_BASE_URL: 'https://localhost:8443', KINHOLD_HOST: '0.0.0.0' }
  home = { ...plain, env }
  folder = await mkdtemp(join(tmpdir(), 'kinhold-trust-'))
  shown = await run(home, 'certificate', '--name', '192.168.77.7', 'Tower.local')
  server = await startServer(home)
})

afterAll(async () => {
  await server.stop()
  await home.remove()
  await rm(folder, { recursive: true })
})

const fingerprintIn = (output: string) => /(?:[0-9A-F]{2}:){31}[0-9A-F]{2}/.exec(output)?.[0] ?? ''
const portOf = () => new URL(server.url).port

function read(path: string, ca?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = {
      host: 'localhost',
      port: portOf(),
      path,
      ...(ca === undefined ? { rejectUnauthorized: false } : { ca }),
    }
    get(options, response => resolve(text(response))).on('error', reject)
  })
}

async function runs(command: string, args: readonly string[]): Promise<{ status: number; said: string } | undefined> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const failed = new Promise<undefined>(resolve => child.on('error', () => resolve(undefined)))
  const ended = (async () => {
    const [out, fault, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
    return { status: Number(status), said: out + fault }
  })()
  ended.catch(() => undefined)
  return Promise.race([failed, ended])
}

describe('the server’s own certificate', () => {
  it('is made and shown before there is a house, with the names that were given', () => {
    expect(shown.status).toBe(0)
    expect(shown.stdout).toContain('192.168.77.7')
    expect(shown.stdout).toContain('tower.local')
    expect(shown.stdout).toMatch(/[█▀▄]{10}/)
    expect(shown.stdout).toMatch(/https:\/\/\S+\/ca\n/)
  })

  it('comes with the fingerprint that the terminal showed, wherever that is looked up', async () => {
    expect(fingerprintIn(server.output())).toBe(fingerprintIn(shown.stdout))
    expect(await read('/ca')).toContain(fingerprintIn(shown.stdout))
  })

  it('is verified by clients that know nothing but the authority', async () => {
    const ca = await read('/ca.crt')
    expect(JSON.parse(await read('/readyz', ca))).toEqual({ status: 'ready' })
    const path = join(folder, 'ca.crt')
    await writeFile(path, ca)
    const curl = await runs('curl', ['-sS', '--cacert', path, `https://localhost:${portOf()}/readyz`])
    if (curl !== undefined) expect(curl).toEqual({ status: 0, said: '{"status":"ready"}' })
    const blind = await runs('curl', ['-sS', `https://localhost:${portOf()}/readyz`])
    if (blind !== undefined) expect(blind.status).toBe(60)
    const openssl = [
      's_client',
      '-connect',
      `127.0.0.1:${portOf()}`,
      '-CAfile',
      path,
      '-verify_return_error',
      '-verify_ip',
      '127.0.0.1',
    ]
    expect((await runs('openssl', openssl))?.said).toContain('Verify return code: 0 (ok)')
  })

  it('leads where it says: every link is https', async () => {
    const first = JSON.parse(await read('/', await read('/ca.crt')))
    expect(first.fhir).toBe('https://localhost:8443/fhir')
    expect(server.output()).toContain('listens on https://')
  })

  it('lies beside the keys for the owner alone', async () => {
    expect((await stat(join(home.keys, 'tls'))).mode & 0o777).toBe(0o700)
    for (const name of ['ca.pem', 'server.pem'])
      expect((await stat(join(home.keys, 'tls', name))).mode & 0o777).toBe(0o600)
  })

  it('comes with certificates for senders of messages, never over a file that is there', async () => {
    const out = join(folder, 'laboratory.p12')
    const made = await run(home, 'certificate', 'client', 'Laboratory', '--out', out)
    expect(made.status).toBe(0)
    const password = made.stdout.trim()
    const opened = await runs('openssl', ['pkcs12', '-in', out, '-passin', `pass:${password}`, '-nokeys'])
    expect(opened?.said).toContain('CN = Laboratory')
    expect((await stat(out)).mode & 0o777).toBe(0o600)
    const before = await readFile(out)
    const again = await run(home, 'certificate', 'client', 'Laboratory', '--out', out)
    expect([again.status, again.stderr]).toEqual([1, expect.stringContaining('command.file-exists')])
    expect(await readFile(out)).toEqual(before)
  })

  it('is not for a name that its authority was made without', async () => {
    const { status, stderr } = await run(home, 'certificate', '--name', 'health.example.org')
    expect([status, stderr]).toEqual([1, expect.stringContaining('certificates.name-foreign')])
  })
})
