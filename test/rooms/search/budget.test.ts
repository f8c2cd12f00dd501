import type { Resource } from '#fhir'
import { budgetLeft, isProblem, withBudget } from '#kernel'
import { encodeSegment, encodeSegmentInSteps, evaluate, extractRow, extractRowInSteps, type IndexRow } from '#search'
import { TextsReading } from '../../../src/search/words/text-reading.ts'
import { collectGarbage } from '../../garbage.ts'
import { ask, commonsHolder, Household, patientHolder, queryOf, restricted, seesAll } from './household.ts'

const observation = (id: string, more: object = {}): Resource => ({
  resourceType: 'Observation',
  id,
  status: 'final',
  code: { text: 'Round' },
  subject: { reference: 'Patient/a' },
  valueString: `Heard at ${id}`,
  ...more,
})
const many = (count: number, more: (at: number) => object = () => ({})) =>
  Array.from({ length: count }, (_, at) => observation(`o${at}`, more(at)))

/** What a search charges, and whether it was refused. */
function costOf(search: string, house: readonly Household[], work = 1e9): { spent: number; code: string | undefined } {
  return withBudget({ work }, () => {
    const left = budgetLeft('work')
    try {
      ask(search, house)
      return { spent: left - budgetLeft('work'), code: undefined }
    } catch (error) {
      if (!isProblem(error, 'too-costly')) throw error
      return { spent: left - budgetLeft('work'), code: error.code }
    }
  })
}

describe('the work of a search', () => {
  const house = [new Household(patientHolder('a'), many(2_000))]

  it('is charged by rows and criteria, and refused beyond the limit: budget.work-exceeded', () => {
    const criteria = (count: number) => `Observation?${Array(count).fill('value-string:contains=e').join('&')}`
    const one = costOf(criteria(1), house).spent
    expect(costOf(criteria(100), house).spent).toBeGreaterThan(50 * one)
    expect(costOf(criteria(100), house, 20 * one).code).toBe('budget.work-exceeded')
    expect(costOf(criteria(1), house, 20 * one).code).toBeUndefined()
  })

  it.each([
    ['chains', `Observation?${Array(50).fill('subject:Patient.name:contains=x').join('&')}`],
    ['_has', `Patient?${Array(50).fill('_has:Observation:subject:value-string:contains=e').join('&')}`],
    ['sorting', `Observation?${Array(50).fill('value-string:contains=e').join('&')}&_sort=value-string`],
    ['counting', `Observation?${Array(50).fill('value-string:contains=e').join('&')}&_summary=count`],
    ['including', 'Patient?_revinclude=*'],
  ])('is charged for %s', (_, search) => {
    const people = [new Household(patientHolder('a'), [{ resourceType: 'Patient', id: 'a' }, ...many(2_000)])]
    expect(costOf(search, people).spent).toBeGreaterThan(2_000)
    expect(costOf(search, people, 1_000).code).toBe('budget.work-exceeded')
  })

  it('ends where no row is left, and begins with what costs least', () => {
    const rest = Array(100).fill('value-string:contains=e').join('&')
    for (const search of [`code=none&${rest}`, `${rest}&code=none`])
      expect(costOf(`Observation?${search}`, house).spent).toBeLessThan(20_000)
  })

  it('looks only at the texts of rows that are left', () => {
    const spent = costOf('Observation?_id=o1&value-string:contains=e', house).spent
    expect(spent).toBeLessThan(costOf('Observation?value-string:contains=e', house).spent / 5)
  })
})

