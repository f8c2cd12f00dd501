import { readFile, writeFile } from 'node:fs/promises'
import type { Bundle, OperationOutcome } from '@medplum/fhirtypes'
import { hostGrant } from '../../src/compose.ts'
import { randomFrom } from '../random.ts'
import { type Client, openClient } from './server/client.ts'
import { run } from './server/home.ts'
import { startServer } from './server/start-server.ts'
import {
  buildEstate,
  bytesOf,
  columnOf,
  dataFile,
  type Estate,
  keysFile,
  manyEntries,
  mark,
  type Person,
  tamper,
} from './tamper/estate.ts'
import { type Named, tamperings } from './tamper/tamperings.ts'

let estate: Estate

beforeAll(async () => {
  estate = await buildEstate()
})

beforeEach(() => estate.restore())

afterAll(() => estate.home.remove())

function namedIn(stdout: string): Named[] {
  const lines = stdout.split('\n').filter(line => line !== '')
  return lines.map(line => {
    const [kind = '', compartment = '-', seq = '-'] = line.split('\t')
    return { kind, ...(compartment === '-' ? {} : { compartment }), ...(seq === '-' ? {} : { seq: Number(seq) }) }
  })
}

/** What verify would name; without a process of its own, since that it prints all of it has been seen by then. */
async function namedBy(estate: Estate): Promise<Named[]> {
  const house = await estate.open()
  const named = await Array.fromAsync(house.record.verify(), ({ kind, compartment, seq }) => ({
    kind,
    ...(compartment === undefined ? {} : { compartment }),
    ...(seq === undefined ? {} : { seq }),
  }))
  await house.close()
  return named
}

/** All that was not touched is read, and something new can be written. */
async function expectWorking(client: Client, person: Person, touched: readonly string[]): Promise<void> {
  for (const reference of person.observations.filter(candidate => !touched.includes(candidate))) {
    const answer = await client.send({ path: `/fhir/${reference}` })
    expect({ reference, status: answer.status }).toEqual({ reference, status: 200 })
    expect(answer.body.toString()).toContain(mark)
  }
  const body = {
    resourceType: 'Observation',
    status: 'final',
    code: { text: mark },
    subject: { reference: `Patient/${person.patient}` },
  }
  const written = await client.send({ method: 'POST', path: '/fhir/Observation', body })
  expect(written.status).toBe(201)
}

describe('files that somebody has changed – nothing false is ever served, and verify names what was done', () => {
  it('begins with files in which nothing is wrong', async () => {
    expect(await run(estate.home, 'verify')).toMatchObject({ status: 0, stdout: '' })
  })

  it.each(tamperings)('$name', async ({ apply, broken, missing, silences = [] }) => {
    const named = apply(estate)
    const { status, stdout, stderr } = await run(estate.home, 'verify')
    expect(stdout + stderr).not.toContain(mark)
    const expected = named.map(finding => expect.objectContaining(finding))
    expect(namedIn(stdout)).toEqual(expect.arrayContaining(expected))
    expect(status).toBe(1)

    const server = await startServer(estate.home)
    const client = openClient(server.url, estate.token)
    const touched = [...(broken?.(estate) ?? []), ...(missing?.(estate) ?? [])]
    for (const reference of broken?.(estate) ?? []) {
      const answer = await client.send({ path: `/fhir/${reference}` })
      expect({ reference, status: answer.status }).toEqual({ reference, status: 500 })
      expect(answer.json<OperationOutcome>().resourceType).toBe('OperationOutcome')
      expect(answer.body.toString()).not.toContain(mark)
    }
    for (const reference of missing?.(estate) ?? [])
      expect((await client.send({ path: `/fhir/${reference}` })).status).toBe(404)
    for (const name of (['anna', 'bert'] as const).filter(candidate => !silences.includes(candidate)))
      await expectWorking(client, estate[name], touched)
    client.close()
    await server.stop()
    expect(server.output()).not.toContain(mark)
    // What was done is still named when the server has written on over it.
    expect(await namedBy(estate)).toEqual(expect.arrayContaining(expected))
  })

  it('answers no search that might miss something, and every search when only an index was lost', async () => {
    tamper(dataFile(estate.home), ['DELETE FROM segments'])
    const { id } = estate.rowOf(estate.anna.observations[0] ?? '', 3)
    const server = await startServer(estate.home)
    const client = openClient(server.url, estate.token)
    const search = { path: `/fhir/Observation?patient=${estate.anna.patient}&_summary=count` }
    const whole = await client.send(search)
    expect(whole.json<Bundle>().total).toBe(manyEntries + estate.anna.observations.length)
    client.close()
    await server.stop()
    // The server has sealed its index again, in which everything is: what is damaged shows where it must be made of the entries.
    const damage = 'UPDATE entries SET sealed = zeroblob(200) WHERE id = ?'
    tamper(dataFile(estate.home), ['DELETE FROM segments'], [damage, id])
    const damaged = await startServer(estate.home)
    const again = openClient(damaged.url, estate.token)
    const refused = await again.send(search)
    expect(refused.status).toBe(500)
    again.close()
    await damaged.stop()
    expect(damaged.output()).toContain('record.ledger-damaged')
  })
})

