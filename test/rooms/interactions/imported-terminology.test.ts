import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openShelf } from '#terminology'
import { findingSite, icd10cmFiles, importInto, sct, snomedFiles } from '../terminology/made-releases.ts'
import { grantOf, type House, openHouse } from './house.ts'

const snomed = 'http://snomed.info/sct'
const icd10cm = 'http://hl7.org/fhir/sid/icd-10-cm'
const north = grantOf('user/*.cruds', { account: 'north', patients: [] })

let house: House
beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kinhold-imported-'))
  await importInto(folder, snomedFiles)
  await importInto(folder, icd10cmFiles)
  house = await openHouse({ shelf: openShelf(folder) })
})
afterAll(() => house.close())

const get = async (path: string, query: Readonly<Record<string, string>>) => {
  const { status, json } = await house.ask('GET', `${path}?${new URLSearchParams(query)}`, { grant: north })
  return { status, json }
}

describe('what was imported on the host answers every operation – https://hl7.org/fhir/R4/terminology-service.html', () => {
  it('$lookup tells names, place and properties', async () => {
    const { json } = await get('/CodeSystem/$lookup', { system: snomed, code: sct.angina })
    const said = JSON.stringify(json)
    expect(json.parameter).toEqual(expect.arrayContaining([{ name: 'display', valueString: 'Angina pectoris' }]))
    for (const part of [sct.finding, findingSite, sct.heart, 'Angina de pecho']) expect(said).toContain(part)
    expect((await get('/CodeSystem/$lookup', { system: snomed, code: '1' })).status).toBe(404)
  })

  it('$subsumes goes by the hierarchy', async () => {
    const outcome = async (codeA: string, codeB: string) =>
      (await get('/CodeSystem/$subsumes', { system: snomed, codeA, codeB })).json.parameter[0].valueCode
    expect(await outcome(sct.root, sct.angina)).toBe('subsumes')
    expect(await outcome(sct.angina, sct.root)).toBe('subsumed-by')
    expect(await outcome(sct.heart, sct.angina)).toBe('not-subsumed')
  })

  it('$validate-code and $expand, also of the value sets that a url alone defines', async () => {
    const set = `${snomed}?fhir_vs=isa/${sct.finding}`
    const isIn = async (code: string) =>
      (await get('/ValueSet/$validate-code', { url: set, system: snomed, code })).json.parameter[0].valueBoolean
    expect([await isIn(sct.angina), await isIn(sct.heart), await isIn('1')]).toEqual([true, false, false])
    const { json } = await get('/ValueSet/$expand', { url: set, filter: 'ang' })
    expect(json.expansion.contains).toEqual([
      expect.objectContaining({ system: snomed, code: sct.angina, display: 'Angina pectoris' }),
    ])
    const inSystem = await get('/CodeSystem/$validate-code', { url: icd10cm, code: 'E10.9' })
    expect(inSystem.json.parameter[0].valueBoolean).toBe(true)
  })

  it('TerminologyCapabilities names it with its version', async () => {
    const { json } = await get('/metadata', { mode: 'terminology' })
    expect(json.codeSystem).toEqual(
      expect.arrayContaining([{ uri: icd10cm, version: [{ code: '2025', isDefault: true }] }]),
    )
  })
})
