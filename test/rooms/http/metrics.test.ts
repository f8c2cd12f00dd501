/** Figures for Prometheus: https://prometheus.io/docs/instrumenting/exposition_formats/ */
import { Agent, request as httpRequest } from 'node:http'
import { type HttpConfig, type Listening, listen } from '#http'
import { counter, gauge, meters } from '#kernel'
import { openWebHouse, type WebHouse } from './web-house.ts'

const origin = 'https://health.example.org'
const secret = 'figures-0123456789abcdef'
const agent = new Agent({ keepAlive: true })

interface Served {
  readonly house: WebHouse
  readonly listening: Listening
}

const opened: Served[] = []

async function serve(
  metrics?: { token?: string; loopback?: boolean },
  config: Partial<HttpConfig> = {},
): Promise<Served> {
  const house = await openWebHouse({ baseUrl: origin, ...config, ...(metrics === undefined ? {} : { metrics }) })
  const served = { house, listening: await listen(house.app, { host: '127.0.0.1', port: 0 }) }
  opened.push(served)
  return served
}

afterAll(async () => {
  agent.destroy()
  for (const { house, listening } of opened) {
    await listening.close(0)
    await house.close()
  }
})

interface Asked {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
}

function ask({ listening: { port } }: Served, path: string, asked: Asked = {}) {
  const { method = 'GET', headers = {}, body } = asked
  return new Promise<{ status: number; type: string; text: string }>((resolve, reject) => {
    const sent = httpRequest({ agent, host: '127.0.0.1', port, method, path, headers }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', piece => {
        text += piece
      })
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', text }),
      )
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const statusOf = async (served: Served, asked: Asked = {}) => (await ask(served, '/metrics', asked)).status

/** The value of a figure, by its name and labels as they are printed. */
function figureOf(text: string, series: string): number {
  const line = text.split('\n').find(each => each.startsWith(`${series} `))
  return line === undefined ? Number.NaN : Number(line.slice(series.length + 1))
}

describe('who may see figures', () => {
  it('is nobody, unless somebody was named: the path leads nowhere', async () => {
    const served = await serve()
    expect(await statusOf(served)).toBe(404)
    expect(await statusOf(served, { headers: bearer(secret) })).toBe(404)
    const unknown = await ask(served, '/metricz')
    expect((await ask(served, '/metrics')).text).toBe(unknown.text)
  })

  it('is whoever has their token', async () => {
    const served = await serve({ token: secret })
    expect(await statusOf(served, { headers: bearer(secret) })).toBe(200)
    for (const token of ['wrong', `${secret}x`, secret.slice(1), await served.house.token('system/*.cruds')])
      expect(await statusOf(served, { headers: bearer(token) })).toBe(401)
    for (const authorization of ['', `Basic ${secret}`, secret])
      expect(await statusOf(served, { headers: { authorization } })).toBe(401)
    const refused = await ask(served, '/metrics')
    expect(refused.status).toBe(401)
    expect(refused.text).toContain('metrics.token-missing')
    expect(refused.text).not.toContain('process_')
  })

  it('is a program on this machine, where that was said, but nobody who comes through a proxy or under another name', async () => {
    const served = await serve({ loopback: true })
    expect(await statusOf(served)).toBe(200)
    for (const host of ['localhost:1', '127.0.0.1', '[::1]:8080'])
      expect(await statusOf(served, { headers: { host } })).toBe(200)
    for (const host of ['health.example.org', 'rebound.example:8080', '127.0.0.1.example', 'localhost.example'])
      expect(await statusOf(served, { headers: { host } })).toBe(401)
    for (const name of ['X-Forwarded-For', 'Forwarded', 'X-Real-IP', 'Via', 'X-Forwarded-Host'])
      expect(await statusOf(served, { headers: { [name]: '127.0.0.1' } })).toBe(401)
    expect(await statusOf(served, { headers: { 'x-forwarded-for': '10.0.0.1', ...bearer(secret) } })).toBe(401)
  })

  it('is nobody who guesses for long', async () => {
    const served = await serve({ token: secret }, { limits: { strangers: { points: 8, seconds: 3600 } } })
    const statuses: number[] = []
    for (let n = 0; n < 12; n++) statuses.push(await statusOf(served, { headers: bearer(`guess-${n}`) }))
    expect(statuses[0]).toBe(401)
    expect(statuses.at(-1)).toBe(429)
    expect(await statusOf(served, { headers: bearer(secret) })).toBe(200)
  })

  it('can only read', async () => {
    const served = await serve({ token: secret })
    expect(await statusOf(served, { method: 'HEAD', headers: bearer(secret) })).toBe(200)
    for (const method of ['POST', 'PUT', 'DELETE'])
      expect(await statusOf(served, { method, headers: bearer(secret) })).toBe(405)
  })
})

describe('what figures say', () => {
  let served: Served
  let admin: Record<string, string>
  const figures = async () => (await ask(served, '/metrics', { headers: bearer(secret) })).text

  beforeAll(async () => {
    served = await serve({ token: secret })
    admin = { ...bearer(await served.house.token('system/*.cruds')), 'content-type': 'application/fhir+json' }
  })

  it('is in the format of Prometheus, each family described once', async () => {
    const { type, text } = await ask(served, '/metrics', { headers: bearer(secret) })
    expect(type).toBe('text/plain; version=0.0.4; charset=utf-8')
    const lines = text.split('\n').filter(line => line !== '')
    const label = '[a-zA-Z_]\\w*="(?:[^"\\\\\\n]|\\\\.)*"'
    const sample = new RegExp(`^[a-zA-Z_:][\\w:]*(\\{${label}(,${label})*\\})? (-?[\\d.]+(e[+-]?\\d+)?|[+-]Inf|Nan)$`)
    expect(lines.filter(line => !line.startsWith('#') && !sample.test(line))).toEqual([])
    const described = lines.filter(line => line.startsWith('# TYPE ')).map(line => line.split(' ')[2])
    expect(new Set(described).size).toBe(described.length)
    for (const name of ['process_resident_memory_bytes', 'nodejs_eventloop_lag_p99_seconds', 'kinhold_index_bytes'])
      expect(described).toContain(name)
  })

  it('is how many were answered, by pattern and status, and how long it took', async () => {
    const before = await figures()
    const series = 'kinhold_http_request_duration_seconds'
    const reads = `${series}_count{method="GET",route="/:type/:id",status="404"}`
    for (let n = 0; n < 3; n++) await ask(served, `/fhir/Patient/nobody-${n}`, { headers: admin })
    const after = await figures()
    expect(figureOf(after, reads) - (figureOf(before, reads) || 0)).toBe(3)
    const classes = after
      .split('\n')
      .filter(line => line.startsWith(`${series}_bucket{method="GET",route="/:type/:id",status="404",le=`))
      .map(line => Number(line.split(' ').at(-1)))
    expect(classes).toEqual(classes.toSorted((a, b) => a - b))
    expect(classes.at(-1)).toBe(figureOf(after, reads))
    expect(figureOf(after, reads.replace('_count', '_sum'))).toBeGreaterThan(0)
  })

  it('is what was refused, by the code of the Problem, wherever it was refused', async () => {
    const before = await figures()
    await ask(served, '/fhir/Patient/a')
    await ask(served, '/nowhere')
    await ask(served, '/fhir/x%ZZ')
    const after = await figures()
    for (const code of ['token.missing', 'request.path-unknown', 'request.malformed']) {
      const line = `kinhold_problems_total{code="${code}"}`
      expect(figureOf(after, line) - (figureOf(before, line) || 0)).toBe(1)
    }
  })

  it('is who waits, who goes on, and what is in memory', async () => {
    const text = await figures()
    for (const lane of ['reads', 'searches', 'writes', 'imports', 'messages', 'pages']) {
      expect(figureOf(text, `kinhold_queue_waiting{lane="${lane}"}`)).toBe(0)
      expect(figureOf(text, `kinhold_queue_running{lane="${lane}"}`)).toBe(0)
    }
    expect(figureOf(text, 'kinhold_connections')).toBeGreaterThan(0)
    expect(figureOf(text, 'kinhold_imports{state="working"}')).toBe(0)
    expect(figureOf(text, 'kinhold_ledgers_open')).toBeGreaterThan(0)
    expect(figureOf(text, 'kinhold_keys_at_hand')).toBeGreaterThan(0)
    expect(figureOf(text, 'kinhold_population_bytes')).toBeGreaterThanOrEqual(0)
    expect(figureOf(text, 'kinhold_population_bytes_max')).toBeGreaterThan(0)
    for (const name of ['slices', 'slices_opened_total', 'slices_forgotten_total'])
      expect(figureOf(text, `kinhold_population_${name}`)).toBeGreaterThanOrEqual(0)
  })

  it('is nothing of what was asked: no id, value, token, name or query, wherever it stood', async () => {
    const mark = () => `Zq${Math.random().toString(36).slice(2, 12)}`
    const marks: string[] = []
    const marked = () => {
      const made = mark()
      marks.push(made)
      return made
    }
    const patient = { resourceType: 'Patient', id: marked(), name: [{ family: marked() }] }
    await ask(served, `/fhir/Patient/${patient.id}`, { method: 'PUT', headers: admin, body: JSON.stringify(patient) })
    const asked: [path: string, Asked][] = [
      [`/fhir/Patient/${patient.id}`, { headers: admin }],
      [`/fhir/Patient/${marked()}`, { headers: admin }],
      [`/fhir/Patient?family=${marked()}&${marked()}=1`, { headers: admin }],
      [`/fhir/${marked()}/${marked()}`, { headers: admin }],
      [`/fhir/Patient/${patient.id}/${marked()}`, { headers: admin }],
      [`/fhir/Patient/$${marked()}`, { headers: admin }],
      ['/fhir/Patient', { method: 'POST', headers: admin, body: `{"resourceType":"${marked()}"}` }],
      ['/fhir/Patient', { method: marked().toUpperCase(), headers: admin }],
      ['/fhir/Patient', { headers: { ...bearer(marked()), [marked()]: marked() } }],
      [`/share/${marked()}`, { headers: { accept: marked() } }],
      [`/docs/${marked()}`, {}],
      [`/${marked()}?${marked()}`, { headers: { host: marked() } }],
      [`/auth/authorize?client_id=${marked()}&state=${marked()}`, {}],
      [`/metrics?${marked()}`, { headers: bearer(marked()) }],
      [`/METRICS/${marked()}`, {}],
      ['/hl7v2', { method: 'POST', headers: { ...admin, 'content-type': 'x-application/hl7-v2+er7' }, body: marked() }],
    ]
    for (const [path, each] of asked) await ask(served, path, each).catch(() => undefined)
    const text = (await figures()).toLowerCase()
    expect(marks.length).toBeGreaterThan(20)
    expect(marks.filter(each => text.includes(each.toLowerCase()))).toEqual([])
    expect(text).not.toContain(secret)
  })
})

describe('what rooms count', () => {
  it('is added up over all who have the same name and labels', () => {
    const one = { size: 2 }
    const other = { size: 3 }
    const about = { name: 'kinhold_test_things', help: 'Things', labels: { of: 'tests' } } as const
    gauge(one, about, each => each.size)
    gauge(other, about, each => each.size)
    const counting = counter('kinhold_test_events_total', 'Events')
    counting.add()
    counting.add(4)
    const samplesOf = (name: string) =>
      meters()
        .find(family => family.name === name)
        ?.samples()
    expect(samplesOf('kinhold_test_things')).toEqual([{ name: about.name, labels: about.labels, value: 5 }])
    expect(samplesOf('kinhold_test_events_total')).toEqual([
      { name: 'kinhold_test_events_total', labels: {}, value: 5 },
    ])
  })

  it('cannot have a label that was computed: that is an error of types', () => {
    type LabelFor<L extends string> = NonNullable<Parameters<typeof counter<{ readonly of: L }>>[2]>['of']
    const fits: [string] extends [LabelFor<string>] ? true : false = false
    const written: ['reads'] extends [LabelFor<'reads'>] ? true : false = true
    expect([fits, written]).toEqual([false, true])
  })
})
