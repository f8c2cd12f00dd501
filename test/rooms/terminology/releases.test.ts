import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { atOnce } from '#kernel'
import {
  expand,
  type IncludeDefinition,
  importRelease,
  Membership,
  openShelf,
  type ReleaseFile,
  subsumes,
} from '#terminology'
import {
  clamlFiles,
  type Files,
  filesOf,
  findingSite,
  icd10cmFiles,
  importInto,
  loincFiles,
  rxnormFiles,
  sct,
  snomedFiles,
} from './made-releases.ts'

const newFolder = () => join(mkdtempSync(join(tmpdir(), 'kinhold-shelf-')), 'terminology')
const snomed = 'http://snomed.info/sct'
const rxnorm = 'http://www.nlm.nih.gov/research/umls/rxnorm'
const icd10cm = 'http://hl7.org/fhir/sid/icd-10-cm'
const icd10gm = 'http://fhir.de/CodeSystem/bfarm/icd-10-gm'

/** The first half of a file, and then what goes wrong. */
async function* endsWith(file: ReleaseFile, error: Error): AsyncGenerator<Uint8Array> {
  let left = file.sizeBytes / 2
  for await (const chunk of file.open()) {
    yield chunk
    left -= chunk.length
    if (left < 0) break
  }
  throw error
}

async function shelfWith(...releases: readonly Files[]) {
  const folder = newFolder()
  for (const files of releases) await importInto(folder, files)
  return openShelf(folder)
}

