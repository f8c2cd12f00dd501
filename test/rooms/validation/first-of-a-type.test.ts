/** What the first resource of a type costs, for which schemas are made. */
import { readdirSync, readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { parseResource, type Resource, resourceTypes } from '#fhir'
import { createValidator } from '#validation'
import { schemaOf } from '../../../src/validation/schema.ts'
import { turnsWhile } from '../../turns.ts'

const cases = new URL('../../cases/fhir/us-core/', import.meta.url)
const resources = readdirSync(cases).map((file): [string, Resource] => [
  file,
  parseResource(readFileSync(new URL(file, cases))),
])
const faulty: readonly (readonly [string, object])[] = [
  ['an element that R4 does not know', { resourceType: 'Observation', status: 'final', code: { txt: 'x' } }],
  ['a nested element of another kind', { resourceType: 'Patient', contact: [{ name: 'x' }] }],
  ['a contained one', { resourceType: 'Basic', code: {}, contained: [{ resourceType: 'Location', id: 'l', x: 1 }] }],
  ['an entry', { resourceType: 'Bundle', type: 'collection', entry: [{ resource: { resourceType: 'Slot' } }] }],
  ['very many faults', { resourceType: 'Patient', name: Array.from({ length: 900 }, () => ({ given: 'x' })) }],
]

/** How many schemas are made meanwhile, and at most in one turn of the event loop. */
async function making<T>(work: () => Promise<T>) {
  const { compile } = Ajv.prototype
  // What was begun before has its turn first.
  for (let turn = 0; turn < 3; turn++) await new Promise(resolve => setImmediate(resolve))
  let [made, inTurn, most] = [0, 0, 0]
  let next = setImmediate(begin)
  function begin() {
    inTurn = 0
    next = setImmediate(begin)
  }
  Ajv.prototype.compile = function (this: Ajv, ...asked: Parameters<typeof compile>) {
    made++
    most = Math.max(most, ++inTurn)
    return compile.apply(this, asked)
  } as typeof compile
  try {
    return { ...(await turnsWhile(work)), made, most }
  } finally {
    Ajv.prototype.compile = compile
    clearImmediate(next)
  }
}

describe('the first resource of a type', () => {
  it.each([
    ...resources,
    ...faulty.map(([name, json]) => [name, parseResource(Buffer.from(JSON.stringify(json)))] as const),
  ])('is validated as any other, and one schema is made in a turn: %s', async (_, resource) => {
    const [validator, other] = [createValidator(), createValidator()]
    const first = await making(() => validator.validateSent(resource, 'warnings-too'))
    expect(first.result).toEqual(other.validate(resource, 'warnings-too'))
    expect(first.most).toBeLessThanOrEqual(1)
    expect(first.turns).toBeGreaterThanOrEqual(first.made)
    const second = await making(() => validator.validateSent(resource, 'warnings-too'))
    expect([second.result, second.made]).toEqual([first.result, 0])
    for (const each of [validator, other]) await each.close()
  })

  it('may come twice at once', async () => {
    const validator = createValidator()
    const [[, resource] = ['', { resourceType: 'Basic' }]] = resources
    const found = await making(() => Promise.all([1, 2, 3].map(() => validator.validateSent(resource))))
    expect(found.result).toEqual([[], [], []])
    expect(found.most).toBeLessThanOrEqual(3)
    expect((await making(() => validator.validateSent(resource))).made).toBe(0)
    await validator.close()
  })
})

it('each schema that is made is one – https://json-schema.org/draft-07', () => {
  const ajv = new Ajv({ strict: false })
  const seen = new Set<string>()
  const look = (name: string) => {
    if (seen.has(name)) return
    seen.add(name)
    const schema = schemaOf(name)
    expect([name, ajv.validateSchema(schema)]).toEqual([name, true])
    for (const [, inner = ''] of JSON.stringify(schema).matchAll(/"fhirType(?:OrNull)?":"([^"]+)"/g)) look(inner)
  }
  for (const type of resourceTypes) look(type)
  expect(seen.size).toBeGreaterThan(600)
})

describe('the first resource of a process', () => {
  const first = parseResource(
    JSON.stringify({
      resourceType: 'Observation',
      status: 'final',
      code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }], text: 'x' },
      subject: { reference: 'Patient/a' },
      effectivePeriod: { start: '2026-01-01' },
      valueQuantity: { value: 1, unit: 'mg' },
    }),
  )

  it('finds what it is made of made before it came, a schema in each turn', async () => {
    const validator = createValidator()
    const prepared = await making(() => validator.prepare())
    expect(prepared.most).toBe(1)
    expect(prepared.turns).toBeGreaterThanOrEqual(prepared.made)
    expect((await making(() => validator.validateSent(first))).made).toBe(0)
    await validator.close()
  })

  it('is validated the same while that is being made', async () => {
    const validator = createValidator()
    const [, issues] = await Promise.all([validator.prepare(), validator.validateSent(first)])
    expect(issues).toEqual([])
    await validator.close()
  })
})