describe('a shredded patient – https://csrc.nist.gov/pubs/sp/800/88/r1/final, cryptographic erase', () => {
  it('stays shredded when an older keystore is put back', async () => {
    const reference = estate.anna.observations[0] ?? ''
    const old = await readFile(keysFile(estate.home))
    const house = await estate.open()
    await house.record.shred(estate.anna.patient)
    await house.close()
    expect(await run(estate.home, 'verify')).toMatchObject({ status: 0, stdout: '' })
    await writeFile(keysFile(estate.home), old)
    const server = await startServer(estate.home)
    const client = openClient(server.url, estate.token)
    for (const path of [reference, `Patient/${estate.anna.patient}`, `${reference}/_history/1`]) {
      const answer = await client.send({ path: `/fhir/${path}` })
      expect({ path, found: answer.status < 400 }).toEqual({ path, found: false })
      expect(answer.body.toString()).not.toContain(mark)
    }
    await expectWorking(client, estate.bert, [])
    client.close()
    await server.stop()
    // The data know that she was erased: the key that came back is destroyed again, and only the older keystore is amiss.
    const { compartment } = estate.anna
    expect(columnOf(keysFile(estate.home), 'SELECT count(*) FROM keys WHERE owner = ?', compartment)).toBe(0)
    expect(columnOf(keysFile(estate.home), 'SELECT count(*) FROM tombstones WHERE owner = ?', compartment)).toBe(1)
    expect((await run(estate.home, 'verify')).stdout).toMatch(/^keystore-changed\t-\t-\tThe keystore is older[^\n]*\n$/)
    expect(await run(estate.home, 'verify', '--accept-restore')).toMatchObject({ status: 0, stdout: '' })
  })
})

describe('a shredding that was cut short – https://csrc.nist.gov/pubs/sp/800/88/r1/final', () => {
  it('is finished at the next start, and stands in nobody else’s way', async () => {
    const house = await estate.open()
    await house.vault.destroy(estate.anna.compartment)
    await house.close()
    const server = await startServer(estate.home)
    const client = openClient(server.url, estate.token)
    const all = await client.send({ path: '/fhir/Patient' })
    expect(all.json<Bundle>().entry?.map(({ resource }) => resource?.id)).toEqual([estate.bert.patient])
    expect((await client.send({ path: `/fhir/${estate.anna.observations[0]}` })).status).toBe(404)
    client.close()
    await server.stop()
    expect(await run(estate.home, 'verify')).toMatchObject({ status: 0, stdout: '' })
  })
})

describe('every byte – XAES-256-GCM authenticates each of them', () => {
  it('opens an entry only when none of its bytes is flipped', async () => {
    const server = await startServer(estate.home)
    const client = openClient(server.url, estate.token)
    const reference = estate.anna.observations[0] ?? ''
    const { id } = estate.rowOf(reference, 3)
    const sealed = bytesOf(dataFile(estate.home), 'SELECT sealed FROM entries WHERE id = ?', id)
    for (let at = 0; at <= sealed.length; at++) {
      const flipped = Buffer.from(sealed)
      if (at < sealed.length) flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8))
      tamper(dataFile(estate.home), ['UPDATE entries SET sealed = ? WHERE id = ?', flipped, id])
      const answer = await client.send({ path: `/fhir/${reference}` })
      expect({ at, status: answer.status }).toEqual({ at, status: at < sealed.length ? 500 : 200 })
      if (at < sealed.length) expect(answer.body.toString()).not.toContain(mark)
    }
    client.close()
    await server.stop()
    expect(server.output()).not.toContain(mark)
  })

  const seed = Number(process.env.TAMPER_SEED ?? Date.now() % 1_000_000)

  it(`serves what was written or nothing, whichever bytes of the file are flipped (seed ${seed})`, async () => {
    const random = randomFrom(seed)
    const pristine = await readFile(dataFile(estate.home))
    const references = [...estate.anna.observations, ...estate.bert.observations]
    const truth = await readEach(references)
    expect(truth.every(text => text?.includes(mark))).toBe(true)
    let [harmed, whole] = [0, 0]
    for (let copy = 0; copy < 40; copy++) {
      const damaged = Buffer.from(pristine)
      // One flip in the first copy, one more in each: few leave most of it whole, many harm something everywhere.
      for (let flips = 0; flips <= copy; flips++) {
        const at = 100 + Math.floor(random() * (damaged.length - 100))
        damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8))
      }
      await writeFile(dataFile(estate.home), damaged)
      const found = await readEach(references)
      for (const [at, text] of found.entries()) expect([undefined, truth[at]]).toContain(text)
      whole += found.filter(text => text !== undefined).length
      harmed += found.filter(text => text === undefined).length
    }
    expect(harmed).toBeGreaterThan(0)
    expect(whole).toBeGreaterThan(0)
  })
})

/** What each reads as; undefined where it does not open. */
async function readEach(references: readonly string[]): Promise<(string | undefined)[]> {
  const house = await estate.open().catch(() => undefined)
  if (house === undefined) return references.map(() => undefined)
  const reader = house.record.reader(hostGrant())
  const texts = await Promise.all(
    references.map(async reference => {
      const [type = '', id = ''] = reference.split('/')
      const stored = await reader.read(type, id).catch(() => undefined)
      return stored?.json.toString()
    }),
  )
  await house.close().catch(() => undefined)
  return texts
}