describe('releases of code systems – https://hl7.org/fhir/R4/terminologies-systems.html', () => {
  it('SNOMED CT: names, hierarchy, attributes and version', async () => {
    const shelf = await shelfWith(snomedFiles)
    const system = shelf.codeSystem(snomed)
    expect(shelf.heads()).toMatchObject([
      { url: snomed, version: `${snomed}/900000000000207008/version/20250101`, name: 'SNOMED CT', concepts: 5 },
    ])
    const angina = system?.find(sct.angina)
    expect(angina).toMatchObject({
      display: 'Angina pectoris',
      isInactive: false,
      parents: [sct.finding],
      children: [],
    })
    expect(angina?.designations.map(({ language, use, value }) => [language, use?.code, value])).toEqual([
      ['en', '900000000000013009', 'Chest tightness "by exertion"'],
      ['en', '900000000000003001', 'Angina pectoris (disorder)'],
      ['en', '900000000000013009', 'Angina pectoris'],
      ['es', '900000000000013009', 'Angina de pecho'],
    ])
    expect(angina?.properties).toEqual(
      expect.arrayContaining([
        { code: findingSite, valueCode: sct.heart },
        { code: 'sufficientlyDefined', valueString: 'true' },
      ]),
    )
    expect(system?.find(sct.old)).toMatchObject({ isInactive: true, display: 'Retired thing' })
    expect(system?.find(sct.root)?.children).toEqual([sct.finding, sct.heart])
    expect(system?.find('1234567')).toBeUndefined()
    if (system === undefined) throw new Error('it was imported')
    const pairs = [
      [sct.root, sct.angina, true],
      [sct.finding, sct.angina, true],
      [sct.angina, sct.angina, true],
      [sct.heart, sct.angina, false],
      [sct.angina, sct.root, false],
      [sct.root, '1', false],
    ] as const
    for (const [above, below, is] of pairs)
      expect([above, below, subsumes(system, above, below)]).toEqual([above, below, is])
    shelf.close()
  })

  it('LOINC: terms, parts, answers and the hierarchy by components; codes in any case', async () => {
    const shelf = await shelfWith(loincFiles)
    const system = shelf.codeSystem('http://loinc.org')
    expect(shelf.heads()).toMatchObject([{ version: '2.80', concepts: 7 }])
    expect(system?.find('8867-4')).toMatchObject({
      display: 'Heart rate',
      definition: 'How often it beats.\nIn a minute, "at rest", or not.',
      parents: ['LP415671-0'],
      properties: expect.arrayContaining([{ code: 'SCALE_TYP', valueString: 'Qn' }]),
    })
    expect(system?.find('lp415671-0')).toMatchObject({ code: 'LP415671-0', display: 'Vital signs' })
    expect(system?.find('LA33-6')?.display).toBe('Yes')
    expect(system?.find('1-8')?.isInactive).toBe(true)
    const alone = await importInto(newFolder(), { 'Loinc.csv': Object.values(loincFiles)[0] ?? '' })
    expect(alone).toMatchObject({ version: '2.80', concepts: 2 })
    shelf.close()
  })

  it('RxNorm: its own names and relations, not those of its sources', async () => {
    const shelf = await shelfWith(rxnormFiles)
    const system = shelf.codeSystem(rxnorm)
    expect(shelf.heads()).toMatchObject([{ version: '2025-01-06', concepts: 4 }])
    expect(system?.find('161')).toMatchObject({ display: 'acetaminophen', designations: [{ value: 'paracetamol' }] })
    expect(system?.find('198440')).toMatchObject({
      parents: ['1152842'],
      properties: [
        { code: 'TTY', valueString: 'SCD' },
        { code: 'has_ingredient', valueCode: '161' },
      ],
    })
    expect(system?.find('9')).toMatchObject({ isInactive: true, properties: [{ code: 'TTY' }] })
    shelf.close()
  })

  it('ICD-10-CM: dots, headings, and what lies below what', async () => {
    const shelf = await shelfWith(icd10cmFiles)
    const system = shelf.codeSystem(icd10cm)
    expect(shelf.heads()).toMatchObject([{ version: '2025', concepts: 5 }])
    expect(system?.find('E10.10')).toMatchObject({ parents: ['E10.1'], isAbstract: false })
    expect(system?.find('e10')).toMatchObject({ children: ['E10.1', 'E10.9'], isAbstract: true, parents: [] })
    expect(system?.find('E10.9')?.display).toBe('Type 1 diabetes mellitus without complications')
    shelf.close()
  })

  it('ICD-10-GM in ClaML: long names, chapters and blocks, classes in any order', async () => {
    const shelf = await shelfWith(clamlFiles)
    const system = shelf.codeSystem(`${icd10gm}|2025`)
    expect(system?.find('E10.9')).toMatchObject({
      display: 'Diabetes mellitus, Typ 1: Ohne Komplikationen',
      parents: ['E10'],
      isAbstract: false,
    })
    expect(system?.find('E10-E14')).toMatchObject({ isAbstract: true, parents: ['IV'], children: ['E10'] })
    shelf.close()
  })

  it('a release is there as a whole or not at all, and says what is wrong with it without quoting it', async () => {
    const folder = newFolder()
    const refusals: readonly (readonly [Files, string, string?])[] = [
      [{ 'a.txt': 'nothing' }, 'terminology.release-unknown'],
      [{}, 'terminology.release-unknown'],
      [{ 'Loinc.csv': '"LOINC_NUM","STATUS"\n"secret-1","ACTIVE"\n' }, 'terminology.release-malformed'],
      [
        { 'Loinc.csv': '"LOINC_NUM","LONG_COMMON_NAME","STATUS"\n"secret-1","a"b,c"\n' },
        'terminology.release-malformed',
      ],
      [
        { 'Loinc.csv': '"LOINC_NUM","LONG_COMMON_NAME","STATUS"\n"8867-4","secret"\n' },
        'terminology.release-malformed',
      ],
      [{ 'Loinc.csv': '"LOINC_NUM","LONG_COMMON_NAME","STATUS"\n"8867-5","a","b"\n' }, 'terminology.release-malformed'],
      [{ 'Loinc.csv': '"LOINC_NUM","LONG_COMMON_NAME","STATUS"\n' }, 'terminology.version-unnamed'],
      [{ 'Loinc.csv': '"LOINC_NUM","LONG_COMMON_NAME","STATUS"\n' }, 'terminology.release-empty', '2.80'],
      [{ 'RXNCONSO.RRF': 'secret|1\n' }, 'terminology.release-malformed'],
      [{ 'RXNCONSO.RRF': rxnormFiles['RxNorm_full_01062025/rrf/RXNCONSO.RRF'] ?? '' }, 'terminology.version-unnamed'],
      [{ 'icd10cm_order_2025.txt': 'secret' }, 'terminology.release-malformed'],
      [{ 'x_claml.xml': '<ClaML><Title name="secret"/></ClaML>' }, 'terminology.release-malformed'],
      [{ 'x_claml.xml': '<ClaML><secret' }, 'terminology.release-malformed'],
      [
        { ...snomedFiles, 'SnomedCT/Snapshot/Terminology/sct2_Concept_Snapshot_INT_20240701.txt': 'secret\t1\n' },
        'terminology.release-malformed',
      ],
    ]
    for (const [files, code, version] of refusals) {
      const refused = await importInto(folder, files, version).then(
        () => undefined,
        error => error,
      )
      expect([Object.keys(files), refused]).toEqual([Object.keys(files), expect.objectContaining({ code })])
      expect(String(refused.message)).not.toContain('secret')
      expect(openShelf(folder).heads()).toEqual([])
    }
    expect(readdirSync(folder)).toEqual([])
  })

  it('and what goes wrong while its files are read is told as what it was, whichever of them it is', async () => {
    for (const files of [snomedFiles, loincFiles, rxnormFiles, icd10cmFiles, clamlFiles])
      for (const broken of Object.keys(files)) {
        const folder = newFolder()
        const damage = new Error('EIO: i/o error, read')
        let isRead = false
        const open = (file: ReleaseFile) => {
          isRead = true
          return endsWith(file, damage)
        }
        const cut = filesOf(files).map(file => (file.path === broken ? { ...file, open: () => open(file) } : file))
        const reading = importRelease(cut, { folder, version: '1', onProgress: () => undefined })
        const told = await reading.then(
          () => undefined,
          error => error,
        )
        expect([broken, told]).toEqual([broken, isRead ? damage : undefined])
        if (!isRead) continue
        expect(readdirSync(folder)).toEqual([])
      }
  })

  it('what a killed import left is taken away by a later one, what is being written is not', async () => {
    const folder = newFolder()
    await importInto(folder, icd10cmFiles)
    for (const [name, hours] of [
      ['unfinished-old', 25],
      ['unfinished-new', 1],
    ] as const) {
      writeFileSync(join(folder, name), 'x')
      const then = Date.now() / 1000 - hours * 3600
      utimesSync(join(folder, name), then, then)
    }
    await importInto(folder, icd10cmFiles)
    expect(readdirSync(folder).filter(name => name.startsWith('unfinished'))).toEqual(['unfinished-new'])
  })

  it('several versions lie side by side; the one imported last answers where none is named', async () => {
    const folder = newFolder()
    let nowMs = 0
    const shelf = openShelf(folder, () => nowMs)
    expect(shelf.codeSystem(icd10cm)).toBeUndefined()
    await importInto(folder, icd10cmFiles)
    expect(shelf.codeSystem(icd10cm)).toBeUndefined()
    nowMs += 1_000
    const [first] = [shelf.codeSystem(icd10cm)]
    expect(first?.version).toBe('2025')
    await importInto(folder, { 'icd10cm_order_2024.txt': icd10cmFiles['icd10cm_order_2025.txt'] ?? '' })
    nowMs += 1_000
    expect(shelf.codeSystem(icd10cm)?.version).toBe('2024')
    expect(shelf.codeSystem(`${icd10cm}|2025`)).toBe(first)
    expect(shelf.codeSystem(`${icd10cm}|2023`)).toBeUndefined()
    expect([shelf.remove(icd10cm, '2024'), shelf.remove(icd10cm, '2024')]).toEqual([true, false])
    expect(shelf.codeSystem(icd10cm)?.version).toBe('2025')
    // Who holds it still reads a file that was replaced.
    await importInto(folder, icd10cmFiles)
    nowMs += 1_000
    expect(shelf.codeSystem(icd10cm)).not.toBe(first)
    expect(first?.find('E10')?.code).toBe('E10')
    shelf.close()
  })

  it('a file in the folder that is none of ours is left alone', () => {
    const folder = mkdtempSync(join(tmpdir(), 'kinhold-shelf-'))
    writeFileSync(join(folder, 'notes.sqlite'), 'no database')
    writeFileSync(join(folder, 'empty.sqlite'), '')
    expect(openShelf(folder).heads()).toEqual([])
    expect(readdirSync(folder).sort()).toEqual(['empty.sqlite', 'notes.sqlite'])
    rmSync(folder, { recursive: true })
  })
})

