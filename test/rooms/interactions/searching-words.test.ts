import type { Resource } from '#fhir'
import { type Answer, admin, grantOf, type House, openHouse, patientA, patientB } from './house.ts'

const north = grantOf('user/*.cruds', { account: 'north', patients: ['a'] })
const south = grantOf('user/*.cruds', { account: 'south', patients: ['b'] })
const codeOf = ({ json }: Answer): string => json.issue[0].details.coding[0].code
const idsOf = ({ json }: Answer): string[] =>
  (json.entry ?? []).map((entry: { resource: { id: string } }) => entry.resource.id).sort()

let house: House
beforeAll(async () => {
  house = await openHouse()
})
afterAll(() => house.close())

const ask = (query: string, grant = north) =>
  house.ask('GET', `/${query.replace(/=(.*)/, (_, text) => `=${encodeURIComponent(text)}`)}`, { grant })
const ids = async (query: string, grant = north) => idsOf(await ask(query, grant))

async function put(resource: Partial<Resource>): Promise<void> {
  const answer = await house.ask('PUT', `/${resource.resourceType}/${resource.id}`, { grant: admin, body: resource })
  if (answer.status >= 300) throw new Error(answer.text)
}

const shown = (inner: string, attributes = '') => ({
  status: 'generated',
  div: `<div xmlns="http://www.w3.org/1999/xhtml"${attributes}>${inner}</div>`,
})
const condition = (id: string, more: object, patient = 'a') =>
  put({ resourceType: 'Condition', id, subject: { reference: `Patient/${patient}` }, ...more })

describe('searching by the words of a narrative – https://hl7.org/fhir/R4/search.html#text', () => {
  beforeAll(async () => {
    for (const patient of [patientA, patientB]) await put(patient)
    await condition('bone', {
      text: shown('<p>Metastases in the <b>bo</b>ne.</p><p>Patient&#8217;s pain &amp; fever</p>'),
    })
    await condition('liver', { text: shown('<table><tr><td>LIVER</td><td>metastases, type 2</td></tr></table>') })
    await condition('lung', { text: shown('Lung only; Müller&#x27;s sign') })
    await condition('haus', { language: 'de-AT', text: shown('Häuser und Entzündungen') })
    await condition('foie', { text: shown('Médicaments', ' xml:lang="fr"') })
    await condition('asia', { language: 'ja', text: shown('糖尿病の治療') })
    await condition('none', { code: { text: 'bone' } })
    await condition('other', { text: shown('bone metastases of another family') }, 'b')
  })

  it.each([
    ['(bone OR liver) and metastases', ['bone', 'liver']],
    ['bone', ['bone']],
    ['metastases', ['bone', 'liver']],
    ['METASTASES BONE', ['bone']],
    ['bone,lung', ['bone', 'lung']],
    ['bone or lung and liver', ['bone']],
    ['metastases not liver', ['bone']],
    ['metastases -liver', ['bone']],
    ['metastases -(liver or lung)', ['bone']],
    ['metastases and not not liver', ['liver']],
    ['"in the bone"', ['bone']],
    ['"the in bone"', []],
    ['-"in the bone" metastases', ['liver']],
    ['"bone patient"', []],
    ['"liver metastases"', []],
    ['"type 2"', ['liver']],
    ['"type 1"', []],
    ["patient's", ['bone']],
    ['pains', ['bone']],
    ['metast*', ['bone', 'liver']],
    ['metastases*', ['bone', 'liver']],
    ['"the bo*"', ['bone']],
    ['etastases', []],
    ['muller', ['lung']],
    ['MÜLLER', ['lung']],
    ['haus', ['haus']],
    ['Entzündung', ['haus']],
    ['entzundung', ['haus']],
    ['médicament', ['foie']],
    ['糖尿病', ['asia']],
    ['病尿', []],
    ['div', []],
    ['xmlns', []],
    ['pain & fever', ['bone']],
    ['"and"', []],
  ])('%s finds %j', async (text, expected) => {
    expect(await ids(`Condition?_text=${text}`)).toEqual(expected)
  })

  it('can be told, chained, reversed, negated and filtered as everything else', async () => {
    expect(await ids('Condition?_text:missing=true')).toEqual(['none'])
    expect(await ids('Patient?_has:Condition:subject:_text=bone and metastases')).toEqual(['a'])
    expect(await ids('Condition?_filter=_text co "bone or lung" and not (_text co "fever")')).toEqual(['lung'])
    expect(await ids('Condition?_text=not (bone or liver or lung or haus or medicament)')).toEqual(['asia', 'none'])
  })

  it('finds what is written without the accents of a language that has them', async () => {
    expect(await ids('Condition?_text=medicament')).toEqual(['foie'])
  })

  it('finds nothing that is out of reach, and as much as everybody may see', async () => {
    expect(await ids('Condition?_text=bone', south)).toEqual(['other'])
    expect(await ids('Condition?_text=another', north)).toEqual([])
    expect(await ids('Condition?_text=bone', admin)).toEqual(['bone', 'other'])
  })

  it('forgets the words that a newer version, a deletion or an erasure takes away', async () => {
    await put({ resourceType: 'Patient', id: 'gone' })
    await condition('later', { text: shown('quokka') }, 'gone')
    expect(await ids('Condition?_text=quokka', admin)).toEqual(['later'])
    await condition('later', { text: shown('wombat') }, 'gone')
    expect(await ids('Condition?_text=quokka', admin)).toEqual([])
    expect(await ids('Condition?_text=wombats', admin)).toEqual(['later'])
    await house.record.shred('gone')
    expect(await ids('Condition?_text=wombat', admin)).toEqual([])
  })
})

