import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Progress } from '#ingest'
import { everything, openHouse } from './house.ts'

const resource = (n: number, rest: object = {}) => ({
  resourceType: 'Observation',
  id: `o${n}`,
  status: 'final',
  code: { text: 'x'.repeat(4000) },
  ...rest,
})
const many = Array.from({ length: 500 }, (_, n) => resource(n))
const bundle = (...more: readonly object[]) =>
  JSON.stringify({
    resourceType: 'Bundle',
    type: 'collection',
    entry: [...many, ...more].map(one => ({ resource: one })),
  })
const record = (n: number) =>
  `<Record type="HKQuantityTypeIdentifierStepCount" sourceName="W" unit="count" value="${n}" startDate="2026-02-03 08:15:30 +0100"><MetadataEntry key="a" value="${'x'.repeat(4000)}"/></Record>\n`

describe('the progress of an import moves as the file is read, and never back', () => {
  it.each<[string, string]>([
    ['a Bundle, which is read twice', bundle()],
    ['a Bundle with bytes, which is read three times', bundle({ resourceType: 'Binary', id: 'b', contentType: 'a/b' })],
    ['NDJSON', many.map(one => `${JSON.stringify(one)}\n`).join('')],
    ['an Apple export', `<HealthData>${many.map((_, n) => record(n)).join('')}</HealthData>`],
  ])('%s', async (_, text) => {
    const path = join(mkdtempSync(join(tmpdir(), 'kinhold-progress-')), 'file')
    writeFileSync(path, text)
    const { ingest, anna } = await openHouse()
    const seen: Progress[] = []
    await ingest.importFile({ grant: everything(), patient: anna, path, onProgress: told => seen.push(told) })
    const read = seen.map(({ bytesRead }) => bytesRead)
    expect(read).toEqual(read.toSorted((one, other) => one - other))
    expect(read.at(-1)).toBe(Buffer.byteLength(text))
    const steps = read.map((bytes, n) => bytes - (read[n - 1] ?? 0))
    expect(Math.max(...steps)).toBeLessThanOrEqual(256 * 1024)
    expect(seen.at(-1)?.rows).toBeGreaterThanOrEqual(500)
  })
})
