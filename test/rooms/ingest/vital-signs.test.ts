import { readdirSync, readFileSync } from 'node:fs'
import type { Resource } from '#fhir'
import { readTakeout } from '../../../src/ingest/fit/read-takeout.ts'
import { recogniseFit } from '../../../src/ingest/fit/recognise.ts'
import { defaultLimits } from '../../../src/ingest/limits.ts'
import { factsLike } from '../../../src/ingest/measures/like.ts'
import { at, databaseOf, record } from './health-connect-files.ts'
import { everything, found, ingested, openHouse } from './house.ts'
import { appleCase, bytesOf, cases, context, gathered, hl7Outcomes, observationsOf, readApple } from './reading.ts'

/** https://hl7.org/fhir/R4/valueset-ucum-vitals-common.html: what the value of a component is bound to, required. */
const vitalUnits = new Set([
  '%',
  'cm',
  '[in_i]',
  'kg',
  'g',
  '[lb_av]',
  'Cel',
  '[degF]',
  'mm[Hg]',
  '/min',
  'kg/m2',
  'm2',
])
const categorySystem = 'http://terminology.hl7.org/CodeSystem/observation-category'

interface Concept {
  readonly coding?: readonly { readonly system?: string; readonly code?: string }[]
}

interface Component {
  readonly code?: Concept
  readonly dataAbsentReason?: unknown
  readonly [element: string]: unknown
}

const valuesIn = (node: Readonly<Record<string, unknown>>) => Object.keys(node).filter(name => /^value[A-Z]/.test(name))
const isCoded = (concept: unknown) =>
  ((concept as Concept | undefined)?.coding ?? []).some(
    ({ system, code }) => system !== undefined && code !== undefined,
  )
const isVitalSign = ({ category }: Resource) =>
  ((category ?? []) as Concept[]).some(({ coding = [] }) =>
    coding.some(({ system, code }) => system === categorySystem && code === 'vital-signs'),
  )

/** What of the profile a resource does not keep: https://hl7.org/fhir/R4/observation-vitalsigns.html */
function faultsOf(resource: Resource): string[] {
  const { subject, effectiveDateTime, effectivePeriod, component = [], hasMember, code, dataAbsentReason } = resource
  const faults: string[] = []
  const check = (holds: boolean, fault: string) => holds || faults.push(fault)
  check(subject !== undefined, 'subject 1..1')
  check(isCoded(code), 'code: a vital sign has a code')
  check(effectiveDateTime !== undefined || effectivePeriod !== undefined, 'effective[x] 1..1')
  check(effectiveDateTime === undefined || String(effectiveDateTime).length >= 8, 'vs-1: precise to the day')
  const isSaid = valuesIn(resource).length > 0 || dataAbsentReason !== undefined
  check((component as Component[]).length > 0 || hasMember !== undefined || isSaid, 'vs-2: value or reason')
  for (const one of component as Component[]) {
    check(isCoded(one.code), 'component.code: uncoded')
    check(valuesIn(one).length > 0 || one.dataAbsentReason !== undefined, 'vs-3: value or reason')
    for (const name of valuesIn(one))
      check(name === 'valueQuantity', `component.${name}: not of the units of vital signs`)
    const quantity = one.valueQuantity as { system?: string; code?: string } | undefined
    check(quantity === undefined || vitalUnits.has(quantity.code ?? ''), `component.valueQuantity: ${quantity?.code}`)
  }
  return faults
}

const quantities = JSON.parse(
  readFileSync(new URL('../../../mappings/apple-health/quantity-types.json', import.meta.url), 'utf8'),
)
const fitTypes = JSON.parse(
  readFileSync(new URL('../../../mappings/google-fit/data-types.json', import.meta.url), 'utf8'),
)

interface ConnectField {
  readonly field: string
}
const connectTypes: {
  readonly rows: readonly {
    readonly table: string
    readonly like?: string
    readonly category?: string
    readonly value?: ConnectField
    readonly components?: readonly ConnectField[]
    readonly series?: { readonly table: string }
  }[]
} = JSON.parse(readFileSync(new URL('../../../mappings/health-connect/record-types.json', import.meta.url), 'utf8'))

/** Messages with measurements; those of other types have none. */
const messages = readdirSync(new URL('hl7v2/', cases)).filter(name =>
  /^(?:ADT-A0|ADT0|LAB|efferent|ig|lfh).*\.hl7$/.test(name),
)

