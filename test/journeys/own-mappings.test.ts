import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Home, newHome, run } from './server/home.ts'
import { type StartedHome, startHomeAt } from './server/started-home.ts'
import { until } from './server/waiting.ts'

/** Mapping tables of one's own at a server that runs: what the sender of an event that is not taken is told stands in a table. */
const shipped = new URL('../../mappings/hl7v2/messages.json', import.meta.url)
const message = 'MSH|^~\\&|REG|HOSP|K|H|20240310080000+0000||ADT^A29|A1|P|2.5.1\rPID|1||4711^^^HOSP^MR||Sample^Ann\r'

let started: StartedHome
let home: Home
let folder: string

beforeAll(async () => {
  const plain = await newHome('own-mappings', 'warn')
  folder = join(plain.folder, 'own')
  home = { ...plain, env: { ...plain.env, KINHOLD_MAPPINGS: folder } }
  await say('First word.')
  started = await startHomeAt(home)
})
afterAll(() => started.end())

async function say(words: string): Promise<void> {
  const path = join(folder, 'hl7v2/messages.json')
  await mkdir(dirname(path), { recursive: true })
  const text = (await readFile(shipped, 'utf8')).replace(
    '"why": "Nobody is deleted by a message',
    () => `"why": "${words}`,
  )
  await writeFile(`${path}.new`, text)
  await rename(`${path}.new`, path)
}

async function told(): Promise<string> {
  const headers = { 'content-type': 'x-application/hl7-v2+er7', authorization: `Bearer ${started.token}` }
  const answer = await fetch(new URL('/hl7v2', started.server.url), { method: 'POST', body: message, headers })
  return answer.text()
}

/** Resolves when what a sender is told has these words. */
async function untilTold(words: string): Promise<void> {
  await until(async () => (await told()).includes(words))
}

it('are used, seen when they change, and left when they are taken away', async () => {
  expect(await told()).toContain('First word.')
  await say('Second word.')
  await untilTold('Second word.')
  await rm(join(folder, 'hl7v2'), { recursive: true })
  await untilTold('Nobody is deleted by a message')
})

it('are not used while something is wrong in them, and the command says what', async () => {
  await say('Third word.", "whyever": "Secret')
  await until(async () => {
    await told()
    return started.server.output().includes('ingest.mapping-refused')
  })
  expect(await told()).toContain('Nobody is deleted by a message')
  expect(started.server.output()).not.toContain('Secret')
  const { status, stdout, stderr } = await run(home, 'mapping', 'check')
  expect([status, stdout, stderr]).toEqual([
    1,
    expect.stringMatching(/^hl7v2\/messages\.json:\d+ \/refused\/0\/whyever There is no "whyever" here; .+\n$/),
    expect.stringMatching(/^31 tables, 1 of them from the folder, \d+ rows: 1 wrong\.\n$/),
  ])
  await say('Fourth word.')
  await untilTold('Fourth word.')
})
