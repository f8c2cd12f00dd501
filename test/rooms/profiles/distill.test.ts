import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isPrimitiveType, isResourceType, resourceTypes, shapeOf } from '#fhir'

const profiles = fileURLToPath(new URL('../../../profiles/', import.meta.url))
const read = <T>(file: string): T => JSON.parse(readFileSync(join(profiles, file), 'utf8')) as T

interface Parameter {
  readonly name: string
  readonly url: string
  readonly base: readonly string[]
  readonly type: string
  readonly expression?: string
  readonly target?: readonly string[]
  readonly component?: readonly { readonly definition: string }[]
}
const parameters = read<Parameter[]>('search-parameters.json')

describe('profiles/distill.ts', () => {
  it('gives exactly the committed files', () => {
    const folder = mkdtempSync(join(tmpdir(), 'profiles-'))
    try {
      execFileSync(process.execPath, [join(profiles, 'distill.ts'), folder])
      const files = readdirSync(folder).sort()
      expect(files).toEqual(
        readdirSync(profiles)
          .filter(file => file.endsWith('.json'))
          .sort(),
      )
      for (const file of files)
        expect(readFileSync(join(folder, file)).equals(readFileSync(join(profiles, file)))).toBe(true)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('leaves out what the package’s vendor added', () => {
    for (const [type, name] of [
      ['Meta', 'project'],
      ['Binary', 'url'],
      ['ResearchStudy', 'label'],
      ['ObservationDefinition', 'publisher'],
    ] as const) {
      expect(shapeOf(type).elements.has(name)).toBe(false)
    }
    expect(shapeOf('EvidenceVariable', 'characteristic').elements.has('definitionCanonical')).toBe(true)
    expect(shapeOf('EvidenceVariable', 'characteristic').elements.get('definitionCanonical')?.path).toBe(
      'characteristic.definition[x]',
    )
    expect(shapeOf('Bundle', 'entry.response').elements.get('outcome')?.type).toBe('Resource')
    expect(JSON.stringify([parameters, read('required-codes.json')])).not.toMatch(
      /medplum|ClientApplication|SubscriptionStatus/i,
    )
  })

  it('knows how often HL7 asks for an element, not the vendor', () => {
    expect(shapeOf('EvidenceVariable').elements.get('characteristic')?.min).toBe(1)
    expect(shapeOf('Observation').elements.get('subject')?.targets).toEqual(['Device', 'Group', 'Location', 'Patient'])
    expect(shapeOf('Annotation').elements.get('authorReference')?.targets).toContain('Patient')
    expect(shapeOf('Observation').elements.get('focus')?.targets).toBeUndefined()
  })

  it('keeps elements whose names are too long for HL7’s list', () => {
    expect(
      shapeOf('MedicinalProductIngredient', 'specifiedSubstance.strength').elements.get('presentation')?.type,
    ).toBe('Ratio')
  })

  it('names only types and value sets that exist', () => {
    const codes = read<Record<string, unknown>>('required-codes.json')
    for (const type of resourceTypes) {
      for (const element of shapeOf(type).elements.values()) {
        if (element.type !== 'Resource' && !isPrimitiveType(element.type))
          expect(() => shapeOf(element.type)).not.toThrow()
        if (element.valueSet !== undefined) expect(codes).toHaveProperty([element.valueSet])
      }
    }
  })
})

describe('search parameters – https://hl7.org/fhir/R4/searchparameter-registry.html', () => {
  it('have bases, targets and components that exist', () => {
    const urls = new Set(parameters.map(parameter => parameter.url))
    expect(urls.size).toBe(parameters.length)
    for (const { base, target, component } of parameters) {
      expect(base.filter(type => !isResourceType(type) && type !== 'Resource' && type !== 'DomainResource')).toEqual([])
      expect((target ?? []).filter(type => !isResourceType(type))).toEqual([])
      expect((component ?? []).filter(part => !urls.has(part.definition))).toEqual([])
    }
  })

  it('include those of every resource', () => {
    const common = parameters.filter(parameter => parameter.base.includes('Resource')).map(parameter => parameter.name)
    expect(common.sort()).toEqual([
      '_content',
      '_id',
      '_lastUpdated',
      '_profile',
      '_query',
      '_security',
      '_source',
      '_tag',
    ])
  })

  it('name elements that exist at the head of their expressions', () => {
    for (const { expression = '' } of parameters) {
      for (const [, type = '', name = ''] of expression.matchAll(/\b([A-Z][A-Za-z]+)\.([a-z][A-Za-z]*)/g)) {
        if (!isResourceType(type)) continue
        const elements = shapeOf(type).elements
        const isKnown = elements.has(name) || [...elements.values()].some(element => element.path === `${name}[x]`)
        expect([type, name, isKnown]).toEqual([type, name, true])
      }
    }
  })
})

describe('patient compartment – https://hl7.org/fhir/R4/compartmentdefinition-patient.html', () => {
  it('names parameters that its types have', () => {
    const compartment = read<Record<string, readonly string[]>>('compartment-patient.json')
    expect(compartment.Observation).toEqual(['subject', 'performer'])
    expect(compartment.Patient).toEqual(['link'])
    expect(compartment.Organization).toBeUndefined()
    for (const [type, names] of Object.entries(compartment)) {
      const known = parameters.filter(parameter => parameter.base.includes(type)).map(parameter => parameter.name)
      expect([type, names.filter(name => !known.includes(name))]).toEqual([type, []])
    }
  })
})
