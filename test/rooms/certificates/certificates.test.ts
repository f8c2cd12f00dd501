/** Certificates as real clients read them: OpenSSL, and the TLS of Node. https://www.rfc-editor.org/rfc/rfc5280 */
import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer } from 'node:tls'
import { authorityIn, issueClient, namesOf, openFiles, openOwn } from '#certificates'
import { isProblem } from '#kernel'

const now = new Date()
const dayMs = 86_400_000
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kinhold-tls-'))
})
afterEach(() => rm(folder, { recursive: true }))

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    error => (isProblem(error) ? error.code : String(error)),
  )

function openssl(args: readonly string[], input = ''): { status: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync('openssl', args, { input, encoding: 'utf8' })
  return { status, text: stdout + stderr }
}

describe('an authority of one’s own', () => {
  it('is made once, for the owner alone, and found again', async () => {
    const made = await authorityIn(folder, [], now)
    expect((await authorityIn(folder, [], now)).fingerprint).toBe(made.fingerprint)
    await made.issueServer(now)
    for (const name of await readdir(folder)) expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600)
  })

  it('signs what OpenSSL verifies, strictly, for each of its names', async () => {
    const authority = await authorityIn(folder, ['health.example.org', '203.0.113.7'], now)
    const { cert } = await authority.issueServer(now)
    const [ca, leaf] = [join(folder, 'ca.crt'), join(folder, 'leaf.crt')]
    await Promise.all([writeFile(ca, authority.cert), writeFile(leaf, cert)])
    const verify = (...more: string[]) =>
      openssl(['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', ca, ...more, leaf]).status
    expect(verify()).toBe(0)
    for (const host of ['localhost', 'health.example.org']) expect(verify('-verify_hostname', host)).toBe(0)
    for (const address of ['127.0.0.1', '::1', '203.0.113.7']) expect(verify('-verify_ip', address)).toBe(0)
    expect(verify('-verify_hostname', 'bank.example')).not.toBe(0)
    expect(namesOf(cert)).toContain('health.example.org')
  })

  it('cannot speak for other sites, even when its key is stolen', async () => {
    const authority = await authorityIn(folder, [], now)
    const stolen = join(folder, 'ca.pem')
    const [key, request, leaf, config] = ['k', 'r', 'l', 'c'].map(name => join(folder, name)) as [
      string,
      string,
      string,
      string,
    ]
    for (const name of ['DNS:bank.example', 'DNS:local.example', 'IP:93.184.216.34']) {
      await writeFile(config, `subjectAltName=${name}\nextendedKeyUsage=serverAuth\n`)
      openssl(['req', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-subj', '/CN=x', '-out', request])
      const signed = openssl([
        'x509',
        '-req',
        '-in',
        request,
        '-CA',
        stolen,
        '-CAkey',
        stolen,
        '-extfile',
        config,
        '-out',
        leaf,
      ])
      expect(signed.status).toBe(0)
      await writeFile(join(folder, 'ca.crt'), authority.cert)
      const { status, text } = openssl(['verify', '-CAfile', join(folder, 'ca.crt'), leaf])
      expect(status).not.toBe(0)
      expect(text).toContain('permitted subtree violation')
    }
  })

  it('keeps names that were given, and says when it was made without one', async () => {
    await authorityIn(folder, ['192.168.7.9', 'Tower.Local'], now)
    const { cert } = await (await authorityIn(folder, [], now)).issueServer(now)
    expect(namesOf(cert)).toEqual(expect.arrayContaining(['192.168.7.9', 'tower.local', 'localhost', '127.0.0.1']))
    expect(await codeOf(authorityIn(folder, ['10.1.2.3', 'nas.lan'], now))).toBe('done')
    expect(await codeOf(authorityIn(folder, ['health.example.org'], now))).toBe('certificates.name-foreign')
    expect(await codeOf(authorityIn(folder, ['198.51.100.1'], now))).toBe('certificates.name-foreign')
    // What was refused is not remembered.
    expect(await codeOf(authorityIn(folder, [], now))).toBe('done')
  })

  it.each(['', 'a b', 'https://x.local', '*.local', '-a.local', 'x'.repeat(64), '10.0.0.0/8', 'fe80::1%eth0', 'a\nb'])(
    'refuses the name %j',
    async name => {
      expect(await codeOf(authorityIn(folder, [name], now))).toBe('certificates.name-malformed')
      expect(await readdir(folder)).toEqual([])
    },
  )

  it('does not go on with a damaged file', async () => {
    await authorityIn(folder, [], now)
    const path = join(folder, 'ca.pem')
    await writeFile(
      path,
      (await readFile(path, 'utf8')).replace(/-----BEGIN PRIVATE KEY-----[^-]*-----END PRIVATE KEY-----\n/, ''),
    )
    expect(await codeOf(authorityIn(folder, [], now))).toBe('certificates.file-damaged')
  })
})

describe('the server’s certificate', () => {
  it('stays for two thirds of its life, then is made anew', async () => {
    const authority = await authorityIn(folder, [], now)
    const source = await openOwn(authority, now)
    const inDays = (days: number) => source.renewed(new Date(now.getTime() + days * dayMs))
    expect(await inDays(59)).toBeUndefined()
    const next = await inDays(61)
    expect(next?.cert).not.toBe(source.current.cert)
    expect(Date.parse(new X509Certificate(next?.cert ?? '').validTo)).toBeGreaterThan(now.getTime() + 150 * dayMs)
    expect(await inDays(62)).toBeUndefined()
    expect((await authority.server())?.cert).toBe(next?.cert)
  })

  it('is used as it lies there, unless it is old, lacks a name, or another authority signed it', async () => {
    const first = await openOwn(await authorityIn(folder, [], now), now)
    expect((await openOwn(await authorityIn(folder, [], now), now)).current.cert).toBe(first.current.cert)
    const named = await openOwn(await authorityIn(folder, ['nas.lan'], now), now)
    expect(namesOf(named.current.cert)).toContain('nas.lan')
    await rm(join(folder, 'ca.pem'))
    const authority = await authorityIn(folder, [], now)
    const signed = await openOwn(authority, now)
    expect(new X509Certificate(signed.current.cert).verify(new X509Certificate(authority.cert).publicKey)).toBe(true)
  })

  it('is taken up when a command beside the server has made one', async () => {
    const source = await openOwn(await authorityIn(folder, [], now), now)
    const beside = await (await authorityIn(folder, [], now)).issueServer(new Date(now.getTime() + 61 * dayMs))
    expect((await source.renewed(new Date(now.getTime() + 62 * dayMs)))?.cert).toBe(beside.cert)
  })
})

describe('a certificate of others', () => {
  it('is read again, and used once its files belong together', async () => {
    const authority = await authorityIn(folder, [], now)
    const [one, two] = [await authority.issueServer(now), await authority.issueServer(now)]
    const files = { cert: join(folder, 'cert'), key: join(folder, 'key') }
    const lay = (cert: string, key: string) => Promise.all([writeFile(files.cert, cert), writeFile(files.key, key)])
    await lay(one.cert, one.key)
    const source = await openFiles(files)
    expect(await source.renewed(now)).toBeUndefined()
    await lay(two.cert, one.key)
    expect(await codeOf(source.renewed(now))).toBe('certificates.files-unusable')
    await lay(two.cert, two.key)
    expect((await source.renewed(now))?.cert).toBe(two.cert)
    await rm(files.key)
    expect(await codeOf(openFiles(files))).toBe('certificates.files-unusable')
    await lay('nonsense', 'nonsense')
    expect(await codeOf(openFiles(files))).toBe('certificates.files-unusable')
  })
})

describe('a certificate of a sender of messages', () => {
  it('is PKCS#12 that OpenSSL opens with its password alone', async () => {
    const authority = await authorityIn(folder, [], now)
    const { file, password, fingerprint } = await issueClient(authority, 'Laboratory_2 North', now)
    const path = join(folder, 'client.p12')
    await writeFile(path, file)
    const { status, text } = openssl(['pkcs12', '-in', path, '-passin', 'stdin', '-nodes'], password)
    expect(status).toBe(0)
    const [cert = ''] = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(text) ?? []
    expect(new X509Certificate(cert).fingerprint256).toBe(fingerprint)
    expect(openssl(['pkcs12', '-in', path, '-passin', 'stdin', '-nodes'], 'wrong').status).not.toBe(0)
  })

  it('lets its holder in at a server that asks for one, and nobody else', async () => {
    const authority = await authorityIn(folder, [], now)
    const server = createServer(
      { ...(await authority.issueServer(now)), ca: authority.cert, requestCert: true, rejectUnauthorized: false },
      socket => socket.end(socket.authorized ? String(socket.getPeerCertificate().subject.CN) : 'refused'),
    )
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const { file, password } = await issueClient(authority, 'Laboratory', now)
    const said = (options: object) =>
      new Promise<string>((resolve, reject) => {
        const socket = connect({ port, host: '127.0.0.1', ca: authority.cert, ...options })
        let text = ''
        socket.setEncoding('utf8').on('data', piece => {
          text += piece
        })
        socket.on('end', () => resolve(text)).on('error', reject)
      })
    expect(await said({ pfx: file, passphrase: password })).toBe('Laboratory')
    expect(await said({})).toBe('refused')
    await new Promise(resolve => server.close(resolve))
  })

  it.each(['', 'lab.example.org', 'x'.repeat(64), '../lab', 'Łab'])('refuses the name %j', async name => {
    expect(await codeOf(issueClient(await authorityIn(folder, [], now), name, now))).toBe(
      'certificates.client-malformed',
    )
  })
})
