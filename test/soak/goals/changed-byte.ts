/** R3: one byte of a house's files is changed, in copy after copy; whatever is asked then is answered rightly, or refused. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serveHouse } from '../../../src/commands/serving.ts'
import { openHouse } from '../../../src/compose.ts'
import { loadConfig } from '../../../src/config.ts'
import { silentLog } from '../../../src/kernel/index.ts'
import { type Client, openClient } from '../../journeys/server/client.ts'
import { type Home, lastLine, newFolderHome } from '../../journeys/server/home.ts'
import { startServer } from '../../journeys/server/start-server.ts'
import { randomFrom } from '../../random.ts'
import { goal } from '../goal.ts'

const copies = 1_000
const patients = 3
const each = 24
const parts = [
  'data/kinhold.sqlite',
  'data/kinhold.sqlite-wal',
  'keys/keystore.sqlite',
  'keys/keystore.sqlite-wal',
] as const

/** What came of one question to a damaged house. */
export type Outcome = 'right' | 'refused' | 'absent' | 'false'

interface Estate {
  readonly home: Home
  readonly token: string
  readonly questions: readonly string[]
  /** Copies of the files as they lay when the server was killed, and as it left them when it was stopped. */
  readonly states: readonly { readonly name: string; readonly folder: string }[]
}

const observation = (patient: string, n: number) => ({
  resourceType: 'Observation',
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }], text: `Quillfeather ${n}` },
  subject: { reference: `Patient/${patient}` },
  effectiveDateTime: new Date(1.7e12 + n * 60_000).toISOString(),
  valueQuantity: { value: 60 + n, unit: '/min', system: 'http://unitsofmeasure.org', code: '/min' },
})

async function created(client: Client, body: { readonly resourceType: string }): Promise<string> {
  const answer = await client.send({ method: 'POST', path: `/fhir/${body.resourceType}`, body })
  if (answer.status !== 201) throw new Error(`${body.resourceType} answered ${answer.status}`)
  return answer.json<{ readonly id: string }>().id
}

/** @returns what can be asked of one person, whose every resource stands in one of the answers */
async function fill(client: Client): Promise<string[]> {
  const patient = await created(client, { resourceType: 'Patient' })
  const questions = [`Patient/${patient}`]
  for (let n = 0; n < each; n++) {
    const id = await created(client, observation(patient, n))
    const body = { ...observation(patient, n + 100), id }
    if (n % 3 === 0) await client.send({ method: 'PUT', path: `/fhir/Observation/${id}`, body })
    questions.push(`Observation/${id}`, `Observation/${id}/_history/1`)
  }
  const data = Buffer.alloc(150_000, 'Quillfeather').toString('base64')
  const securityContext = { reference: `Patient/${patient}` }
  const binary = { resourceType: 'Binary', contentType: 'application/octet-stream', securityContext, data }
  questions.push(`Binary/${await created(client, binary)}`)
  const about = `patient=${patient}`
  return [...questions, ...searches.map(search => search.replace('$', about)), `Patient/${patient}/_history`]
}

const searches = [
  'Observation?$&_summary=count',
  'Observation?$&_sort=date&_count=100',
  'Observation?$&value-quantity=gt70&_count=100',
]
const wide = ['Patient?_summary=count', 'Observation?code=8867-4&_summary=count']

async function build(): Promise<Estate> {
  const home = await newFolderHome('changed-byte')
  const server = await startServer(home)
  const token = await lastLine(home, 'token', '--scope', 'system/*.cruds', '--ttl', '30d')
  const client = openClient(server.url, token)
  const questions: string[] = [...wide]
  for (let n = 0; n < patients; n++) questions.push(...(await fill(client)))
  client.close()
  // By then what was written is noted beside the keys: a log of which the end is missing looks like a power cut before.
  await new Promise(resolve => setTimeout(resolve, 6_000))
  await server.kill()
  const killed = await keep(home, 'killed')
  const again = await startServer(home)
  await again.stop()
  return { home, token, questions, states: [killed, await keep(home, 'stopped')] }
}

async function keep(home: Home, name: string) {
  const folder = await mkdtemp(join(tmpdir(), `kinhold-${name}-`))
  for (const part of ['data', 'keys']) await cp(join(home.folder, part), join(folder, part), { recursive: true })
  return { name, folder }
}

/** What an answer says, one part each, without what tells of the moment: its time, the address and the seal of the next page. */
function partsOf(body: Buffer): string[] {
  if (body[0] !== 0x7b) return [body.toString()]
  const value = JSON.parse(body.toString()) as {
    resourceType?: string
    total?: number
    entry?: { resource?: object }[]
  }
  if (value.resourceType !== 'Bundle') return [body.toString()]
  const counted = Array.from({ length: value.total ?? 0 }, (_, n) => `of ${n + 1}`)
  return [...counted, ...(value.entry ?? []).map(({ resource }) => JSON.stringify(resource))]
}

interface Answered {
  readonly status: number
  readonly parts: readonly string[]
}

