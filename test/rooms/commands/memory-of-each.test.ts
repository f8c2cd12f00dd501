/** What one of several processes keeps in memory: its part of what all may. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Grant, parseScope, restrict, type Term } from '#access'
import { loadConfig } from '#config'
import { meters, silentLog } from '#kernel'
import { parseQuery } from '#search'
import { alone } from '../../../src/commands/workers/colleagues.ts'
import { memoryOfEach } from '../../../src/commands/workers/memory.ts'
import { openGround } from '../../../src/compose.ts'

const folder = mkdtempSync(join(tmpdir(), 'kinhold-memory-of-each-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const all: Grant = {
  id: 'tester',
  actor: { kind: 'client', id: 'tester' },
  patients: 'all',
  terms: [parseScope('system/*.cruds') as Term],
  expiresAtMs: 9e15,
}

const keysAtHand = () =>
  meters()
    .filter(({ name }) => name === 'kinhold_keys_at_hand')
    .flatMap(({ samples }) => samples().map(({ value }) => value))
    .reduce((sum, value) => sum + value, 0)

describe('what may be kept in memory', () => {
  it('is divided among the processes, and nobody is left without any', () => {
    const whole = memoryOfEach(1, 1_000)
    for (const processes of [1, 2, 3, 64, 100_000])
      for (const [name, part] of Object.entries(memoryOfEach(processes, 1_000))) {
        const of = whole[name as keyof typeof whole]
        expect([name, part]).toEqual([name, Math.ceil(of / processes)])
        expect(part).toBeGreaterThan(0)
      }
    expect(whole.openLedgers).toBe(16_384)
  })

  it('is so little for one of very many that two keys are at hand, and it works all the same', async () => {
    const [KINHOLD_DATA, KINHOLD_KEYS] = [join(folder, 'data'), join(folder, 'keys')]
    const { config } = loadConfig({ KINHOLD_DATA, KINHOLD_KEYS, KINHOLD_STORE: 'memory' }, { cwd: folder })
    const before = keysAtHand()
    const { record, close } = await openGround(config, {
      make: true,
      log: silentLog,
      colleagues: { ...alone, count: 8_192 },
    })
    for (let n = 0; n < 4; n++)
      await record.writer(all).transact(async txn => {
        for (let of = 0; of < 3; of++) {
          const patient = await txn.create({ resourceType: 'Patient', name: [{ family: `Amsel${n}` }] })
          const subject = { reference: `Patient/${patient.id}` }
          await txn.create({ resourceType: 'Observation', status: 'final', code: { text: 'pulse' }, subject })
        }
      })
    const query = (type: string, text: string) =>
      restrict(parseQuery(type, new URLSearchParams(text), { baseUrl: 'http://127.0.0.1/fhir' }), all)
    for (const [type, text, total] of [
      ['Patient', '_summary=count', 12],
      ['Observation', 'patient.name=Amsel3&_summary=count', 3],
    ] as const)
      expect((await record.reader(all).search(query(type, text))).total).toBe(total)
    await record.flush()
    expect(keysAtHand() - before).toBeLessThanOrEqual(2)
    expect(keysAtHand() - before).toBeGreaterThan(0)
    await close()
  })
})