describe('a search that is interrupted', () => {
  /** Ends what was begun, writing something between any two steps. */
  function interrupted(search: string, house: readonly Household[], write: (at: number) => void): string[] {
    const indexes = house.map(({ index }) => index)
    const steps = evaluate(restricted(queryOf(search), seesAll), indexes, { offset: 0 })
    for (let at = 0; ; at++) {
      const step = steps.next()
      if (step.done === true)
        return [...step.value.matches, ...step.value.included].map(({ compartment, seq }) => `${compartment} ${seq}`)
      write(at)
    }
  }

  it.each([
    'Observation?value-string:contains=e&_sort=value-string',
    'Observation?code:text=ro&_sort=-date,_id',
    'Observation?date=ge2019&_sort=date&_count=1000',
    'Observation?subject:Patient.name=alder&_include=*',
    'Patient?_has:Observation:subject:value-string:contains=9&_revinclude=Observation:subject',
    'Observation?value-quantity=gt5&_sort=value-quantity',
    'Observation?code:not=x&_sort=code&_count=500',
  ])('answers as if nobody had written meanwhile: %s', search => {
    const dated = (at: number) => ({
      effectiveDateTime: `20${10 + (at % 15)}-01-01`,
      valueQuantity: { value: at % 50, unit: 'x' },
      valueString: undefined,
      ...(at % 2 === 0 ? { valueQuantity: undefined, valueString: `Heard ${at}` } : {}),
    })
    const open = () => [
      new Household(patientHolder('a'), [
        { resourceType: 'Patient', id: 'a', name: [{ family: 'Alder' }] },
        ...many(6_000, dated),
      ]),
      new Household(commonsHolder, [{ resourceType: 'Practitioner', id: 'p' }]),
    ]
    const house = open()
    // Several codes and subjects: what had one place for each row has many from now on.
    const written = interrupted(search, house, at =>
      house[0]?.write(
        observation(`late${at % 3}`, {
          code: { coding: [{ code: 'a' }], text: `New ${at}` },
          category: [{ text: 'x' }, { text: 'y' }],
          performer: [{ reference: 'Patient/a' }, { reference: 'Practitioner/p' }],
          effectiveDateTime: '2030-01-01',
          valueString: `Heard late ${at}`,
        }),
      ),
    )
    expect(written).toEqual(interrupted(search, open(), () => undefined))
    expect(written.length).toBeGreaterThan(0)
  })
})

describe('a sort by texts of which no two are the same', () => {
  it('gives the same order whether few or many are there, ascending and descending, with gaps', () => {
    const texts = Array.from({ length: 5_000 }, (_, at) => `t${String((at * 7_919) % 5_000).padStart(4, '0')}`)
    const crowd = new Household(
      patientHolder('a'),
      texts.map((text, at) => observation(`o${at}`, { valueString: at % 10 === 0 ? undefined : text })),
    )
    const valued = texts.flatMap((text, at) => (at % 10 === 0 ? [] : [{ text, name: `Observation/o${at}` }]))
    const ascending = valued.toSorted((a, b) => (a.text < b.text ? -1 : 1)).map(({ name }) => name)
    const first = (sort: string, offset = 0) => ask(`Observation?_sort=${sort}&_count=40`, [crowd], seesAll, { offset })
    expect(first('value-string').matches).toEqual(ascending.slice(0, 40))
    expect(first('value-string', 3_000).matches).toEqual(ascending.slice(3_000, 3_040))
    expect(first('-value-string').matches).toEqual(ascending.toReversed().slice(0, 40))
    expect(first('value-string', 4_990).matches.at(-1)).toBe('Observation/o0')
  })
})

