import { cp, mkdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Home, newHome, run } from '../../journeys/server/home.ts'

const mappings = new URL('../../../mappings/', import.meta.url).pathname

const code = 'ingest.mappings-unreadable'

describe('kinhold mapping check', () => {
  let home: Home
  beforeAll(async () => {
    home = await newHome('mappings')
  })
  afterAll(() => home.remove())

  it('says how many rows there are, and needs and makes no house', async () => {
    const { status, stdout, stderr } = await run(home, 'mapping', 'check')
    expect({ status, stdout, stderr }).toEqual({
      status: 0,
      stdout: '',
      stderr: expect.stringMatching(/^31 tables, \d{4} rows: nothing is wrong\.\n$/),
    })
  })

  it('names file, line, column and place of what is wrong in a folder of one’s own', async () => {
    const folder = join(home.folder, 'own')
    await mkdir(join(folder, 'apple-health', 'characteristics.json'), { recursive: true })
    await mkdir(join(folder, 'hl7v2'))
    await cp(join(mappings, 'fitbit'), join(folder, 'fitbit'), { recursive: true })
    const units = await readFile(join(mappings, 'apple-health/units.json'), 'utf8')
    await writeFile(
      join(folder, 'apple-health/units.json'),
      units.replace('"ucum": "[stone_av]"', '"ucum": "st\u001b[31m"'),
    )
    await writeFile(join(folder, 'apple-health/metadata.json'), '{\n  "rows": [,]\n}')
    await writeFile(join(folder, 'apple-health/our-units.json'), '{}')
    await writeFile(join(folder, 'identity.json'), Buffer.from([0x22, 0xff, 0x22]))
    await writeFile(join(folder, 'hl7v2/vital-signs.json'), '[]')
    await writeFile(join(folder, 'hl7v2/units.json'), '')
    await truncate(join(folder, 'hl7v2/units.json'), 100 * 1024 * 1024)
    const { status, stdout, stderr } = await run(home, 'mapping', 'check', folder)
    expect(status).toBe(1)
    expect(stdout.split('\n').sort()).toEqual([
      '',
      expect.stringMatching(/^apple-health\/characteristics\.json:1 This is no file/),
      'apple-health/metadata.json:2:12 A value was expected here.',
      'apple-health/our-units.json:1 There is no table of this name, so nothing reads it.',
      expect.stringMatching(
        /^apple-health\/units\.json:12 A|^apple-health\/units\.json:\d+:\d+ A line break or another control/,
      ),
      'hl7v2/units.json:1 The file is larger than 1 MB, and so is no table.',
      'hl7v2/vital-signs.json:1 This must be an object. What it is: What R4 calls a vital sign by its code.',
      'identity.json:1 The file is not UTF-8.',
    ])
    expect(stderr).toMatch(/^31 tables, 2 of them from the folder, \d+ rows: 7 wrong\.\n$/)
  })

  it.each(['nowhere', 'file'])('ends in words where there is no such folder: %s', async name => {
    await writeFile(join(home.folder, 'file'), '{}')
    const { status, stdout, stderr } = await run(home, 'mapping', 'check', join(home.folder, name))
    expect({ status, stdout, stderr }).toEqual({
      status: 1,
      stdout: '',
      stderr: `${code}: The folder of mapping tables is no folder, or cannot be read.\n`,
    })
  })
})
