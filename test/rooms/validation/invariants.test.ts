import { readFileSync } from 'node:fs'
import fhirpath from 'fhirpath'
import model from 'fhirpath/fhir-context/r4'
import { parseResource, printJson, type Resource } from '#fhir'
import { createValidator } from '#validation'
import { brokenInvariants } from './broken-invariants.ts'
import { completed } from './completed.ts'

interface Stated {
  readonly key: string
  readonly severity: string
  readonly expression: string
}

const stated = JSON.parse(
  readFileSync(new URL('../../../profiles/invariants.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, readonly Stated[]>>
const validator = createValidator()
afterAll(() => validator.close())

function keysOf(resource: Resource): readonly string[] {
  const broken = validator.validate(resource).filter(({ type }) => type === 'invariant')
  return broken.flatMap(({ text }) => (/\(([^()]+)\)\.?$/.exec(text)?.[1] ?? '').split(', '))
}

function resourceOf(type: string, given: object): Resource {
  return parseResource(printJson(completed(type, given as Record<string, unknown>)))
}

/** Both its elements are mandatory, so that it holds of whatever has the right structure. */
const unbreakable = ['tst-4']

describe('invariants – https://hl7.org/fhir/R4/conformance-rules.html#constraints', () => {
  it.each(brokenInvariants)('%s of %s is told', (key, type, broken) => {
    const resource = resourceOf(type, broken)
    // R4 writes `system='something'` into those of Consent, which is no absolute address.
    const others = validator.validate(resource).filter(issue => issue.type !== 'invariant')
    expect(others.filter(({ expression }) => expression !== 'Consent.scope.coding[0].system')).toEqual([])
    expect(keysOf(resource)).toContain(key)
  })

  it('has something that breaks each of the 203 that are errors', () => {
    const errors = Object.values(stated).flatMap(list => list.filter(({ severity }) => severity === 'error'))
    const keys = new Set([...errors.map(({ key }) => key), 'ele-1', 'ext-1'])
    const broken = [...new Set(brokenInvariants.map(([key]) => key)), ...unbreakable]
    expect([...keys].sort()).toEqual(broken.sort())
    expect(keys.size).toBe(203)
  })

  it('says which, where and in HL7’s words', () => {
    const [, type, broken] = brokenInvariants.find(([key]) => key === 'pat-1') ?? ['', '', {}]
    expect(validator.validate(resourceOf(type, broken))).toEqual([
      {
        severity: 'error',
        type: 'invariant',
        text: "SHALL at least contain a contact's details or a reference to an organization (pat-1)",
        expression: 'Patient.contact[0]',
        rule: 'pat-1',
      },
    ])
  })

  it('warns only when it is asked to', () => {
    const patient = parseResource('{"resourceType":"Patient","active":true}')
    expect(validator.validate(patient)).toEqual([])
    expect(validator.validate(patient, 'warnings-too')).toEqual([
      {
        severity: 'warning',
        type: 'invariant',
        text: 'A resource should have narrative for robust management (dom-6)',
        expression: 'Patient',
        rule: 'dom-6',
      },
    ])
  })
})

/** Each is asked of the same thing by our own means and by the library alone. */
describe('what is told without the library is what the library says', () => {
  // Where the library cannot be right: see `handmade`.
  const apart = new Set([
    'ctm-1',
    'dom-2',
    'dom-4',
    'dom-5',
    'eld-11',
    'eld-16',
    'eld-19',
    'ele-1',
    'ext-1',
    'que-7',
    'ref-1',
    'rng-2',
    'txt-1',
    'txt-2',
  ])
  const ofResources = Object.entries(stated).filter(([place]) => !place.includes('.') && /^[A-Z]/.test(place))
  const breakers = brokenInvariants.filter(
    ([key, type]) => !apart.has(key) && ofResources.some(([place]) => place === type),
  )

  it.each(breakers.map(([key, type, broken]) => ({ key, type, broken })))(
    'of the parts of what breaks $key of $type',
    ({ type, broken }) => {
      for (const resource of partsOf(resourceOf(type, broken))) {
        const issues = validator.validate(resource)
        if (issues.some(issue => issue.type !== 'invariant' || /\(ele-1\)|\(ext-1\)/.test(issue.text))) continue
        expect(keysOf(resource).filter(each => isOf(type, each))).toEqual(byLibrary(type, resource))
      }
    },
  )

  const isOf = (type: string, key: string): boolean =>
    !apart.has(key) && (stated[type] ?? []).some(each => each.key === key)

  function byLibrary(type: string, resource: Resource): readonly string[] {
    const env = { resource, rootResource: resource }
    return (stated[type] ?? [])
      .filter(({ key, severity }) => severity === 'error' && !apart.has(key))
      .filter(({ expression }) => {
        const [result] = fhirpath.evaluate(resource, expression, env, model, { traceFn: () => {} }) as unknown[]
        return result === false || (result === undefined && !/[<>]/.test(expression))
      })
      .map(({ key }) => key)
  }
})

/** The resource, and it without each of its elements. */
function partsOf(resource: Resource): readonly Resource[] {
  const names = Object.keys(resource).filter(name => name !== 'resourceType')
  const without = (name: string) => Object.fromEntries(Object.entries(resource).filter(([each]) => each !== name))
  return [resource, ...names.map(name => without(name) as Resource)]
}
