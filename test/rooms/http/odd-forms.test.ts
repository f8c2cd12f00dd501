import request from 'supertest'
import type { WebRoute } from '#web'
import { openWebHouse, type WebHouse } from './web-house.ts'

const words = 'correct horse battery staple 47'
const form = 'application/x-www-form-urlencoded'

let house: WebHouse
let cookie: string
let token: string
beforeAll(async () => {
  house = await openWebHouse({ baseUrl: 'https://health.example.org' })
  const [code = ''] = /(?<=code=).+/.exec((await house.smart.claimUrl()) ?? '') ?? []
  await posted('/auth/claim', form, new URLSearchParams({ csrf: 'x', code, name: 'anna', password: words }).toString())
  const page = await http().get(`/auth/claim?code=${code}`).set('Accept', 'text/html')
  const csrf = /name="csrf" value="([^"]+)"/.exec(page.text)?.[1] ?? ''
  const fields = { csrf, code, name: 'anna', password: words, again: words, repeat: words }
  const claimed = await posted('/auth/claim', form, new URLSearchParams(fields).toString(), page.headers['set-cookie'])
  cookie = [page.headers['set-cookie'], claimed.headers['set-cookie']]
    .flat()
    .flatMap(set => (set === undefined ? [] : [String(set).split(';')[0]]))
    .join('; ')
  token = await house.token('system/*.cruds')
})
afterAll(() => house.close())

const http = () => request(house.app)
const posted = (path: string, type: string, body: string | Buffer, cookies?: string | string[]) =>
  http()
    .post(path)
    .set('Accept', 'text/html')
    .set('Cookie', [cookies ?? cookie ?? []].flat())
    .set('Content-Type', type)
    .send(body)

/** What people, broken browsers and attackers fill in. */
const odd: readonly (readonly [name: string, value: string])[] = [
  ['an emoji', encodeURIComponent('\u{1f9e1}')],
  ['half an emoji', '%ED%A0%BD'],
  ['bytes of no encoding', '%FF%FE%00'],
  ['a percent sign that begins nothing', '%zz%'],
  ['right to left', encodeURIComponent('\u202e\u0645')],
  ['sixty thousand letters', 'x'.repeat(60_000)],
  ['a name of Object', '__proto__'],
  ['an object', '%7B%22a%22%3A%5B%5D%7D'],
  ['nothing', ''],
]

type Body = readonly [what: string, type: string, body: (fields: readonly string[]) => string | Buffer]
const bodies: readonly Body[] = [
  ...odd.map(
    ([what, value]): Body => [`${what} everywhere`, form, fields => fields.map(name => `${name}=${value}`).join('&')],
  ),
  ['each field twice', form, fields => fields.flatMap(name => [`${name}=a`, `${name}=b`]).join('&')],
  ['arrays', form, fields => fields.map(name => `${name}[]=a&${name}[x][y]=b&${name}%5B0%5D=c`).join('&')],
  ['fields of Object', form, () => '__proto__=1&constructor=2&hasOwnProperty=3'],
  ['a megabyte', form, fields => `${fields[0] ?? 'a'}=${'x'.repeat(1024 ** 2)}`],
  ['ten thousand fields', form, () => Array.from({ length: 10_000 }, (_, n) => `f${n}=1`).join('&')],
  [
    'JSON',
    'application/json',
    fields => JSON.stringify(Object.fromEntries(fields.map(name => [name, ['a', { b: null }]]))),
  ],
  ['JSON of nothing', 'application/json', () => 'null'],
  ['JSON of a list', 'application/json', () => '[[]]'],
  ['JSON that is none', 'application/json', () => '{"a":'],
  [
    'numbers in JSON',
    'application/json',
    fields => JSON.stringify(Object.fromEntries(fields.map(name => [name, 1e308]))),
  ],
  [
    'parts',
    'multipart/form-data; boundary=x',
    () => '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--',
  ],
  ['XML', 'application/xml', () => '<a/>'],
  [
    'another encoding',
    `${form}; charset=utf-16`,
    fields => Buffer.from(fields.map(name => `${name}=a`).join('&'), 'utf16le'),
  ],
  ['a type that is none', ';;;', () => 'a=b'],
  ['nothing', form, () => ''],
]

const postedRoutes = (): readonly WebRoute[] => house.smart.routes.filter(({ method }) => method === 'POST')

/** What each route answers to a body, with a session and without; what a person gets is a page. */
async function answersTo([, type, body]: Body) {
  const wrong: string[] = []
  for (const { path, form, answers } of postedRoutes()) {
    const content = body((form?.fields ?? []).map(name => name.replace('?', '')))
    for (const cookies of [cookie, 'sid=1']) {
      const { status, text, headers } = await posted(path, type, content, cookies)
      const isPage = answers !== 'text/html' || status === 303 || /text\/html/.test(headers['content-type'] ?? '')
      if (status >= 500 || status < 300 || !isPage || text === undefined) wrong.push(`${path}: ${status}`)
    }
  }
  return wrong
}

describe('forms that no page of ours sends', () => {
  it.each(bodies)('%s: are refused with words, and never a fault', async (...body) => {
    expect(await answersTo(body)).toEqual([])
    expect(house.lines.filter(line => line.includes('"error"'))).toEqual([])
  })

  it.each(bodies)('%s: nor at /share', async (_, type, body) => {
    for (const path of ['/share', '/share/abc', '/share/abc/revoke']) {
      const sent = http().post(path).set('Authorization', `Bearer ${token}`).set('Content-Type', type)
      const { status } = await sent.send(body(['recipient', 'passcode', 'label', 'query', 'exp', 'patient', 'flag']))
      expect([path, status >= 400 && status < 500]).toEqual([path, true])
    }
  })

  it.each(odd)('%s in the address', async (_, value) => {
    for (const { path, query = [] } of house.smart.routes.filter(({ method }) => method === 'GET')) {
      const asked = query.map(name => `${name.replace('?', '')}=${value.slice(0, 200)}`)
      for (const text of [asked.join('&'), [...asked, ...asked].join('&')]) {
        const { status } = await http().get(`${path}?${text}`).set('Accept', 'text/html').set('Cookie', cookie)
        expect([path, status < 500]).toEqual([path, true])
      }
    }
  })
})
