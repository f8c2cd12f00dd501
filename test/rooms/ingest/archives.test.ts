import { mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import yauzl from 'yauzl'
import { ZipFile } from 'yazl'
import { newScratchSeal } from '#vault'
import { defaultLimits, type IngestLimits } from '../../../src/ingest/limits.ts'
import { openArchive } from '../../../src/ingest/source/archive.ts'
import { bufferSource, digestOf, headOf } from '../../../src/ingest/source/byte-source.ts'
import { openSpool } from '../../../src/ingest/source/spool.ts'
import { callsOf, growth, mostGrowth } from '../../computing.ts'
import { everything, ingested, openHouse, streamOf } from './house.ts'
import { type Packed, zipOfMany } from './zips.ts'

const xml =
  '<HealthData><Record type="HKQuantityTypeIdentifierStepCount" sourceName="W" unit="count" value="1" startDate="2026-02-03 08:15:30 +0100" endDate="2026-02-03 08:16:30 +0100"/></HealthData>'

async function zipOf(files: Readonly<Record<string, string | Buffer>>, compress = true): Promise<Buffer> {
  const zip = new ZipFile()
  for (const [name, content] of Object.entries(files)) zip.addBuffer(Buffer.from(content), name, { compress })
  zip.end()
  const chunks: Buffer[] = []
  for await (const chunk of zip.outputStream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** The archive with a name of the same length in place of another, as no writer of zips would make it. */
function renamed(zip: Buffer, from: string, to: string): Buffer {
  return Buffer.from(zip.toString('latin1').replaceAll(from, to), 'latin1')
}

const outcome = async (bytes: Buffer, limits = {}) => {
  const house = await openHouse(limits)
  return ingested(house, house.anna, everything(), bytes)
}

describe('archives – security A76', () => {
  it('keep of a file that was looked into its own bytes and nothing beside them', async () => {
    const zip = await zipOf(Object.fromEntries(Array.from({ length: 30 }, (_, at) => [`r/${at}.json`, `{"n":${at}}`])))
    for (const part of await openArchive(bufferSource(zip), defaultLimits)) {
      await part.head(512)
      for await (const chunk of part.open()) expect(chunk.buffer.byteLength).toBe(part.sizeBytes)
    }
  })

  it('are recognised by what is in them, whatever their names say', async () => {
    const zip = await zipOf({
      'apple_health_export/导出.xml': xml,
      'apple_health_export/export_cda.xml': '<ClinicalDocument/>',
      'a/route.tcx': '<tcx/>',
    })
    expect((await outcome(zip)).counts).toMatchObject({
      created: 2,
      unmapped: [{ row: 'file.xml' }, { row: 'file.tcx' }],
    })
  })

  it('do not open archives within', async () => {
    const inner = await zipOf({ 'export.xml': xml })
    await expect(outcome(await zipOf({ 'inner.zip': inner }))).rejects.toMatchObject({ code: 'ingest.format-unknown' })
    expect((await outcome(await zipOf({ 'export.xml': xml, 'inner.zip': inner }))).counts).toMatchObject({
      unmapped: [{ row: 'file.zip' }],
    })
  })

  it.each([
    ['above', 'xx/export.xml', '../export.xml'],
    ['absolute', 'xexport.xml', '/export.xml'],
    ['with a NUL', 'xexport.xml', '\0export.xml'],
  ])('with a name %s are refused', async (_, from, to) => {
    await expect(outcome(renamed(await zipOf({ [from]: xml }), from, to))).rejects.toMatchObject({
      code: 'ingest.zip-malformed',
    })
  })

  it('that are cut off or no zip at all are refused', async () => {
    const zip = await zipOf({ 'export.xml': xml })
    for (const bytes of [
      zip.subarray(0, zip.length - 30),
      zip.subarray(0, 40),
      Buffer.from('PK\x03\x04nothing of the kind'),
    ])
      await expect(outcome(bytes)).rejects.toMatchObject({ kind: 'invalid', code: 'ingest.zip-malformed' })
  })

  it('whose bytes were changed fail, and nothing of the batch is kept', async () => {
    const changed = (content: string) =>
      zipOf({ 'export.xml': content }, false).then(zip => renamed(zip, 'value="1"', 'value="2"'))
    await expect(outcome(await changed(xml))).rejects.toMatchObject({ code: 'ingest.zip-malformed' })
    const long = xml.replace('<HealthData>', `<HealthData>${' '.repeat(100_000)}`)
    expect(await outcome(await changed(long))).toMatchObject({
      state: 'failed',
      counts: { created: 0, problem: { code: 'ingest.zip-malformed' } },
    })
  })

  it('that unpack to too much are refused before they are unpacked', async () => {
    const bomb = await zipOf({
      'export.xml': Buffer.concat([Buffer.from('<HealthData>'), Buffer.alloc(20_000_000, 0x20)]),
    })
    expect(bomb.length).toBeLessThan(50_000)
    await expect(outcome(bomb)).rejects.toMatchObject({ kind: 'too-large', code: 'ingest.zip-bomb' })
    const large = await zipOf({ 'export.xml': `<HealthData>${' '.repeat(200_000)}</HealthData>` })
    await expect(outcome(large, { maxUnpacked: 100_000 })).rejects.toMatchObject({ code: 'ingest.zip-bomb' })
    const many = await zipOf(Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`${i}.txt`, ''])))
    await expect(outcome(many, { maxEntries: 10 })).rejects.toMatchObject({ code: 'ingest.zip-bomb' })
  })

  it('that lie about a size are found out', async () => {
    const zip = await zipOf({ 'export.xml': xml.repeat(50) })
    const directory = zip.lastIndexOf(Buffer.from('PK\x01\x02', 'latin1'))
    zip.writeUInt32LE(10, directory + 24)
    const [part] = await openArchive(bufferSource(zip), defaultLimits)
    const read = async () => {
      for await (const chunk of part?.open() ?? []) expect(chunk.length).toBeLessThan(100_000)
    }
    await expect(read()).rejects.toMatchObject({ code: 'ingest.zip-malformed' })
  })
})

