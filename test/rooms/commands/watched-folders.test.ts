/** What becomes of files in a watched folder while something else happens; the server is any that answers so. */
import { appendFile, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { watchFolder } from '../../../src/commands/watch/folder.ts'

type Answer = (request: IncomingMessage, response: ServerResponse) => unknown

let home: string
let server: Server
let answer: Answer
let bodies: string[]
let folder: string

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'kinhold-watched-'))
  server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      if (request.method === 'POST') bodies.push(Buffer.concat(chunks).toString('utf8'))
      void answer(request, response)
    })
  })
  await new Promise<void>(listening => server.listen(0, '127.0.0.1', listening))
})
afterAll(async () => {
  await new Promise(closed => server.close(closed))
  await rm(home, { recursive: true })
})
beforeEach(async () => {
  folder = await mkdtemp(join(home, 'in-'))
  bodies = []
  answer = (_, response) => response.writeHead(200, { 'content-type': 'x-application/hl7-v2+er7' }).end('MSA|AA\r')
})

const at = (...names: readonly string[]) => join(folder, ...names)
const namesIn = async (...names: readonly string[]) => (await readdir(at(...names))).sort()

function watch(patient?: string, until?: AbortSignal): Promise<void> {
  const { port } = server.address() as AddressInfo
  const hand = {
    server: new URL(`http://127.0.0.1:${port}`),
    token: () => Promise.resolve('x'),
    signal: until ?? new AbortController().signal,
  }
  const whom = patient === undefined ? {} : { patient }
  return watchFolder({
    folder,
    ...whom,
    hand,
    everyMs: 1,
    once: until === undefined,
    became: () => undefined,
    log: () => undefined,
  })
}

describe('a file that somebody still writes', () => {
  it('while it is handed on is handed on again, as a whole', async () => {
    const usual = answer
    answer = async (request, response) => {
      if (bodies.length === 1) await appendFile(at('taking', 'a.hl7'), 'second')
      await usual(request, response)
    }
    await writeFile(at('a.hl7'), 'first ')
    await watch()
    expect(await namesIn('taking')).toEqual(['a.hl7'])
    await watch()
    expect(bodies).toEqual(['first ', 'first second'])
    expect(await namesIn('done')).toEqual(['a.hl7', 'a.hl7.report.hl7'])
  })
})

describe('two processes on one folder', () => {
  it('lose nothing of two files of one name: one that is being taken stays until it was', async () => {
    const usual = answer
    answer = async (request, response) => {
      // The other process takes a file while this one hands on the one before.
      if (bodies.length === 1) {
        await writeFile(at('b.hl7'), 'other')
        await rename(at('b.hl7'), at('taking', 'b.hl7'))
        await writeFile(at('b.hl7'), 'mine')
      }
      await usual(request, response)
    }
    await writeFile(at('a.hl7'), 'a')
    await writeFile(at('b.hl7'), 'mine')
    await watch()
    await watch()
    expect(bodies.toSorted()).toEqual(['a', 'mine', 'other'])
    expect(await namesIn('taking')).toEqual([])
  })

  it('leave no report of a file that the other one has moved', async () => {
    const usual = answer
    answer = async (request, response) => {
      await rm(at('taking', 'a.hl7'))
      await usual(request, response)
    }
    await writeFile(at('a.hl7'), 'a')
    await watch()
    expect(await namesIn('done')).toEqual([])
  })
})

describe('an import that is cut off', () => {
  const begun: Answer = (request, response) => {
    const base = `http://${request.headers.host}`
    response.writeHead(202, { 'content-location': `${base}/fhir/$job/1` }).end()
  }
  const outcome = (code: string) => JSON.stringify({ resourceType: 'OperationOutcome', issue: [{ code }] })

  const report = (type: string) => {
    const part = [
      { name: 'code', valueCode: 'storage.full' },
      { name: 'type', valueCode: type },
    ]
    return JSON.stringify({ resourceType: 'Parameters', parameter: [{ name: 'problem', part }] })
  }

  it.each([
    ['by a restart of the server', 422, outcome('transient')],
    ['by a full disk', 422, report('no-store')],
    ['by a busy store', 422, report('transient')],
    ['from whom it tells, by another token', 404, outcome('not-found')],
  ])('%s is begun again', async (_, status, body) => {
    const ended: Answer = (__, response) =>
      response.writeHead(bodies.length === 1 ? status : 200).end(bodies.length === 1 ? body : '{}')
    answer = (request, response) => (request.method === 'POST' ? begun : ended)(request, response)
    await writeFile(at('a.zip'), 'rows')
    await watch('p')
    expect([await namesIn('taking'), await namesIn('refused')]).toEqual([['a.zip'], []])
    await watch('p')
    expect(await namesIn('done')).toEqual(['a.zip', 'a.zip.report.json'])
  })

  it.each([outcome('invalid'), report('invalid'), '[]', '{"parameter":{}}', 'x'])(
    'is refused where it is the fault of the file: %s',
    async body => {
      answer = (request, response) =>
        request.method === 'POST' ? begun(request, response) : response.writeHead(422).end(body)
      await writeFile(at('a.zip'), 'rows')
      await watch('p')
      expect(await namesIn('refused')).toEqual(['a.zip', 'a.zip.report.json'])
    },
  )
})

describe('names and folders', () => {
  it.each(['x', 'ü', '𝒳'])('a name as long as may be is no hindrance: %s', async letter => {
    const name = `${letter.repeat(Math.floor(250 / Buffer.byteLength(letter)))}.hl7`
    await writeFile(at(name), 'long')
    await writeFile(at('a.hl7'), 'a')
    await watch()
    expect(bodies.toSorted()).toEqual(['a', 'long'])
    expect(await namesIn('done')).toHaveLength(4)
  })

  it('the oldest of many is the first', async () => {
    const names = Array.from({ length: 1200 }, (_, nth) => `${String((nth * 7919) % 1200).padStart(4, '0')}.hl7`)
    for (const name of names) await writeFile(at(name), name)
    // As old as each other they go by their names.
    for (const name of names) await utimes(at(name), 1000, 1000)
    await watch()
    expect(bodies).toEqual(names.toSorted())
  })

  it('what was taken away is made again', async () => {
    const usual = answer
    answer = async (request, response) => {
      if (bodies.length === 1) await rm(at('done'), { recursive: true })
      await usual(request, response)
    }
    await writeFile(at('a.hl7'), 'a')
    const stop = new AbortController()
    const watched = watch(undefined, stop.signal)
    while ((await readdir(at('done')).catch(() => [])).length < 2) await wait(5)
    stop.abort()
    await watched
    expect(await namesIn('done')).toEqual(['a.hl7', 'a.hl7.report.hl7'])
  })

  it.each(['taking', 'done', 'refused'])('nothing is put where "%s" leads by a link', async name => {
    await mkdir(at('elsewhere'))
    await symlink(at('elsewhere'), at(name))
    await writeFile(at('authorized_keys'), 'mine')
    await expect(watch()).rejects.toThrow(name)
    expect(await namesIn('elsewhere')).toEqual([])
    expect(await readFile(at('authorized_keys'), 'utf8')).toBe('mine')
  })
})
