/** A server with a long record, those who attack it, and somebody else who reads meanwhile. */
import { readFile } from 'node:fs/promises'
import { type Client, openClient } from '../server/client.ts'
import { type Home, lastLine, newHome } from '../server/home.ts'
import { startServer } from '../server/start-server.ts'
import type { Drawn, Scene } from './draws.ts'

export interface Stage {
  readonly scene: Scene
  /** Sends what was drawn; undefined when the connection was ended instead of an answer. */
  attack(drawn: Drawn): Promise<number | undefined>
  /** Reads, as another client, until told to stop. */
  watch(until: Promise<unknown>): Promise<Watched>
  close(): Promise<void>
}

/** How long another client's reads took, in ms, and the most memory that the server had meanwhile. */
export interface Watched {
  readonly reads: number
  readonly p99: number
  readonly longest: number
  readonly mostMb: number
}

/** @param observations  of one patient; each has a text of its own */
export async function setStage(observations: number, at?: Home): Promise<Stage> {
  const home = at ?? (await newHome('hostile'))
  const server = await startServer(home)
  const patient = await lastLine(home, 'patient', 'create')
  const foreign = await lastLine(home, 'patient', 'create')
  const clientFor = async (who: string, scope: string) =>
    openClient(server.url, await lastLine(home, 'token', '--patient', who, '--scope', scope))
  const clients: Record<Drawn['as'], Client> = {
    reader: await clientFor(patient, 'patient/*.rs'),
    writer: await clientFor(patient, 'patient/*.cruds'),
    nobody: openClient(server.url),
  }
  const other = await clientFor(foreign, 'patient/*.cruds')
  const binary = await fill(clients.writer, patient, observations)
  const read = await createdPath(other, observation(foreign, 0))

  async function readOnce(): Promise<number> {
    const startedMs = performance.now()
    const { status } = await other.send({ path: read })
    if (status !== 200) throw new Error(`a read was answered ${status}`)
    return performance.now() - startedMs
  }

  /** One read after the other. */
  async function waitsUntil(over: { readonly yet: boolean }): Promise<readonly number[]> {
    const waits: number[] = []
    while (!over.yet) waits.push(await readOnce())
    return waits
  }

  return {
    scene: { patient, binary },
    attack: async ({ name: _, as, ...sent }) => (await clients[as].send(sent).catch(() => undefined))?.status,
    watch: async until => {
      const over = { yet: false }
      void until.finally(() => {
        over.yet = true
      })
      const [waits, mostMb] = await Promise.all([waitsUntil(over), mostResidentMb(server.pid, over)])
      const sorted = waits.toSorted((a, b) => a - b)
      const p99 = sorted[Math.floor(sorted.length * 0.99)] ?? 0
      return { reads: waits.length, p99, longest: sorted.at(-1) ?? 0, mostMb }
    },
    close: async () => {
      for (const client of [...Object.values(clients), other]) client.close()
      await server.stop()
      await home.remove()
    },
  }
}

function observation(who: string, at: number): object {
  return {
    resourceType: 'Observation',
    status: 'final',
    code: { text: `Reading no ${at % 7000} of a row` },
    subject: { reference: `Patient/${who}` },
    effectiveDateTime: `20${10 + (at % 15)}-0${1 + (at % 9)}-11`,
    valueString: `Nothing of note was heard at place ${at} on the round`,
  }
}

/** A long record: many texts of which no two are the same, and an attachment. @returns the attachment's id */
async function fill(writer: Client, patient: string, observations: number): Promise<string> {
  const lines = Array.from({ length: observations }, (_, at) => JSON.stringify(observation(patient, at)))
  const path = `/fhir/Patient/${patient}/$ingest`
  const headers = { 'content-type': 'application/octet-stream' }
  const { status } = await writer.send({ method: 'POST', path, headers, body: `${lines.join('\n')}\n` })
  if (status !== 200) throw new Error(`the import was answered ${status}`)
  const data = Buffer.alloc(4_000_000, 'kinhold').toString('base64')
  const securityContext = { reference: `Patient/${patient}` }
  const made = await createdPath(writer, { resourceType: 'Binary', contentType: 'image/png', securityContext, data })
  return made.split('/').at(-1) ?? ''
}

async function createdPath(client: Client, resource: object): Promise<string> {
  const { resourceType } = resource as { readonly resourceType: string }
  const made = await client.send({ method: 'POST', path: `/fhir/${resourceType}`, body: resource })
  if (made.status !== 201) throw new Error(`a create was answered ${made.status}`)
  return new URL(made.headers.location ?? '').pathname.replace(/\/_history.*/, '')
}

async function mostResidentMb(pid: number, over: { readonly yet: boolean }): Promise<number> {
  let most = 0
  while (!over.yet) {
    most = Math.max(most, await residentMb(pid))
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  return most
}

async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024
}