describe('archives of many files', () => {
  const bundle = (id: string) =>
    Buffer.from(
      JSON.stringify({
        resourceType: 'Bundle',
        type: 'collection',
        entry: [{ resource: { resourceType: 'Observation', id, status: 'final', code: { text: 'x' } } }],
      }),
    )
  const foreign = Buffer.from('{"hello": "nothing that is known"}')
  const named = (count: number, extension: string, data: Buffer): Packed[] =>
    Array.from({ length: count }, (_, at) => ({ name: `f/${at}.${extension}`, data }))
  /** How many files of archives are unpacked meanwhile, be it in part. */
  const unpacked = (work: () => Promise<unknown>) => callsOf(yauzl.ZipFile.prototype, 'openReadStream', work)

  it.each(['txt', 'json', 'xml', 'dat'])(
    'are refused without unpacking them all, 70,000 files .%s',
    async extension => {
      const zip = zipOfMany(named(70_000, extension, foreign))
      const files = await unpacked(() =>
        expect(outcome(zip)).rejects.toMatchObject({
          code: 'ingest.format-unknown',
          text: expect.stringContaining(extension === 'dat' ? '0 files' : '200 files'),
        }),
      )
      expect(files).toBe(extension === 'dat' ? 0 : 200)
    },
  )

  it('have their directory read once, in large pieces, however many there are', async () => {
    const source = bufferSource(zipOfMany(named(70_000, 'txt', foreign)))
    let [reads, bytes] = [0, 0]
    const counted = {
      ...source,
      read: (from: number, until: number) => {
        reads += 1
        bytes += Math.min(until, source.sizeBytes) - from
        return source.read(from, until)
      },
    }
    expect(await openArchive(counted, defaultLimits)).toHaveLength(70_000)
    expect(reads).toBeLessThan(200)
    expect(bytes).toBeLessThan(3 * source.sizeBytes)
  })

  it('cost eight times as much when there are eight times as many', async () => {
    const read = (zip: Buffer) => openArchive(bufferSource(zip), defaultLimits)
    const zips = new Map([5_000, 40_000].map(count => [count, zipOfMany(named(count, 'txt', foreign))]))
    expect(await growth(count => read(zips.get(count) ?? Buffer.alloc(0)), 5_000)).toBeLessThan(mostGrowth)
  })

  it('are known by the one file among thousands that is larger, or calls itself an export', async () => {
    const large = Buffer.concat([bundle('a'), Buffer.alloc(10_000, 0x20)])
    expect(
      (await outcome(zipOfMany([...named(5_000, 'json', foreign), { name: 'x.json', data: large }]))).counts,
    ).toMatchObject({ created: 1, rows: 5_001 })
    const small = zipOfMany([
      ...named(5_000, 'xml', Buffer.alloc(2_000, 0x20)),
      { name: 'a/export.xml', data: Buffer.from(xml) },
    ])
    expect((await outcome(small)).counts).toMatchObject({ created: 2, rows: 5_001 })
  })

  it('lose no file of their kind, however many there are', async () => {
    const files = Array.from({ length: 700 }, (_, at) => ({ name: `${at}.json`, data: bundle(`o${at}`) }))
    expect((await outcome(zipOfMany(files))).counts).toMatchObject({ created: 700, rows: 700 })
  })

  it('that unpack to too much in all are refused, however little each is', async () => {
    for (const data of [Buffer.alloc(64 * 1024, 0x20), Buffer.concat([bundle('a'), Buffer.alloc(60_000, 0x20)])]) {
      const files = await unpacked(() =>
        expect(outcome(zipOfMany(named(1_000, 'json', data)))).rejects.toMatchObject({ code: 'ingest.zip-bomb' }),
      )
      expect(files).toBe(0)
    }
  })

  it('whose files lie over each other are refused', async () => {
    const data = Buffer.from(Array.from({ length: 20_000 }, (_, at) => String(at * 7_919)).join(' '))
    const over = [{ name: '0.json', data }, ...named(50, 'json', data).map(file => ({ ...file, at: 0 }))]
    await expect(outcome(zipOfMany(over))).rejects.toMatchObject({ code: 'ingest.zip-malformed' })
  })

  it('are given up at once when whoever sent them leaves', async () => {
    const house = await openHouse()
    const gone = new AbortController()
    const body = (async function* () {
      yield zipOfMany(named(20_000, 'json', foreign))
      gone.abort()
    })()
    const started = house.ingest.start({ grant: everything(), patient: house.anna, body, gone: gone.signal })
    await expect(started).rejects.toMatchObject({ code: 'ingest.stopped' })
  })
})

