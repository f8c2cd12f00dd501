/** Traces by OpenTelemetry, received as a collector would: https://opentelemetry.io/docs/specs/otlp/#otlphttp */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { openClient } from './server/client.ts'
import { type Home, lastLine, newHome } from './server/home.ts'
import { startServer } from './server/start-server.ts'

interface Span {
  readonly name: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, string | number>> }[]
}

interface Sent {
  readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: readonly Span[] }[] }[]
}

const received: Sent[] = []
let collector: Server
let home: Home

beforeAll(async () => {
  collector = createServer(async (request, response) => {
    received.push((await json(request)) as Sent)
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
  collector.listen(0, '127.0.0.1')
  await once(collector, 'listening')
  const { port } = collector.address() as AddressInfo
  const plain = await newHome('traces')
  home = { ...plain, env: { ...plain.env, OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` } }
})

afterAll(async () => {
  collector.closeAllConnections()
  collector.close()
  await home.remove()
})

describe('a server whose traces go to a collector', () => {
  const marks = ['Zqfamily', 'zq-chosen-id', 'zq-nowhere', 'ZQINVENTED', 'zqvalue', 'zq-token']
  let spans: readonly Span[]
  const attributesOf = ({ attributes }: Span) =>
    Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))

  beforeAll(async () => {
    const server = await startServer(home)
    const client = openClient(server.url, await lastLine(home, 'token', '--scope', 'system/*.cruds'))
    const [family = '', id = '', nowhere = '', method = '', value = '', token = ''] = marks
    const patient = { resourceType: 'Patient', id, name: [{ family }] }
    await client.send({ method: 'PUT', path: `/fhir/Patient/${id}`, body: patient })
    await client.send({ path: `/fhir/Patient/${id}` })
    await client.send({ path: `/fhir/Patient?family=${value}` })
    await client.send({ path: `/fhir/Patient/${nowhere}` })
    await client.send({ path: `/fhir/Patient/${id}`, headers: { authorization: `Bearer ${token}` } })
    await client.send({ method, path: '/fhir/Patient' }).catch(() => undefined)
    client.close()
    // What waits to be sent is sent before it ends.
    expect(await server.stop()).toBe(0)
    spans = received.flatMap(({ resourceSpans }) =>
      resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(scope => scope.spans)),
    )
  })

  it('tells of each request by pattern, method and status', () => {
    const requests = spans.filter(({ name }) => name === 'http.request').map(attributesOf)
    expect(requests).toContainEqual(
      expect.objectContaining({
        'http.route': '/:type/:id',
        'http.request.method': 'PUT',
        'http.response.status_code': 201,
      }),
    )
    expect(requests).toContainEqual(expect.objectContaining({ 'http.response.status_code': 404 }))
    expect(requests).toContainEqual(expect.objectContaining({ 'error.type': 'token.unknown' }))
  })

  it('shows what rooms did for it, as parts of it', () => {
    const parentOf = ({ parentSpanId }: Span) => spans.find(({ spanId }) => spanId === parentSpanId)
    const named = (name: string) => spans.filter(each => each.name === name)
    for (const name of ['smart.authenticate', 'interactions.perform'])
      expect(named(name).some(each => parentOf(each)?.name === 'http.request')).toBe(true)
    expect(named('store.commit').some(each => parentOf(each)?.name === 'interactions.perform')).toBe(true)
  })

  it('tells nothing of what was sent, and nothing of the one who sent it', () => {
    const text = JSON.stringify(received).toLowerCase()
    expect(spans.length).toBeGreaterThan(8)
    expect(marks.filter(mark => text.includes(mark.toLowerCase()))).toEqual([])
  })
})
