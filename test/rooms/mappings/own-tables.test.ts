import { mkdirSync } from 'node:fs'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Log, LogFields } from '#kernel'
import { readAppleExport } from '../../../src/ingest/apple/read-export.ts'
import { removalsOf } from '../../../src/ingest/hl7v2/resources/removals.ts'
import { refusalOf } from '../../../src/ingest/hl7v2/tables.ts'
import { openOwnTables } from '../../../src/ingest/mappings/own-tables.ts'
import { factsLike } from '../../../src/ingest/measures/like.ts'
import { ccdaContext } from '../ingest/ccda-documents.ts'

const mappings = new URL('../../../mappings/', import.meta.url)

let folder: string
let lines: string[]
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kinhold-own-mappings-'))
  lines = []
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const keep = (message: string, fields: LogFields = {}) => void lines.push(`${message} ${JSON.stringify(fields)}`)
const log: Log = { writesDebug: false, debug() {}, info() {}, warn: keep, error: keep }
const open = () => openOwnTables(folder, log, 0)

/** Puts a table into the folder, with some of it changed. */
async function put(name: string, right: string, wrong: string): Promise<void> {
  const text = await readFile(new URL(name, mappings), 'utf8')
  expect(text).toContain(right)
  mkdirSync(join(folder, name, '..'), { recursive: true })
  await writeFile(
    join(folder, name),
    text.replace(right, () => wrong),
  )
}

const why = () => refusalOf('ADT', 'A29')
const text = () => factsLike('apple-health HeartRate').text

it('take the places of those of the server, for the work that is done with them alone', async () => {
  await put('apple-health/quantity-types.json', '"text": "Heart rate"', '"text": "Pulse"')
  const within = open()
  expect(within(text)).toBe('Pulse')
  expect(text()).toBe('Heart rate')
  expect(within(why)).toMatch('Nobody is deleted')
  expect(lines).toEqual([])
})

const workout = `<HealthData><Workout workoutActivityType="HKWorkoutActivityTypeRunning" sourceName="x" startDate="2026-01-01 10:00:00 +0000" endDate="2026-01-01 11:00:00 +0000">
<WorkoutStatistics type="HKQuantityTypeIdentifierHeartRate" average="120" minimum="90" maximum="150" unit="count/min"/></Workout></HealthData>`

async function statistics(): Promise<string> {
  const context = ccdaContext()
  const open = async function* () {
    yield Buffer.from(workout)
  }
  return JSON.stringify(await Array.fromAsync(readAppleExport(open(), context, context.limits)))
}

it('are those of the work in what is worked out of them once, too', async () => {
  const deletes = () => removalsOf('PID', 'Patient').has('PID-29')
  const known = [deletes(), await statistics()]
  await put('apple-health/quantity-types.json', '"text": "Heart rate"', '"text": "Pulse"')
  await put(
    'hl7v2/segments.json',
    '"from": "PID-29", "to": "deceasedDateTime"',
    '"from": "PID-33", "to": "deceasedDateTime"',
  )
  const within = open()
  expect(lines).toEqual([])
  expect(known).toEqual([true, expect.stringContaining('Heart rate, average')])
  expect(within(deletes)).toBe(false)
  expect(await within(statistics)).toContain('Pulse, average')
  expect([deletes(), await statistics()]).toEqual(known)
})

it('are not taken where anything is wrong, and the log quotes nothing of them', async () => {
  await put(
    'apple-health/quantity-types.json',
    '"text": "Heart rate", "pghd": "heartRate", "loinc": ["8867-4"]',
    '"text": "Secret", "loinc": ["8867-5"]',
  )
  await put('hl7v2/messages.json', '"why": "Nobody is deleted', '"why": "No, nobody is deleted')
  await writeFile(join(folder, 'identity.json'), '{"secret": ')
  const within = open()
  expect(within(text)).toBe('Heart rate')
  expect(within(why)).toMatch(/^No, nobody/)
  expect(lines.sort()).toEqual([
    expect.stringContaining('apple-health/quantity-types.json: kinhold mapping check says why'),
    expect.stringContaining('identity.json: kinhold mapping check says why'),
  ])
  expect(lines.join().toLowerCase()).not.toMatch(/secret|8867/)
})

it('are not taken where a table of the server refers to what they lack', async () => {
  await put('apple-health/quantity-types.json', '"type": "RestingHeartRate"', '"type": "RestingPulse"')
  expect(open()(() => factsLike('apple-health RestingHeartRate').text)).toBe('Resting heart rate')
  expect(lines).toEqual([expect.stringContaining('apple-health/quantity-types.json')])
})

it('may refer to each other, and are not taken without each other', async () => {
  const name = 'google-fit com.acme.pulse'
  await put('fitbit/files.json', '"like": "google-fit com.google.heart_rate.bpm"', `"like": "${name}"`)
  const within = open()
  expect(() => within(() => factsLike(name))).toThrow('no mapping has the row')
  expect(lines).toEqual([expect.stringContaining('fitbit/files.json')])
  const row =
    '{"type": "com.acme.pulse", "text": "Pulse", "category": "exam", "value": {"field": 0, "ucum": "/min"}, "source": "fit"},'
  await put('google-fit/data-types.json', '"rows": [', `"rows": [${row}`)
  expect(within(() => factsLike(name)).text).toBe('Pulse')
  expect(lines).toHaveLength(1)
})

it('are seen when they change; what began keeps those it began with; what is wrong changes nothing', async () => {
  const within = open()
  const say = (words: string) => put('hl7v2/messages.json', '"why": "Nobody is deleted', `"why": "${words}`)
  let go = () => {}
  const until = new Promise<void>(resolve => {
    go = resolve
  })
  const begun = within(async () => {
    await until
    return why()
  })
  await say('One.')
  expect(within(why)).toMatch(/^One\./)
  await say('Two, and "more')
  expect(within(why)).toMatch(/^One\./)
  expect(lines).toEqual([expect.stringContaining('hl7v2/messages.json')])
  await say('Three.')
  expect(within(why)).toMatch(/^Three\./)
  await rm(join(folder, 'hl7v2'), { recursive: true })
  expect(within(why)).toMatch(/^Nobody/)
  go()
  expect(await begun).toMatch(/^Nobody/)
})

it('stay as they were while their folder is not there', async () => {
  await put('hl7v2/messages.json', '"why": "Nobody is deleted', '"why": "One.')
  const within = open()
  await rm(folder, { recursive: true })
  expect(within(why)).toMatch(/^One\./)
  expect(lines).toEqual([expect.stringContaining('ingest.mappings-unreadable')])
})

it('stay as they were where one of them, or their folder, cannot be looked at', async () => {
  await put('hl7v2/messages.json', '"why": "Nobody is deleted', '"why": "One.')
  await symlink('identity.json', join(folder, 'identity.json'))
  const within = open()
  expect(within(why)).toMatch(/^One\./)
  expect(lines).toEqual([expect.stringContaining('identity.json: kinhold mapping check says why')])
  await rm(folder, { recursive: true })
  await symlink(folder, folder)
  expect(within(why)).toMatch(/^One\./)
  expect(lines).toEqual([expect.anything(), expect.stringContaining('ingest.mappings-unreadable')])
})