describe('making a segment', () => {
  const stepsOf = (rows: readonly IndexRow[]) => {
    const steps = encodeSegmentInSteps(rows)
    for (let count = 0; ; count++) {
      const step = steps.next()
      if (step.done === true) return { count, bytes: step.value }
    }
  }
  const rowsOf = (resources: readonly Resource[]) =>
    resources.map((resource, at) => extractRow(resource, { seq: at + 1, version: 1, lastUpdatedMs: 1, deleted: false }))

  it.each([
    ['thousands of rows', rowsOf(many(4_096))],
    [
      'a row of thousands of values',
      rowsOf([observation('o', { identifier: Array.from({ length: 8_192 }, (_, at) => ({ value: `${at}` })) })]),
    ],
    [
      'thousands of resources within one',
      rowsOf([
        observation('o', {
          contained: Array.from({ length: 4_096 }, (_, at) => ({
            resourceType: 'Patient',
            id: `p${at}`,
            name: [{ family: `F${at}` }],
          })),
        }),
      ]),
    ],
  ])('of %s lets others have their turn, and comes out the same', (_, rows) => {
    const { count, bytes } = stepsOf(rows)
    expect(count).toBeGreaterThan(8)
    expect(bytes).toEqual(encodeSegment(rows))
  })

  it('packs few ids between two steps', () => {
    let packed = 0
    const rows = rowsOf(many(8_192)).map(({ id, cells: _, ...row }) => ({
      ...row,
      cells: [],
      get id() {
        packed++
        return id
      },
    }))
    const steps = encodeSegmentInSteps(rows)
    // All ids are taken out of their rows first; then they are packed.
    let count = 0
    while (steps.next().done !== true) count++
    expect([packed, count]).toEqual([8_192, expect.any(Number)])
    expect(count).toBeGreaterThanOrEqual(8)
  })
})

