import request from 'supertest'
import { openWebHouse, type WebHouse } from './web-house.ts'

let house: WebHouse
beforeAll(async () => {
  house = await openWebHouse({ baseUrl: 'https://health.example.org' })
  const app = { redirect_uris: ['https://spa.example/cb'], token_endpoint_auth_method: 'none' }
  await house.smart.registerClient(app)
})
afterAll(() => house.close())

const http = () => request(house.app)
const nobody = ['null', 'https://evil.example', 'https://spa.example.evil.example', 'http://spa.example']
const preflight = (path: string, origin: string, method = 'POST') =>
  http().options(path).set('Origin', origin).set('Access-Control-Request-Method', method)

describe('SMART 2.2 §1A pages of other origins beside FHIR – https://hl7.org/fhir/smart-app-launch/app-launch.html', () => {
  it('7: may read public documents, whatever their origin', async () => {
    for (const path of ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server', '/auth/jwks']) {
      const open = await http().get(path).set('Origin', 'https://any.example').expect(200)
      expect(open.headers).toMatchObject({ 'access-control-allow-origin': 'https://any.example' })
      expect(open.headers.vary).toContain('Origin')
      expect(open.headers).not.toHaveProperty('access-control-allow-credentials')
      const opaque = await http().get(path).set('Origin', 'null').expect(200)
      expect(opaque.headers).not.toHaveProperty('access-control-allow-origin')
    }
  })

  it('7, A57: may call the token endpoint when they are a registered app’s, with the credentials its library sends', async () => {
    expect(await house.smart.allowsOrigin('https://spa.example')).toBe(true)
    const asked = await preflight('/auth/token', 'https://spa.example').expect(204)
    expect(asked.headers).toMatchObject({
      'access-control-allow-origin': 'https://spa.example',
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': expect.stringContaining('Authorization'),
    })
    const post = await http().post('/auth/token').set('Origin', 'https://spa.example').type('form').send({}).expect(400)
    expect(post.headers['access-control-allow-origin']).toBe('https://spa.example')
  })

  it.each(nobody)('A57: %s may not, and an answer varies by origin all the same', async origin => {
    const asked = await preflight('/auth/token', origin).expect(204)
    expect(asked.headers).not.toHaveProperty('access-control-allow-origin')
    const sent = await http().post('/auth/token').set('Origin', origin).type('form').send({})
    expect(sent.headers).not.toHaveProperty('access-control-allow-origin')
    expect(sent.headers.vary).toContain('Origin')
  })

  it('never read what people see or the administrator asks, not even a registered app’s', async () => {
    for (const path of ['/auth/login', '/account', '/claim', '/auth/clients', '/']) {
      const { headers } = await http().get(path).set('Origin', 'https://spa.example')
      expect(headers).not.toHaveProperty('access-control-allow-origin')
    }
  })
})

describe('viewers of links, which are pages of any origin', () => {
  it('may read every answer, faults included, and none is kept by a cache', async () => {
    const answers = [
      await http().post('/share/nothing').set('Origin', 'https://viewer.example').send({ recipient: 'x' }),
      await http().post('/share/nothing').set('Origin', 'https://viewer.example').send({}),
      await http().get('/share/nothing/files/x').set('Origin', 'https://viewer.example'),
      await http().get('/share').set('Origin', 'https://viewer.example'),
    ]
    expect(answers.map(({ status }) => status)).toEqual([404, 400, 404, 401])
    for (const { headers } of answers) {
      expect(headers).toMatchObject({
        'access-control-allow-origin': 'https://viewer.example',
        'access-control-expose-headers': expect.stringContaining('Retry-After'),
        'cache-control': 'no-store',
      })
      expect(headers).not.toHaveProperty('access-control-allow-credentials')
    }
  })

  it('learn from a preflight how to ask, and not whether the link exists', async () => {
    const asked = await preflight('/share/nothing', 'https://viewer.example').expect(204)
    expect(asked.headers['access-control-allow-methods']).toBe('POST,GET')
    expect(asked.headers['access-control-allow-headers']).toContain('Content-Type')
  })
})
