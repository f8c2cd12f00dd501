/** A house behind its real web face: the same requests over a socket, with a bearer token. */
import { createHash } from 'node:crypto'
import { Agent, type IncomingMessage, request } from 'node:http'
import type { Grant } from '#access'
import { createApp, listen } from '#http'
import { Problem, silentLog } from '#kernel'
import type { Answer, Ask, House } from './house.ts'

/** What differs from answer to answer, whatever is asked. */
const volatile: ReadonlySet<string> = new Set(['date', 'x-request-id', 'connection', 'keep-alive'])

/** The house, listening until it is closed. */
export async function withFace(house: House): Promise<House> {
  const grants = new Map<string, Grant>()
  const smart = {
    routes: [],
    configuration: () => ({}),
    allowsOrigin: async () => false,
    docsClientId: 'none',
    isClaimed: async () => true,
    authenticate: async (bearer: string) => {
      const grant = grants.get(bearer)
      if (grant === undefined) throw new Problem('unauthenticated', 'token.unknown', 'The token is not known here.')
      return grant
    },
  }
  const config = { baseUrl: 'http://127.0.0.1:8080' }
  const { port, close } = await listen(createApp({ rooms: house.rooms, smart, log: silentLog, config }), {
    host: '127.0.0.1',
    port: 0,
  })
  const agent = new Agent({ keepAlive: true })
  return {
    ...house,
    ask: async (grant, asked) => {
      const bearer = createHash('sha256').update(grant.id).digest('base64url')
      grants.set(bearer, grant)
      return send(asked, { port, agent, bearer })
    },
    close: async () => {
      agent.destroy()
      await close(0)
      await house.close()
    },
  }
}

interface Line {
  readonly port: number
  readonly agent: Agent
  readonly bearer: string
}

async function send({ method, url, headers, body = '' }: Ask, { port, agent, bearer }: Line): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const sent = request({
    host: '127.0.0.1',
    port,
    agent,
    method,
    path: url === '/hl7v2' ? url : `/fhir${url}`,
    headers: {
      'content-type': 'application/fhir+json',
      'content-length': Buffer.byteLength(body),
      ...headers,
      authorization: `Bearer ${bearer}`,
    },
  })
  sent.once('response', resolve).once('error', reject)
  sent.end(body)
  return toAnswer(await promise)
}

async function toAnswer(response: IncomingMessage): Promise<Answer> {
  const parts: Buffer[] = []
  for await (const part of response) parts.push(part)
  const kept = Object.entries(response.headers).filter(([name]) => !volatile.has(name))
  return {
    status: response.statusCode ?? 0,
    headers: Object.fromEntries(kept.map(([name, value]) => [name, String(value)])),
    body: Buffer.concat(parts).toString(),
  }
}