describe('searching by the words of all content – https://hl7.org/fhir/R4/search.html#content', () => {
  beforeAll(async () => {
    await put({ resourceType: 'Practitioner', id: 'dr', name: [{ given: ['Ada'], family: 'Quill' }] })
    await condition('whole', {
      identifier: [{ system: 'urn:numbers', value: 'mrn77' }],
      clinicalStatus: {
        coding: [{ system: 'http://terminology.hl7.org/CodeSystem/condition-clinical', code: 'active' }],
      },
      code: {
        coding: [{ system: 'http://loinc.org', code: '29463-7', display: 'Fractured femur' }],
        text: 'broken leg',
      },
      asserter: { reference: 'Practitioner/dr', display: 'Quill, Ada' },
      recordedDate: '2019-07-03',
      text: shown('Femoral fracture, healing'),
      note: [{ text: `He fell ${'and fell '.repeat(600)}from a ladder`, authorString: 'Nurse Joy' }],
      contained: [{ resourceType: 'Practitioner', id: 'p', name: [{ text: 'Hidden Helper' }] }],
      recorder: { reference: '#p' },
    })
  })

  it.each([
    ['fractures', true],
    ['broken and healing', true],
    ['"broken leg" femurs', true],
    ['29463-7', true],
    ['active', true],
    ['quill', true],
    ['ladders', true],
    ['"from a ladder"', true],
    ['joy', true],
    ['helper', true],
    ['"leg femur"', false],
    ['healed not broken', false],
    ['loinc', false],
    ['mrn77', false],
    ['2019', false],
    ['practitioner', false],
    ['whole', false],
  ])('%s: %j', async (text, isFound) => {
    expect((await ids(`Condition?_content=${text}`)).includes('whole')).toBe(isFound)
  })

  it('tells the words of phones and names, and of what is not in any element by its name', async () => {
    await put({ ...patientA, telecom: [{ system: 'email', value: 'ann@alder.example' }] })
    expect(await ids('Patient?_content=alder.example')).toEqual(['a'])
    expect(await ids('Patient?_content=alder')).toEqual(['a'])
    expect(await ids('Condition?_filter=patient._content co alder and _text co lung')).toEqual(['lung'])
  })

  it('refuses what is too much, and names no word in a refusal', async () => {
    const many = await ask(`Condition?_content=${Array.from({ length: 201 }, (_, at) => `w${at}`).join(' ')}`)
    expect(codeOf(many)).toBe('search.too-costly')
    expect(codeOf(await ask(`Condition?_content=${'('.repeat(40)}a${')'.repeat(40)}`))).toBe('search.too-costly')
    const malformed = await ask('Condition?_content=(secretword')
    expect(codeOf(malformed)).toBe('search.text-malformed')
    expect(malformed.text).not.toContain('secretword')
  })
})

describe('searching by :text – https://hl7.org/fhir/R4/search.html#modifiers', () => {
  it.each([
    ['Condition?code:text=femur', ['whole']],
    ['Condition?code:text=emur', []],
    ['Condition?code:text=BROKEN LEG', ['whole']],
    ['Condition?asserter:text=ada', ['whole']],
    ['Condition?asserter:text=quill', ['whole']],
    ['Condition?asserter:text=Practitioner', []],
    ['Condition?asserter=Practitioner/dr', ['whole']],
    ['Condition?asserter.name=quill', ['whole']],
    ['Practitioner?name:text=quill', ['dr']],
    ['Practitioner?name:text=uill', []],
    ['Condition?_filter=asserter re Practitioner/dr', ['whole']],
  ])('%s finds %j', async (query, expected) => {
    expect(await ids(query)).toEqual(expected)
  })
})

describe('searching for what is near – https://hl7.org/fhir/R4/location.html#search', () => {
  beforeAll(async () => {
    const at = (id: string, latitude: number, longitude: number) =>
      put({ resourceType: 'Location', id, position: { latitude, longitude } })
    await at('vienna', 48.2082, 16.3738)
    await at('bratislava', 48.1486, 17.1077)
    await at('fiji', -17.5, 179.95)
    await at('pole', 89.999, 10)
    await put({ resourceType: 'Location', id: 'nowhere', name: 'Nowhere' })
  })

  it.each([
    ['near=48.2082|16.3738', ['vienna']],
    ['near=48.2|16.37|5|km', ['vienna']],
    ['near=48.2082|16.3738|54', ['vienna']],
    ['near=48.2082|16.3738|56', ['bratislava', 'vienna']],
    ['near=48.2082|16.3738|56000|m', ['bratislava', 'vienna']],
    ['near=48.2082|16.3738|34|[mi_us]', ['vienna']],
    ['near=48.2082|16.3738|35|[mi_us]', ['bratislava', 'vienna']],
    ['near=48.2082|16.3738|0|km', ['vienna']],
    ['near=48.2082|16.3738|1|km,48.1486|17.1077|1|km', ['bratislava', 'vienna']],
    ['near=-17.5|-179.95|11|km', ['fiji']],
    ['near=90|-170|1|km', ['pole']],
    ['near=0|0|20100|km', ['bratislava', 'fiji', 'pole', 'vienna']],
    ['near:missing=true', ['nowhere']],
    ['near:missing=false', ['bratislava', 'fiji', 'pole', 'vienna']],
  ])('%s finds %j', async (query, expected) => {
    expect(await ids(`Location?${query}`, admin)).toEqual(expected)
  })
})
