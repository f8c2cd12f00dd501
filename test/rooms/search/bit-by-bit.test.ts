/** What of the index takes long for a row of very many values, or for a segment of many rows, is done bit by bit. */
import { CompartmentIndex, encodeSegment, extractRow, type IndexRow } from '#search'
import { patientHolder } from './household.ts'

const count = 5_000
const place = { seq: 1, version: 1, lastUpdatedMs: 1, deleted: false }
const many = Array.from({ length: count }, (_, at) => ({ system: 'urn:s', value: `v${at}` }))
const code = { text: 'a' }
const patientWithin = { resourceType: 'Patient', id: 'p', identifier: many }

/** Every dictionary of an index. */
function dictionariesOf({ tables }: CompartmentIndex) {
  const all = [...tables.values()].flatMap(table => [table, ...table.contained.values()])
  return all.flatMap(({ columns }) => columns.flatMap(column => column?.dictionary ?? []))
}

/** How often a text was looked up while a row was added. */
function lookUps(index: CompartmentIndex, row: IndexRow): number {
  let lookedUp = 0
  for (const dictionary of dictionariesOf(index)) {
    const numberOf = dictionary.numberOf.bind(dictionary)
    dictionary.numberOf = text => {
      lookedUp++
      return numberOf(text)
    }
  }
  index.addRow(row)
  return lookedUp
}

function stepsOf(steps: Generator<void, void>): number {
  let done = 0
  while (steps.next().done !== true) done++
  return done
}

describe('a row of very many values is prepared', () => {
  it.each([
    ['as the first of its type', { resourceType: 'Observation', id: 'o', code, identifier: many }],
    ['with what lies within it', { resourceType: 'Observation', id: 'o', code, contained: [patientWithin] }],
  ])('%s: then nothing is looked up as it is added', (_, resource) => {
    const row = extractRow(resource, place)
    const index = new CompartmentIndex(patientHolder('a'))
    expect(stepsOf(index.prepareRow(row))).toBeGreaterThanOrEqual(count)
    expect(dictionariesOf(index).length).toBeGreaterThan(0)
    expect(lookUps(index, row)).toBe(0)
    const plain = new CompartmentIndex(patientHolder('a'))
    plain.addRow(row)
    const textsIn = ({ tables }: CompartmentIndex) =>
      [...tables.values()]
        .flatMap(table => [table, ...table.contained.values()])
        .map(({ columns }) => columns.map(column => column?.textsOf(0)))
    expect(textsIn(index)).toEqual(textsIn(plain))
  })
})

it('a segment is taken in bit by bit, and comes out the same', () => {
  const rows = many.map((identifier, at) =>
    extractRow(
      { resourceType: 'Observation', id: `o${at}`, code, identifier: [identifier] },
      { ...place, seq: at + 1 },
    ),
  )
  const bytes = encodeSegment(rows)
  const [slowly, atOnce] = [new CompartmentIndex(patientHolder('a')), new CompartmentIndex(patientHolder('a'))]
  expect(stepsOf(slowly.addSegmentInSteps(bytes))).toBeGreaterThan(count / 512)
  atOnce.addSegment(bytes)
  expect(slowly.head).toBe(count)
  for (const index of [slowly, atOnce]) expect(index.tables.get('Observation')?.count).toBe(count)
  expect(dictionariesOf(slowly).map(each => each.count)).toEqual(dictionariesOf(atOnce).map(each => each.count))
})
