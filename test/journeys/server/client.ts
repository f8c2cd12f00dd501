/** Requests exactly as a test wants them: nothing is normalised, added or followed. */
import { Agent, request as httpRequest } from 'node:http'
import type { Bundle, BundleEntry } from '@medplum/fhirtypes'
import { longestOf, never } from './waiting.ts'

export interface Sent {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array | object
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  /** The body as JSON; `T` is what the test expects. */
  json<T>(): T
}

export interface Client {
  /** @throws when the connection ends before the whole answer has arrived, and when that takes too long */
  send(request: Sent): Promise<Answer>
  close(): void
}

/** A client with connections of its own that carries a token, unless a request brings its own `authorization`. */
export function openClient(url: string, token?: string): Client {
  const agent = new Agent({ keepAlive: true })
  const bearer: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return { send: sent => send(agent, url, bearer, sent), close: () => agent.destroy() }
}

function send(agent: Agent, url: string, bearer: Readonly<Record<string, string>>, sent: Sent): Promise<Answer> {
  const { method = 'GET', path, body } = sent
  const { hostname, port } = new URL(url)
  const bytes = body === undefined ? undefined : bytesOf(body)
  const json = bytes === undefined ? {} : { 'content-type': 'application/fhir+json' }
  const length = bytes === undefined ? {} : { 'content-length': String(bytes.length) }
  const headers = { ...bearer, ...json, ...length, ...sent.headers }
  const longestMs = longestOf(url)
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(never(`an answer to ${method} ${url}${path}`, longestMs))
      request.destroy()
    }, longestMs)
    const request = httpRequest({ agent, hostname, port, method, path, headers }, response => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const whole = Buffer.concat(chunks)
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers as Record<string, string>,
          body: whole,
          json: <T>() => JSON.parse(whole.toString('utf8')) as T,
        })
      })
    })
    request.on('error', reject)
    request.on('close', () => clearTimeout(timer))
    request.end(bytes)
  })
}

function bytesOf(body: string | Uint8Array | object): Buffer {
  if (typeof body === 'string') return Buffer.from(body)
  return body instanceof Uint8Array ? Buffer.from(body) : Buffer.from(JSON.stringify(body))
}

/** The entries on every page, from a first path on; links are followed by path, whatever port the server has now. */
export async function everyEntry(client: Client, path: string): Promise<BundleEntry[]> {
  const entries: BundleEntry[] = []
  for (let next: string | undefined = path; next !== undefined; ) {
    const answer = await client.send({ path: next })
    if (answer.status !== 200) throw new Error(`${next} answered ${answer.status}: ${answer.body}`)
    const bundle = answer.json<Bundle>()
    entries.push(...(bundle.entry ?? []))
    next = nextPath(bundle)
  }
  return entries
}

function nextPath(bundle: Bundle): string | undefined {
  const url = bundle.link?.find(link => link.relation === 'next')?.url
  if (url === undefined) return undefined
  const { pathname, search } = new URL(url)
  return `${pathname}${search}`
}
