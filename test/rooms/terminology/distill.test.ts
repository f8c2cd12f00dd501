import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { resourceTypes } from '#fhir'
import { builtInCanonicals, builtInCodeSystem, builtInConceptMap, builtInValueSet } from '#terminology'

const terminology = fileURLToPath(new URL('../../../terminology/', import.meta.url))
const isData = (file: string) => /\.(nd)?json$/.test(file)

describe('terminology/distill.ts', () => {
  it('gives exactly the committed files', () => {
    const folder = mkdtempSync(join(tmpdir(), 'terminology-'))
    try {
      execFileSync(process.execPath, [join(terminology, 'distill.ts'), folder])
      const files = readdirSync(folder).sort()
      expect(files).toEqual(readdirSync(terminology).filter(isData).sort())
      for (const file of files)
        expect(readFileSync(join(folder, file)).equals(readFileSync(join(terminology, file)))).toBe(true)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('leaves out what the package’s vendor added', () => {
    const all = readdirSync(terminology).filter(isData)
    for (const file of all) expect(readFileSync(join(terminology, file), 'utf8')).not.toMatch(/medplum|"version":"5\./i)
    const types = Array.from(
      builtInCodeSystem('http://hl7.org/fhir/resource-types')?.concepts ?? [],
      ({ code }) => code,
    )
    expect(types.sort()).toEqual(['DomainResource', 'Resource', ...resourceTypes].sort())
  })

  it('names concepts of SNOMED CT without their terms', () => {
    const sets = readFileSync(join(terminology, 'value-sets.ndjson'), 'utf8').split('\n').filter(Boolean)
    const included = sets.flatMap(line => JSON.parse(line).compose?.include ?? [])
    const listed = included
      .filter(({ system }) => system === 'http://snomed.info/sct')
      .flatMap(({ concept = [] }) => concept)
    expect(listed.length).toBeGreaterThan(100)
    expect(listed.filter(concept => Object.keys(concept).join() !== 'code')).toEqual([])
    const maps = readFileSync(join(terminology, 'concept-maps.ndjson'), 'utf8').split('\n').filter(Boolean)
    const groups = maps.flatMap(line => JSON.parse(line).group)
    const from = groups.filter(({ source }) => source === 'http://snomed.info/sct').flatMap(({ element }) => element)
    const to = groups.filter(({ target }) => target === 'http://snomed.info/sct').flatMap(({ element }) => element)
    expect([from.length > 0, to.length > 0]).toEqual([true, true])
    expect(from.filter(({ display }) => display !== undefined)).toEqual([])
    expect(to.flatMap(({ target }) => target).filter(({ display }) => display !== undefined)).toEqual([])
  })

  it('keeps definitions of HL7’s own code systems, and of no other', () => {
    const v3 = builtInCodeSystem('http://terminology.hl7.org/CodeSystem/v3-NullFlavor')
    expect(v3?.find('UNK')?.definition).toMatch(/proper value is applicable/)
    const dicom = builtInCodeSystem('http://dicom.nema.org/resources/ontology/DCM')
    expect(dicom?.find('CT')).toMatchObject({ display: 'Computed Tomography', definition: undefined })
  })

  it('can be read, each resource by its place in the index', () => {
    const types = [
      ['CodeSystem', builtInCodeSystem],
      ['ValueSet', builtInValueSet],
      ['ConceptMap', builtInConceptMap],
    ] as const
    for (const [type, find] of types) {
      const canonicals = builtInCanonicals(type)
      expect(canonicals.length).toBeGreaterThan(type === 'ConceptMap' ? 15 : 1000)
      for (const canonical of canonicals) {
        const found = find(canonical)
        expect([canonical, found?.url === canonical || canonical.startsWith(`${found?.url}|`)]).toEqual([
          canonical,
          true,
        ])
      }
    }
  })

  it('knows no other version than its own', () => {
    expect(builtInValueSet('http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1')).toBeDefined()
    expect(builtInValueSet('http://hl7.org/fhir/ValueSet/administrative-gender|5.0.0')).toBeUndefined()
    expect(builtInCodeSystem('http://hl7.org/fhir/administrative-gender|3.0.0')).toBeUndefined()
  })
})