describe('every imported vital sign keeps the profile – https://hl7.org/fhir/R4/observation-vitalsigns.html', () => {
  it.each(readdirSync(new URL('apple-health/', cases)).filter(name => name.endsWith('.xml')))(
    'apple-health/%s',
    async name => {
      for (const resource of observationsOf(await appleCase(name)).filter(isVitalSign))
        expect(faultsOf(resource)).toEqual([])
    },
  )

  it('of Apple Health, each type with all the metadata there is', async () => {
    const keys = JSON.parse(
      readFileSync(new URL('../../../mappings/apple-health/metadata.json', import.meta.url), 'utf8'),
    ).rows
    const metadata = keys
      .map(
        ({ key, values }: { key: string; values?: { value: string }[] }) =>
          `<MetadataEntry key="${key}" value="${values?.at(-1)?.value ?? '1'}"/>`,
      )
      .join('')
    const units: Readonly<Record<string, string>> = {
      '/min': 'count/min',
      Cel: 'degC',
      'mm[Hg]': 'mmHg',
      'kg/m2': 'count',
    }
    const rows = quantities.rows.filter(({ category }: { category: string }) => category === 'vital-signs')
    const records = rows.map(({ type, ucum }: { type: string; ucum: string }) => {
      const span = 'startDate="2024-03-10 08:00:00 +0000" endDate="2024-03-10 08:00:00 +0000"'
      return `<Record type="HKQuantityTypeIdentifier${type}" sourceName="W" unit="${units[ucum] ?? ucum}" value="1" ${span}>${metadata}<MetadataEntry key="com.example.x" value="y"/></Record>`
    })
    const observations = observationsOf(
      await readApple(bytesOf(`<HealthData>${records.join('')}</HealthData>`)),
    ).filter(isVitalSign)
    // The two halves of a blood pressure are one.
    expect(observations).toHaveLength(rows.length - 1)
    for (const resource of observations) expect(faultsOf(resource)).toEqual([])
  })

  it('of Google Fit, each type with all its fields', async () => {
    const types = fitTypes.rows.filter(({ category }: { category: string }) => category === 'vital-signs')
    const points = types.map(
      ({ type }: { type: string }) =>
        `{"dataTypeName":"${type}","startTimeNanos":1715771743000000000,"endTimeNanos":1715771743000000000,"fitValue":[{"value":{"fpVal":37}},{"value":{"intVal":1}},{"value":{"intVal":1}},{"value":{"intVal":1}},{"value":{"intVal":1}}]}`,
    )
    const file = `{"Data Source":"raw:x:y","Data Points":[${points.join(',')}]}`
    const stream = { ...(recogniseFit(file) ?? { dataSource: 'raw:x:y', empty: false }), open: () => bytesOf(file) }
    const observations = observationsOf(await gathered(readTakeout([stream], context, defaultLimits)))
    expect(observations).toHaveLength(types.length)
    for (const resource of observations) expect(faultsOf(resource)).toEqual([])
  })

  it('of Health Connect, each table with all its columns', async () => {
    const { rows } = connectTypes
    const vital = rows.filter(({ like, category = factsLike(like ?? '').category }) => category === 'vital-signs')
    expect(vital.length).toBeGreaterThan(7)
    for (const { table, value, components = [], series } of vital) {
      const cells = [...(value === undefined ? [] : [value]), ...components].map(({ field }) => [field, 2] as const)
      const said = series === undefined ? [record(Object.fromEntries(cells))] : [record({ row_id: 1 }, 1000)]
      const samples = series && { [series.table]: [{ parent_key: 1, epoch_millis: at, ...Object.fromEntries(cells) }] }
      const house = await openHouse()
      const file = databaseOf({ [table]: said, ...samples }, '', { table, cells: cells.map(([name]) => name) })
      await ingested(house, house.anna, everything(), file)
      const observations = await found(house.record, 'Observation')
      expect(observations).toHaveLength(1)
      for (const resource of observations) expect(faultsOf(resource)).toEqual([])
    }
  })

  it.each(messages)('hl7v2/%s', name => {
    const outcomes = hl7Outcomes(readFileSync(new URL(`hl7v2/${name}`, cases))).flat()
    for (const resource of observationsOf(outcomes).filter(isVitalSign)) expect(faultsOf(resource)).toEqual([])
  })
})

describe('the rules of the profile', () => {
  const good: Resource = {
    resourceType: 'Observation',
    code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
    subject: { reference: 'Patient/x' },
    effectiveDateTime: '2024-03-10',
    valueQuantity: { value: 1 },
  }
  const component = { code: good.code, valueQuantity: { value: 1, code: '/min' } }

  it.each([
    ['nothing', {}, 0],
    ['no subject', { subject: undefined }, 1],
    ['no code', { code: { text: 'x' } }, 1],
    ['no time', { effectiveDateTime: undefined }, 1],
    ['a month', { effectiveDateTime: '2024-03' }, 1],
    ['no value', { valueQuantity: undefined }, 1],
    ['a component', { component: [component] }, 0],
    ['a component without a code', { component: [{ ...component, code: { text: 'x' } }] }, 1],
    ['a component with words', { component: [{ code: good.code, valueCodeableConcept: { text: 'x' } }] }, 1],
    [
      'a component in another unit',
      { component: [{ code: good.code, valueQuantity: { value: 1, code: 'L/min' } }] },
      1,
    ],
    ['a component without a value', { component: [{ code: good.code }] }, 1],
  ])('are tested: %s', (_, change, faults) => {
    const resource: Resource = JSON.parse(JSON.stringify({ ...good, ...change }))
    expect(faultsOf(resource)).toHaveLength(faults)
  })
})