describe('value sets over what was imported – https://hl7.org/fhir/R4/snomedct.html#implicit', () => {
  it('are expanded and asked by place, property, word and list', async () => {
    const shelf = await shelfWith(snomedFiles)
    const definitions = { codeSystem: (canonical: string) => shelf.codeSystem(canonical), valueSet: () => undefined }
    const codes = (include: Omit<IncludeDefinition, 'system'>, filter?: string) => {
      const set = { resourceType: 'ValueSet' as const, compose: { include: [{ system: snomed, ...include }] } }
      const expanded = atOnce(expand(set, definitions, { filter })).members.map(({ code }) => code)
      const membership = new Membership(definitions)
      const asked = Object.values(sct).filter(code => membership.find(set, { system: snomed, code }).is === 'in')
      // An expansion and a membership never differ.
      if (filter === undefined) expect([...expanded].sort()).toEqual([...asked].sort())
      return expanded
    }
    const by = (property: string, op: string, value: string) => ({ filter: [{ property, op, value }] })
    expect(codes({})).toHaveLength(5)
    expect(codes(by('concept', 'is-a', sct.finding))).toEqual([sct.finding, sct.angina])
    expect(codes(by('concept', 'descendent-of', sct.root))).toEqual([sct.angina, sct.finding, sct.heart])
    expect(codes(by('concept', 'is-not-a', sct.finding))).toEqual([sct.root, sct.heart, sct.old])
    expect(codes(by('concept', 'generalizes', sct.angina))).toEqual([sct.angina, sct.root, sct.finding])
    expect(codes(by('concept', 'is-a', '1'))).toEqual([])
    expect(codes(by(findingSite, '=', sct.heart))).toEqual([sct.angina])
    expect(codes({ concept: [{ code: sct.heart }, { code: sct.angina }] })).toEqual([sct.heart, sct.angina])
    expect(codes({}, 'ang pec')).toEqual([sct.angina])
    expect(codes({}, 'PECHO')).toEqual([sct.angina])
    expect(codes({}, '80891009')).toEqual([sct.heart])
    expect(codes(by('concept', 'is-a', sct.finding), 'heart')).toEqual([])
    expect(codes({}, '" OR x NEAR(')).toEqual([])
    shelf.close()
  })
})
