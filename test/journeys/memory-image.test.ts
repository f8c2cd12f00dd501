import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { silentLog } from '#kernel'
import { openSqliteKeys } from '#store'
import { fileRoot } from '#vault'
import { unwrapCompartment } from '../../src/vault/compartment-rows.ts'
import { openInstance } from '../../src/vault/instance.ts'
import type { Client } from './server/client.ts'
import { type Home, newFolderHome, run } from './server/home.ts'
import { startHomeAt } from './server/started-home.ts'
import { until } from './server/waiting.ts'

/** Linux shows the memory of a process as a file, to whoever may debug it. */
const isShown = process.platform === 'linux'
if (!isShown) process.stderr.write('NOT RUN: nobody can look into the memory of a process here.\n')

/** A compartment's keys as bytes: its own and those made of it, by which entries and index rows are sealed. */
type Keys = readonly Buffer[]

/** By compartment, of all patients, from the keystore and its root. */
async function patientKeys(home: Home): Promise<ReadonlyMap<string, Keys>> {
  const keys = await openSqliteKeys({ path: join(home.keys, 'keystore.sqlite'), log: silentLog })
  try {
    const instance = await openInstance(keys, fileRoot(join(home.keys, 'root.key')), false)
    const rows = (await keys.all()).filter(({ kind }) => kind === 'patient')
    const bytesOf = (row: (typeof rows)[number]): Keys => {
      const versions = unwrapCompartment(instance.keys, row.owner, [row])
      const made = ['entries', 'segments', 'chain', 'fingerprint'].map(purpose =>
        versions.purposeKey(purpose, row.version),
      )
      return [...[...versions.entries()].map(([, key]) => key), ...made].map(key => key?.export() ?? Buffer.alloc(32))
    }
    return new Map(rows.map(row => [row.owner, bytesOf(row)]))
  } finally {
    await keys.close()
  }
}

const pieceBytes = 4 * 1024 * 1024

/** How often any of these bytes stand in the memory of a process. */
function inMemoryOf(pid: number, keys: Keys): number {
  const memory = openSync(`/proc/${pid}/mem`, 'r')
  const piece = Buffer.alloc(pieceBytes + 64)
  let found = 0
  for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
    const [, from = '', until = ''] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? []
    for (let at = Number.parseInt(from, 16); at < Number.parseInt(until, 16); at += pieceBytes) {
      const length = read(memory, piece, Math.min(piece.length, Number.parseInt(until, 16) - at), at)
      for (const key of keys) if (piece.subarray(0, length).includes(key)) found++
    }
  }
  closeSync(memory)
  return found
}

/** What the process has given back meanwhile cannot be read. */
function read(file: number, into: Buffer, length: number, position: number): number {
  try {
    return readSync(file, into, 0, length, position)
  } catch {
    return 0
  }
}

async function takeIn(client: Client, id: string): Promise<void> {
  await client.send({ method: 'PUT', path: `/fhir/Patient/${id}`, body: { resourceType: 'Patient', id } })
  const subject = { reference: `Patient/${id}` }
  const body = { resourceType: 'Observation', status: 'final', code: { text: 'pulse' }, subject }
  for (let at = 0; at < 5; at++) await client.send({ method: 'POST', path: '/fhir/Observation', body })
  expect((await client.send({ path: `/fhir/Observation?patient=${id}` })).status).toBe(200)
}

describe('the memory of a running server', () => {
  it('holds the keys of whom it serves, and soon none of a patient whom another process has erased', async () => {
    if (!isShown) return
    const { home, server, client, end } = await startHomeAt(await newFolderHome('memory'))
    await takeIn(client, 'anna')
    const [[anna, annas] = ['', []]] = await patientKeys(home)
    await takeIn(client, 'bert')
    const berts = [...(await patientKeys(home))].find(([compartment]) => compartment !== anna)?.[1] ?? []
    expect(inMemoryOf(server.pid, annas)).toBeGreaterThan(0)
    expect((await run(home, 'erase', '--patient', 'anna', '--yes')).status).toBe(0)
    expect((await client.send({ path: '/fhir/Patient/anna' })).status).toBe(410)
    await until(async () => {
      await sleep(500)
      return inMemoryOf(server.pid, annas) === 0
    })
    expect(inMemoryOf(server.pid, berts)).toBeGreaterThan(0)
    expect(await end()).toBe(0)
  })
})
