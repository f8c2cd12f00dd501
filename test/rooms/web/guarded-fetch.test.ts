/** Whatever this server asks elsewhere for others goes through one guard: https://cheatsheetseries.owasp.org (SSRF prevention) */
import { collect } from '#kernel'
import { Forbidden, openGuardedFetch } from '#web'
import { type ForeignServer, openForeign } from './foreign-server.ts'

let foreign: ForeignServer
let other: ForeignServer

beforeAll(async () => {
  other = await openForeign((_, response) => void response.end('{"secret":"inside"}'))
  foreign = await openForeign(async (request, response) => {
    const rows: Readonly<Record<string, () => void>> = {
      '/json': () => response.setHeader('cache-control', 'max-age=7').end('{"keys":[]}'),
      '/cookies': () => response.setHeader('set-cookie', ['a=1', 'b=2']).end(),
      '/empty': () => response.writeHead(204).end(),
      '/elsewhere': () => response.writeHead(302, { location: `${other.url}/` }).end(),
      '/large': () => response.end('x'.repeat(70_000)),
      '/exact': () => response.end('x'.repeat(64 * 1024)),
      '/endless': () => pour(),
      '/silent': () => undefined,
      '/slow': () => response.write('{'),
      '/cut': () => {
        response.writeHead(200, { 'content-length': '100' })
        response.write('{', () => response.destroy())
      },
    }
    function pour(): void {
      if (!response.destroyed) response.write('x'.repeat(32_768), () => setImmediate(pour))
    }
    if (request.method === 'POST') {
      const body = (await collect(request, 1024)).toString()
      const { 'content-type': type, authorization, 'accept-encoding': encoding } = request.headers
      response.end(JSON.stringify({ body, type, authorization, encoding }))
      return
    }
    rows[request.url ?? '']?.()
  })
})
afterAll(() => Promise.all([foreign.close(), other.close()]))

describe('what may be asked', () => {
  it.each([
    'http://127.0.0.1:1/',
    'https://127.0.0.1/',
    'https://[::1]/',
    'https://localhost/',
    'https://10.0.0.1/',
    'https://192.168.1.1/',
    'https://169.254.169.254/latest/meta-data',
    'https://[fd00::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://0x7f000001/',
    'https://2130706433/',
    'http://8.8.8.8/',
    'file:///etc/passwd',
    'data:text/plain,x',
    'no address',
    '',
  ])('%s may not, unless it was allowed', async url => {
    await expect(openGuardedFetch([])(url)).rejects.toThrow(Forbidden)
  })

  it('nothing reaches a server of this machine that was not allowed, by whatever name', async () => {
    const before = foreign.asked.length
    for (const name of ['127.0.0.1', 'localhost', '127.1', '[::ffff:7f00:1]'])
      await expect(openGuardedFetch(['10.0.0.0/8'])(foreign.url.replace('127.0.0.1', name))).rejects.toThrow(Forbidden)
    expect(foreign.asked).toHaveLength(before)
  })
})

describe('what was allowed', () => {
  const fetch = openGuardedFetch(['127.0.0.1'])

  it('comes with its status and headers', async () => {
    const answer = await fetch(`${foreign.url}/json`)
    expect([answer.status, answer.headers.get('cache-control'), await answer.json()]).toEqual([
      200,
      'max-age=7',
      { keys: [] },
    ])
    expect((await fetch(`${foreign.url}/cookies`)).headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect((await fetch(`${foreign.url}/empty`)).status).toBe(204)
  })

  it('takes a form, as text or as URLSearchParams, and no compression', async () => {
    const headers = { authorization: 'Basic eDp5' }
    const body = new URLSearchParams({ a: 'b c' })
    const sent = { authorization: 'Basic eDp5', body: 'a=b+c', encoding: 'identity' }
    const form = await fetch(`${foreign.url}/form`, { method: 'POST', headers, body })
    expect(await form.json()).toMatchObject({ ...sent, type: 'application/x-www-form-urlencoded;charset=UTF-8' })
    expect(
      await (await fetch(`${foreign.url}/form`, { method: 'POST', headers, body: body.toString() })).json(),
    ).toMatchObject(sent)
  })

  it('is not followed to where it leads on', async () => {
    const answer = await fetch(`${foreign.url}/elsewhere`)
    expect([answer.status, await answer.text()]).toEqual([302, ''])
    expect(other.asked).toEqual([])
  })

  it('is whole, or does not come: too long, without end, cut off', async () => {
    expect((await (await fetch(`${foreign.url}/exact`)).text()).length).toBe(64 * 1024)
    for (const path of ['/large', '/endless', '/cut']) await expect(fetch(`${foreign.url}${path}`)).rejects.toThrow()
  })

  it('does not come where it takes too long: before the answer, and within it', async () => {
    const impatient = openGuardedFetch(['127.0.0.1'], { timeoutMs: 50 })
    for (const path of ['/silent', '/slow']) await expect(impatient(`${foreign.url}${path}`)).rejects.toThrow()
  })

  it('ends with whoever asked', async () => {
    const ending = new AbortController()
    const answer = fetch(`${foreign.url}/silent`, { signal: ending.signal })
    ending.abort()
    await expect(answer).rejects.toThrow()
  })
})