describe('making the row of a large resource', () => {
  const count = 4_096
  const each = (make: (at: number) => object) => Array.from({ length: count }, (_, at) => make(at))
  const place = { seq: 1, version: 1, lastUpdatedMs: 1, deleted: false }
  const turnsOf = (resource: Resource) => [...extractRowInSteps(resource, place)].length
  const component = (at: number) => ({
    code: { coding: [{ code: `c${at}` }] },
    valueQuantity: { value: at, code: 'mg' },
  })

  it.each<[string, object]>([
    ['identifiers', { identifier: each(at => ({ system: 'urn:s', value: `v${at}` })) }],
    ['components', { component: each(component) }],
    ['notes', { note: each(at => ({ text: `n${at}` })) }],
    ['tags, in a list within an element', { meta: { tag: each(at => ({ system: 'urn:s', code: `c${at}` })) } }],
    ['codings of one concept', { code: { coding: each(at => ({ system: 'urn:s', code: `c${at}`, display: 'd' })) } }],
    ['performers with numbers', { performer: each(at => ({ identifier: { value: `${at}` } })) }],
    ['references that a parameter covers', { derivedFrom: each(at => ({ reference: `Media/${at}` })) }],
    [
      'references that none covers',
      { extension: each(at => ({ url: 'urn:x', valueReference: { reference: `Group/${at}` } })) },
    ],
    ['resources within it', { contained: each(at => ({ resourceType: 'Patient', id: `p${at}`, gender: 'female' })) }],
    [
      'one resource within it that is large itself',
      { contained: [{ resourceType: 'Patient', id: 'p', identifier: each(at => ({ value: `${at}` })) }] },
    ],
    ...(
      [
        ['words with spaces', 'word '],
        ['words with line ends', 'word\n'],
        ['words with commas', 'word,'],
        ['words of a script without spaces', '糖尿病'],
        ['letters without end', 'бббб'],
        ['tags within a line', '<b>x</b>'],
        ['tags within a line that are empty', '<i/>'],
        ['tags within tags', '<span class="a/b"><sub>'],
        ['tags of several lines', '<b\n>x</b\n>'],
        ['entities', '&amp;'],
      ] as const
    ).flatMap(([name, text]): [string, object][] => [
      [`a text of ${name}`, { note: [{ text: text.repeat(count * 16) }] }],
      [`a narrative of ${name}`, { text: { status: 'generated', div: `<div>${text.repeat(count * 16)}</div>` } }],
    ]),
    ['extensions within an extension', { extension: [{ url: 'urn:x', extension: each(at => ({ url: `u${at}` })) }] }],
  ])('lets others have their turn: %s', (_, more) => {
    expect(turnsOf(observation('o', more))).toBeGreaterThan(8)
    expect(turnsOf(observation('o'))).toBe(0)
  })

  it.each<[string, (codings: object) => object]>([
    ['the code', code => ({ code })],
    ['one of a list', category => ({ category: [{ text: 'x' }, category] })],
    ['of an element in a list', code => ({ component: [{ code, valueString: 'a' }] })],
    ['of a resource within it', code => ({ contained: [{ resourceType: 'Observation', id: 'c', code }] })],
  ])('reads few codings of one concept between two steps: %s', (_, more) => {
    let read = 0
    const countedCoding = (at: number) => ({
      system: 'urn:s',
      get code() {
        read++
        return `c${at}`
      },
    })
    const steps = extractRowInSteps(observation('o', more({ coding: each(countedCoding) })), place)
    const inSteps: number[] = []
    for (let done = false; !done; read = 0) {
      done = steps.next().done === true
      inSteps.push(read)
    }
    expect(inSteps.reduce((sum, one) => sum + one)).toBeGreaterThanOrEqual(count)
    expect(Math.max(...inSteps)).toBeLessThan(count / 8)
  })

  it('looks at few entries of one list between two steps, whatever they are', () => {
    let looked = 0
    const note = new Proxy(
      each(() => ({ text: 'a' })),
      {
        get: (all, name) => {
          looked++
          return Reflect.get(all, name)
        },
      },
    )
    const steps = extractRowInSteps(observation('o', { note }), place)
    const inSteps: number[] = []
    for (let done = false; !done; looked = 0) {
      done = steps.next().done === true
      inSteps.push(looked)
    }
    expect(inSteps.reduce((sum, one) => sum + one)).toBeGreaterThanOrEqual(count)
    expect(Math.max(...inSteps)).toBeLessThan(count)
  })

  it.each([
    ['whole', Number.POSITIVE_INFINITY],
    ['in part', 100],
    ['not at all', 0],
  ])('is appended the same when it was prepared %s; what was prepared is not looked up again', (_, steps) => {
    const { index } = new Household(patientHolder('a'), [observation('first')])
    const identifier = each(at => ({ system: 'urn:s', value: `v${at % 100}` }))
    const row = extractRow(observation('o', { identifier, valueQuantity: { value: 1 } }), { ...place, seq: 2 })
    const preparing = index.prepareRow(row)
    for (let at = 0; at < steps && preparing.next().done !== true; at++);
    let lookedUp = 0
    const table = index.tables.get('Observation')
    const columns = row.cells.flatMap(cell => table?.column(cell.source.index) ?? [])
    for (const { dictionary } of columns) {
      if (dictionary === undefined) continue
      const numberOf = dictionary.numberOf.bind(dictionary)
      dictionary.numberOf = text => {
        lookedUp++
        return numberOf(text)
      }
    }
    index.addRow(row)
    expect(columns.map(column => column.textsOf(1))).toEqual(row.cells.map(({ texts }) => texts))
    expect(lookedUp === 0).toBe(steps > count)
  })

  it('reads the same values as at once', () => {
    const some: readonly object[] = [
      { identifier: each(at => ({ system: 'urn:s', value: `v${at}` })), category: [null, { text: 'a' }] },
      {
        component: each(component),
        meta: { tag: each(at => ({ code: `c${at}` })), profile: [null, 'http://a.example/p'] },
      },
      { component: [{ code: { coding: each(at => ({ code: `c${at}` })) }, valueString: 'a' }, component(1)] },
      { valueQuantity: { value: 3, code: 'mg' }, performer: each(at => ({ reference: `Practitioner/${at % 9}` })) },
      { contained: [{ resourceType: 'Patient', id: 'p', name: each(at => ({ given: [`g${at}`, null] })) }] },
      { code: { coding: [null, ...each(at => ({ code: `c${at}`, display: 'd' })), 'x'], text: 'a\u001eb' } },
      { category: [{ coding: each(() => ({})) }, { coding: each(at => ({ system: `urn:${at}` })) }] },
    ]
    for (const more of some) {
      const resource = observation('o', more)
      const steps = extractRowInSteps(resource, place)
      let step = steps.next()
      while (step.done !== true) step = steps.next()
      expect(step.value).toEqual(extractRow(resource, place))
    }
  })

  it.each([
    ['tags within a line and at its ends', '<p>H<sub>2</sub>O <span class="quokka wombat">vi</span>tal</p>'],
    ['tags without spaces', '<td>one</td><td>two</td>'],
    ['pictures that are written out', `bone <img src="data:image/png;base64,${'QUFB/'.repeat(4_000)}" alt="quokka"/> `],
    ['entities', 'caf&#233;s &amp; H&#x32;O, '],
    ['characters beyond the first plane', '𠀀𠀁𠀂'],
    ['accents that stand alone', 'Mu\u0308ller, が\u3099, '],
  ])('reads the same words as at once: %s', (_, inner) => {
    for (let before = 0; before < 8; before++) {
      const div = `<div>${'x'.repeat(before)} ${inner.repeat(Math.ceil(20_000 / inner.length))}</div>`
      const resource = observation('o', { text: { status: 'generated', div }, note: [{ text: div }] })
      const steps = extractRowInSteps(resource, place)
      let step = steps.next()
      while (step.done !== true) step = steps.next()
      expect(step.value).toEqual(extractRow(resource, place))
    }
  })

  it('does not go through all texts before it begins to read them', () => {
    let looked = 0
    const texts = new Proxy(
      Array.from({ length: count }, (_, at) => `n${at}`),
      {
        get: (all, name) => {
          looked++
          return Reflect.get(all, name)
        },
      },
    )
    const reading = new TextsReading(texts, 'en')
    expect(reading.goOn(64)).toBe(false)
    expect(looked).toBeLessThan(count)
    reading.goOn(Number.POSITIVE_INFINITY)
    expect(reading.sentences).toHaveLength(count)
  })

  it('reads each of its texts once', () => {
    const reading = new TextsReading(['red', 'wolf', 'red', 'red', 'x '.repeat(200), 'wolf', 'x '.repeat(200)], 'en')
    while (!reading.goOn(16));
    expect(reading.sentences.map(each => each.trim().slice(0, 3))).toEqual(['red', 'wol', 'x x'])
  })

  it('remembers nothing of what is too long for a word', async () => {
    const read = (at: number) =>
      extractRow(observation('o', { note: [{ text: `a ${at}${'b'.repeat(200_000)}` }] }), place)
    read(0)
    await collectGarbage()
    const before = process.memoryUsage().heapUsed
    for (let at = 1; at <= 200; at++) read(at)
    await collectGarbage()
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(10_000_000)
  })

  const whole = new Household(patientHolder('a'), [
    observation('o', {
      identifier: each(at => ({ system: 'urn:s', value: `v${at}` })),
      component: each(component),
      derivedFrom: each(at => ({ reference: `Media/${at}` })),
    }),
  ])
  it.each([0, 255, 256, 257, 511, 512, count - 1])('finds it by each of its values: number %d', at => {
    const found = (search: string) => ask(`Observation?${search}`, [whole]).matches
    for (const search of [
      `identifier=urn:s|v${at}`,
      `derived-from=Media/${at}`,
      `component-code=c${at}`,
      `component-code-value-quantity=c${at}$${at}`,
    ])
      expect([search, found(search)]).toEqual([search, ['Observation/o']])
    for (const search of [
      `identifier=urn:s|w${at}`,
      `component-code-value-quantity=c${at}$${at + 1}`,
      `component-code-value-quantity=c${at}$${(at + 256) % count}`,
    ])
      expect([search, found(search)]).toEqual([search, []])
  })
})