describe('a file packed with gzip', () => {
  const bundle = '{"resourceType":"Bundle","type":"collection","entry":[]}'

  it('is read as what was packed', async () => {
    expect((await outcome(gzipSync(xml))).counts).toMatchObject({ created: 2 })
    expect(await outcome(gzipSync(bundle))).toMatchObject({ state: 'done' })
    const lines = [1, 2, 3].map(n => `{"resourceType":"Practitioner","id":"${n}"}\n`).join('')
    expect((await outcome(gzipSync(lines))).counts).toMatchObject({ rows: 3 })
  })

  it('is refused when it is damaged, nothing known, or unpacks to too much', async () => {
    const packed = gzipSync(xml.replace('<HealthData>', `<HealthData>${' '.repeat(100_000)}`))
    expect(await outcome(packed.subarray(0, packed.length - 20))).toMatchObject({
      state: 'failed',
      counts: { problem: { code: 'ingest.zip-malformed' } },
    })
    for (const bytes of [gzipSync('hello'), Buffer.from([0x1f, 0x8b, 8]), gzipSync(await zipOf({ 'export.xml': xml }))])
      await expect(outcome(bytes)).rejects.toMatchObject({ code: 'ingest.format-unknown' })
    const bomb = gzipSync(`<HealthData>${' '.repeat(900_000)}</HealthData>`)
    expect(await outcome(bomb, { ratioFrom: 1000 })).toMatchObject({
      counts: { problem: { code: 'ingest.zip-bomb' } },
    })
  })
})

describe('a body on its way', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kinhold-spool-test-'))
  const spool = (body: AsyncIterable<Uint8Array>, limits: IngestLimits) =>
    openSpool(folder, limits).take(body, 'tester')

  const secret = 'SECRET-of-a-patient '.repeat(20_000)
  const limits = { ...defaultLimits, spoolFrom: 100_000 }

  it('is the same when it is read again, anywhere, in memory or on disk', async () => {
    const chunks = [secret.slice(0, 70_001), secret.slice(70_001)]
    const spooled = await spool(streamOf(...chunks), limits)
    const held = await spool(streamOf(...chunks), defaultLimits)
    expect(spooled.sizeBytes).toBe(secret.length)
    expect(await digestOf(spooled)).toBe(await digestOf(held))
    for (const [from, until] of [
      [0, 10],
      [65_530, 65_545],
      [65_536, 131_072],
      [399_990, 999_999],
    ] as const) {
      const parts: Buffer[] = []
      for await (const part of spooled.read(from, until)) parts.push(part)
      expect(Buffer.concat(parts).toString()).toBe(secret.slice(from, until))
    }
    expect((await headOf(spooled, 6)).toString()).toBe('SECRET')
    await spooled.close()
  })

  it('is opened only where it was sealed', () => {
    const scratch = newScratchSeal()
    const sealed = scratch.seal(1, Buffer.from(secret))
    expect(sealed.includes('SECRET')).toBe(false)
    expect(scratch.open(1, sealed).toString()).toBe(secret)
    const flipped = Buffer.from(sealed)
    flipped.writeUInt8(flipped.readUInt8(99) ^ 1, 99)
    const broken = expect.objectContaining({ code: 'vault.seal-broken' })
    expect(() => scratch.open(2, sealed)).toThrow(broken)
    expect(() => scratch.open(1, flipped)).toThrow(broken)
    expect(() => newScratchSeal().open(1, sealed)).toThrow(broken)
  })

  it('leaves no file when it is broken off', async () => {
    async function* broken() {
      yield Buffer.from(secret)
      throw new Error('the client went away')
    }
    await expect(spool(broken(), limits)).rejects.toThrow('the client went away')
    await expect(spool(streamOf(secret), { ...limits, maxFile: 200_000 })).rejects.toMatchObject({
      code: 'body.too-large',
    })
    expect(readdirSync(folder)).toEqual([])
  })

  it('is imported from disk as from memory', async () => {
    expect((await outcome(await zipOf({ 'export.xml': xml }), { spoolFrom: 10 })).counts).toMatchObject({ created: 2 })
  })
})
