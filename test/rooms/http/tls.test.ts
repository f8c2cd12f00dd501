/** The server behind TLS of its own: real sockets, and certificates that end while it serves. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request } from 'node:https'
import { connect as connectPlain, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { connect } from 'node:tls'
import { type Authority, authorityIn, openOwn, type TlsSource } from '#certificates'
import { type Listening, listen } from '#http'
import { openWebHouse, type WebHouse } from './web-house.ts'

const dayMs = 86_400_000
let folder: string
let house: WebHouse
let authority: Authority
let listening: Listening | undefined

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kinhold-own-tls-'))
  authority = await authorityIn(folder, [], new Date())
})
// A house that has closed its doors does not open them again.
beforeEach(async () => {
  house = await openWebHouse({ baseUrl: 'https://localhost:8443' }, undefined, authority)
})
afterEach(async () => {
  await listening?.close(0)
  listening = undefined
  await house.close()
})
afterAll(() => rm(folder, { recursive: true }))

async function serve(source: TlsSource, everyMs?: number): Promise<number> {
  const tls = { ...source, log: house.log, ...(everyMs === undefined ? {} : { everyMs }) }
  listening = await listen(house.app, { host: '127.0.0.1', port: 0, tls })
  return listening.port
}

interface Got {
  readonly status: number
  readonly fingerprint: string
  readonly type: string
  readonly text: string
}

function get(port: number, path: string, options: object = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    const asked = { host: 'localhost', port, path, ca: authority.cert, agent: false as const, ...options }
    const sent = request(asked, response => {
      const fingerprint = (response.socket as ReturnType<typeof connect>).getPeerCertificate().fingerprint256
      let text = ''
      response.setEncoding('utf8').on('data', piece => {
        text += piece
      })
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response
        resolve({ status, fingerprint, text, type: headers['content-type'] ?? '' })
      })
    })
    sent.on('error', reject)
    sent.end()
  })
}

describe('a server with a certificate of its own', () => {
  it('is believed by whoever trusts its authority, and by nobody else', async () => {
    const port = await serve(await openOwn(authority, new Date()))
    expect((await get(port, '/healthz')).status).toBe(200)
    expect((await get(port, '/healthz', { host: '127.0.0.1' })).status).toBe(200)
    await expect(get(port, '/healthz', { ca: undefined })).rejects.toThrow(/self-signed|unable to verify/)
    await expect(get(port, '/healthz', { servername: 'bank.example' })).rejects.toThrow(/altnames/)
  })

  it('shows its authority to whoever comes with a phone', async () => {
    const port = await serve(await openOwn(authority, new Date()))
    const file = await get(port, '/ca.crt')
    expect([file.type, file.text]).toEqual(['application/x-x509-ca-cert', authority.cert])
    const page = await get(port, '/ca')
    expect(page.type).toContain('text/html')
    expect(page.text).toContain(authority.fingerprint)
    expect(page.text).not.toContain('PRIVATE KEY')
    for (const path of ['/ca.key', '/ca.pem', '/server.pem', '/tls/ca.pem'])
      expect((await get(port, path)).status).toBe(404)
  })

  it('renews it while it serves: who connects gets the new one, and who is connected stays', async () => {
    // Two thirds of its 90 days are over, and the source hears of it in a moment.
    let daysAgo = 61
    const then = () => new Date(Date.now() - daysAgo * dayMs)
    await authority.issueServer(then())
    const source = await openOwn(authority, then())
    const renewed = () => source.renewed(then())
    const port = await serve({ ...source, renewed }, 10)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const before = await get(port, '/healthz', { agent })
    expect((await get(port, '/healthz')).fingerprint).toBe(before.fingerprint)
    daysAgo = 0
    let [now, kept] = [before, before]
    // It is asked for each time, however long that takes: a connection that is idle is ended.
    while (now.fingerprint === before.fingerprint) {
      now = await get(port, '/healthz')
      kept = await get(port, '/healthz', { agent })
    }
    expect([kept.status, kept.fingerprint]).toEqual([200, before.fingerprint])
    expect(house.lines.join('')).toContain('certificate renewed')
    agent.destroy()
  })

  it('goes on with the one it has when it cannot be renewed, and says so', async () => {
    const source = await openOwn(authority, new Date())
    const renewed = () => Promise.reject(new Error('the disk is gone'))
    const port = await serve({ ...source, renewed }, 10)
    while (!house.lines.join('').includes('could not be renewed'))
      expect((await get(port, '/healthz')).status).toBe(200)
    expect((await get(port, '/healthz')).status).toBe(200)
  })

  it('has nothing to say to whoever speaks without TLS, and goes on', async () => {
    const port = await serve(await openOwn(authority, new Date()))
    const socket = connectPlain(port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.end('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
    let said = ''
    socket.setEncoding('latin1').on('data', piece => {
      said += piece
    })
    await once(socket, 'close')
    expect(said).not.toContain('HTTP/1.1')
    expect((await get(port, '/healthz')).status).toBe(200)
  })

  it('is reached although many begin a handshake and say nothing more', async () => {
    const port = await serve(await openOwn(authority, new Date()))
    const silent: Socket[] = []
    for (let n = 0; n < 520; n++) {
      const socket = connectPlain(port, '127.0.0.1').on('error', () => undefined)
      silent.push(socket)
      await once(socket, 'connect')
    }
    expect((await get(port, '/healthz')).status).toBe(200)
    // The oldest went.
    const [oldest] = silent
    oldest?.resume()
    if (oldest?.closed === false) await once(oldest, 'close')
    for (const socket of silent) socket.destroy()
  })
})