/** Every question's answer; undefined where the house does not open, and says why. */
async function askAll({ home, token, questions }: Estate): Promise<readonly Answered[] | undefined> {
  const config = loadConfig(home.env, { cwd: home.folder }).config
  const house = await openHouse(config, { log: silentLog }).catch(() => undefined)
  if (house === undefined) return undefined
  const serving = await serveHouse(house)
  const client = openClient(serving.url, token)
  const answers: Answered[] = []
  try {
    for (const question of questions) {
      const { status, body } = await client.send({ path: `/fhir/${question}` })
      answers.push({ status, parts: status < 300 ? partsOf(body) : [] })
    }
    return answers
  } finally {
    client.close()
    await serving.close().catch(() => undefined)
    await house.close().catch(() => undefined)
  }
}

/** A search that says what it could not look at is a refusal of that. */
const saysSo = (part: string) => part.startsWith('{"resourceType":"OperationOutcome"')

function outcomeOf({ status, parts }: Answered, truth: readonly string[]): Outcome {
  if (status === 404 || status === 410) return 'absent'
  if (status >= 300) return 'refused'
  const known = new Set(truth)
  const said = parts.filter(part => !saysSo(part))
  if (!said.every(part => known.has(part))) return 'false'
  if (said.length < parts.length) return 'refused'
  return parts.length === truth.length ? 'right' : 'absent'
}

async function putBack({ home }: Estate, folder: string): Promise<void> {
  for (const part of ['data', 'keys']) {
    await rm(join(home.folder, part), { recursive: true })
    await cp(join(folder, part), join(home.folder, part), { recursive: true })
  }
}

export interface Harm {
  readonly state: string
  readonly part: string
  readonly at: number
  readonly bit: number
  readonly question: string
  readonly outcome: Outcome
}

interface Found {
  readonly seed: number
  readonly copies: number
  readonly harmless: number
  readonly refused: number
  readonly unopened: number
  readonly harms: readonly Harm[]
}

async function damage(path: string, random: () => number): Promise<{ at: number; bit: number } | undefined> {
  const bytes = await readFile(path).catch(() => Buffer.alloc(0))
  if (bytes.length === 0) return undefined
  const [at, bit] = [Math.floor(random() * bytes.length), Math.floor(random() * 8)]
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
  await writeFile(path, bytes)
  return { at, bit }
}

async function attempt(share: number): Promise<Found> {
  const seed = Number(process.env.SOAK_SEED ?? Date.now() % 1_000_000)
  const random = randomFrom(seed)
  const estate = await build()
  const harms: Harm[] = []
  let [done, harmless, refused, unopened] = [0, 0, 0, 0]
  try {
    const truths = new Map<string, readonly Answered[]>()
    for (const { name, folder } of estate.states) {
      await putBack(estate, folder)
      const answers = await askAll(estate)
      if (answers?.every(({ status }) => status === 200) !== true) throw new Error(`the ${name} house is not whole`)
      truths.set(name, answers)
    }
    while (done < copies * share) {
      const state = estate.states[done % 2] as (typeof estate.states)[number]
      const part = parts[Math.floor(random() * parts.length)] ?? parts[0]
      await putBack(estate, state.folder)
      const where = await damage(join(estate.home.folder, part), random)
      if (where === undefined) continue
      done++
      const answers = await askAll(estate)
      const truth = truths.get(state.name) ?? []
      const outcomes = answers?.map((answer, at) => outcomeOf(answer, truth[at]?.parts ?? []))
      if (outcomes === undefined) unopened++
      else if (outcomes.every(outcome => outcome === 'right')) harmless++
      else refused++
      for (const [at, outcome] of outcomes?.entries() ?? [])
        if (outcome === 'absent' || outcome === 'false')
          harms.push({ state: state.name, part, ...where, question: estate.questions[at] ?? '', outcome })
    }
    return { seed, copies: done, harmless, refused, unopened, harms }
  } finally {
    for (const { folder } of estate.states) await rm(folder, { recursive: true })
    await estate.home.remove()
  }
}

const copiesOf = (harms: readonly Harm[], outcome: Outcome) =>
  new Set(
    harms.filter(harm => harm.outcome === outcome).map(({ state, part, at, bit }) => [state, part, at, bit].join()),
  ).size

export const changedByte = goal<Found>({
  name: 'R3',
  says: 'one changed byte in each of 1,000 copies: harmless, or refused; nothing false, and nothing told to be absent that is there',
  dataset: `${patients} patients with ${each} Observations and a Binary of 150 kB; databases and logs, killed and stopped by turns`,
  try: ({ share }) => attempt(share),
  judge({ seed, copies: tried, harmless, refused, unopened, harms }) {
    if (process.env.SOAK_HARMS) for (const harm of harms) process.stderr.write(`${JSON.stringify(harm)}\n`)
    return [
      {
        what: 'copies',
        figure: `${tried}: ${harmless} harmless, ${refused} with refusals, ${unopened} not opened (seed ${seed})`,
      },
      { what: 'false answers', figure: `in ${copiesOf(harms, 'false')} copies`, met: copiesOf(harms, 'false') === 0 },
      {
        what: 'told to be absent',
        figure: `in ${copiesOf(harms, 'absent')} copies`,
        met: copiesOf(harms, 'absent') === 0,
      },
    ]
  },
})
