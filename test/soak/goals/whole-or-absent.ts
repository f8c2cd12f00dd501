/** R6: a transaction of a thousand entries, in which the server is killed at a time drawn at random. */
import { openClient } from '../../journeys/server/client.ts'
import { lastLine, newHome, run } from '../../journeys/server/home.ts'
import { startServer } from '../../journeys/server/start-server.ts'
import { randomFrom } from '../../random.ts'
import { goal } from '../goal.ts'

const kills = 100
const entries = 1_000
const tagSystem = 'urn:kinhold:soak'

interface Found {
  readonly seed: number
  readonly kills: number
  readonly whole: number
  readonly absent: number
  readonly half: number
  readonly lost: number
  readonly verified: boolean
}

const transaction = (patient: string, tag: string) => ({
  resourceType: 'Bundle',
  type: 'transaction',
  entry: Array.from({ length: entries }, (_, n) => ({
    resource: {
      resourceType: 'Observation',
      meta: { tag: [{ system: tagSystem, code: tag }] },
      status: 'final',
      code: { text: `${n}` },
      subject: { reference: `Patient/${patient}` },
    },
    request: { method: 'POST', url: 'Observation' },
  })),
})

async function attempt(share: number): Promise<Found> {
  const seed = Number(process.env.SOAK_SEED ?? Date.now() % 1_000_000)
  const random = randomFrom(seed)
  const home = await newHome('whole')
  const found = { whole: 0, absent: 0, half: 0, lost: 0 }
  let server = await startServer(home)
  const token = await lastLine(home, 'token', '--scope', 'system/*.cruds', '--ttl', '30d')
  const patient = await lastLine(home, 'patient', 'create')
  const send = async (tag: string) => {
    const client = openClient(server.url, token)
    const sent = { method: 'POST', path: '/fhir', body: transaction(patient, tag) }
    const status = await client.send(sent).then(
      answer => answer.status,
      () => undefined,
    )
    client.close()
    return status
  }
  // Once to be warm, once to know how long it takes.
  await send('warm')
  const startedMs = performance.now()
  await send('timed')
  let takesMs = performance.now() - startedMs
  const times = Math.ceil(kills * share)
  try {
    for (let n = 0; n < times; n++) {
      const beganMs = performance.now()
      const answered = send(`${n}`)
      await new Promise(resolve => setTimeout(resolve, random() * takesMs * 1.2))
      await server.kill()
      const status = await answered
      if (status === 200) takesMs = Math.max(50, (takesMs + performance.now() - beganMs) / 2)
      server = await startServer(home)
      const client = openClient(server.url, token)
      const path = `/fhir/Observation?patient=${patient}&_tag=${tagSystem}|${n}&_summary=count`
      const { total } = (await client.send({ path })).json<{ readonly total: number }>()
      client.close()
      found[total === entries ? 'whole' : total === 0 ? 'absent' : 'half']++
      if (status === 200 && total !== entries) found.lost++
    }
    await server.stop()
    return { seed, kills: times, ...found, verified: (await run(home, 'verify')).status === 0 }
  } finally {
    await server.kill()
    await home.remove()
  }
}

export const wholeOrAbsent = goal<Found>({
  name: 'R6',
  says: 'a transaction of 1,000 entries is whole or absent, wherever its server is killed',
  dataset: 'one patient; each transaction with a tag of its own',
  try: ({ share }) => attempt(share),
  judge: ({ seed, kills: tried, whole, absent, half, lost, verified }) => [
    {
      what: 'kills',
      figure: `${tried}: ${whole} whole, ${absent} absent, ${half} half, ${lost} acknowledged and lost (seed ${seed})`,
      met: half + lost === 0,
    },
    { what: 'verify', figure: verified ? 'finds nothing' : 'finds something', met: verified },
  ],
})
