import { zstdCompressSync } from 'node:zlib'
import type { Resource } from '#fhir'
import { isProblem } from '#kernel'
import {
  CompartmentIndex,
  type Criterion,
  encodeSegment,
  extractRow,
  matches,
  parseCriterion,
  type Sight,
  type Vision,
} from '#search'
import { ask, baseUrl, commonsHolder, Household, patientHolder, seesAll } from './household.ts'

function observation(id: string, more: object): Resource {
  return { resourceType: 'Observation', id, status: 'final', code: { coding: [{ code: 'c' }] }, ...more }
}

function codeOf(work: () => unknown): string | undefined {
  try {
    work()
  } catch (error) {
    if (isProblem(error)) return error.code
    throw error
  }
  return undefined
}

/** What `patient/` scopes of one patient see: their record, and of the commons what it leads to. */
function visionFor(patient: string): Vision {
  const own: Sight = { kind: 'all' }
  const referenced: Sight = { kind: 'all', referencedOnly: true }
  const none: Sight = { kind: 'none' }
  return (_type, holder) => (holder.kind === 'commons' ? referenced : holder.patient === patient ? own : none)
}

const ann = (): Household =>
  new Household(patientHolder('a'), [
    {
      resourceType: 'Patient',
      id: 'a',
      name: [{ family: 'Ann' }],
      generalPractitioner: [{ reference: 'Practitioner/known' }],
    },
    observation('a1', {
      subject: { reference: 'Patient/a' },
      effectiveDateTime: '2026-01-01',
      valueQuantity: { value: 1 },
    }),
    observation('a2', {
      subject: { reference: 'Patient/a' },
      effectiveDateTime: '2026-01-03',
      focus: [{ reference: 'Patient/b' }],
    }),
  ])
const ben = (): Household =>
  new Household(patientHolder('b'), [
    {
      resourceType: 'Patient',
      id: 'b',
      name: [{ family: 'Ben' }],
      link: [{ other: { reference: 'Patient/a' }, type: 'seealso' }],
    },
    observation('b1', {
      subject: { reference: 'Patient/b' },
      effectiveDateTime: '2026-01-02',
      performer: [{ reference: 'Practitioner/other' }],
    }),
    observation('b2', {
      subject: { reference: 'Patient/b' },
      focus: [{ reference: 'Patient/a' }],
      note: [{ authorReference: { reference: 'Practitioner/noted' }, text: 'n' }],
    }),
  ])
const commons = (): Household =>
  new Household(commonsHolder, [
    { resourceType: 'Organization', id: 'top', name: 'Top' },
    { resourceType: 'Organization', id: 'hidden', name: 'Hidden' },
    { resourceType: 'Practitioner', id: 'known', name: [{ family: 'Known' }] },
    { resourceType: 'Practitioner', id: 'other', name: [{ family: 'Other' }] },
    { resourceType: 'Practitioner', id: 'noted', name: [{ family: 'Noted' }] },
    {
      resourceType: 'PractitionerRole',
      id: 'role',
      practitioner: { reference: 'Practitioner/known' },
      organization: { reference: 'Organization/top' },
    },
  ])

describe('vision – what a caller may not see does not exist for it', () => {
  const house = [ann(), ben(), commons()]
  const onlyAnn = visionFor('a')

  it.each([
    ['Observation?', ['Observation/a2', 'Observation/a1']],
    ['Observation?subject=Patient/b', []],
    ['Observation?subject=Patient/a,Patient/b&_sort=date', ['Observation/a1', 'Observation/a2']],
    ['Observation?subject.name=Ben', []],
    ['Observation?focus:Patient.name:missing=false', []],
    ['Observation?focus:Patient._id=b', []],
    ['Patient?_has:Observation:focus:code=c', []],
    ['Patient?_has:Patient:link:name=Ben', []],
    ['Patient?_id=b,a', ['Patient/a']],
    ['Patient?name:not=x', []],
    ['Practitioner?', ['Practitioner/known']],
    ['Organization?', []],
    ['Observation?patient.general-practitioner:Practitioner.family=known', ['Observation/a2', 'Observation/a1']],
    ['Observation?performer:Practitioner.family=other', []],
  ])('%s', (search, found) => {
    if (search.includes('name:not')) {
      expect(codeOf(() => ask(search, house, onlyAnn))).toBe('search.modifier-unknown')
      return
    }
    const { matches: names, result } = ask(search, house, onlyAnn)
    expect(names).toEqual(found)
    expect(result.total).toBe(found.length)
  })

  it.each([
    ['Observation?_id=a2&_include=Observation:focus', []],
    ['Observation?_id=a2&_include=*', ['Patient/a']],
    ['Patient?_revinclude=Observation:focus', []],
    ['Patient?_revinclude=*', ['Observation/a2', 'Observation/a1']],
    [
      'Patient?_include=Patient:general-practitioner&_revinclude:iterate=*',
      ['Practitioner/known', 'Observation/a2', 'Observation/a1'],
    ],
  ])('%s includes nothing else', (search, included) => {
    expect([...ask(search, house, onlyAnn).included].sort()).toEqual([...included].sort())
  })

  it('gives the same answers as a house in which the others do not exist', () => {
    const alone = [ann(), commons()]
    for (const search of [
      'Observation?_total=accurate&_sort=-value-quantity',
      'Observation?_sort=subject&_count=1',
      'Practitioner?_sort=family&_revinclude=*',
      'Patient?_revinclude=*&_include:iterate=*',
      'Observation?focus:missing=false&_include=Observation:focus',
    ]) {
      expect(ask(search, house, onlyAnn).result).toEqual(ask(search, alone, onlyAnn).result)
    }
  })

  it('follows references beyond all parameters, from visible rows alone', () => {
    expect(ask('Practitioner?_sort=_id', house, visionFor('b')).matches).toEqual([
      'Practitioner/noted',
      'Practitioner/other',
    ])
  })

  it('goes on through the commons, from what is seen there', () => {
    const role = new Household(patientHolder('a'), [
      { resourceType: 'Patient', id: 'a', generalPractitioner: [{ reference: 'PractitionerRole/role' }] },
    ])
    expect(ask('Organization?', [role, commons()], onlyAnn).matches).toEqual(['Organization/top'])
    expect(ask('Practitioner?', [role, commons()], onlyAnn).matches).toEqual(['Practitioner/known'])
  })

  it('forgets what a deleted row led to', () => {
    const [record, shared] = [ann(), commons()]
    expect(ask('Practitioner?', [record, shared], onlyAnn).matches).toEqual(['Practitioner/known'])
    record.write({ resourceType: 'Patient', id: 'a' }, true)
    expect(ask('Practitioner?', [record, shared], onlyAnn).matches).toEqual([])
  })

  it('sees some rows of a type, by criteria', () => {
    const early = [parseCriterion('Observation', 'date', 'lt2026-01-02', baseUrl)]
    const withValue = [parseCriterion('Observation', 'value-quantity', 'gt5', baseUrl)]
    const some: Vision = type =>
      type === 'Observation' ? { kind: 'some', anyOf: [early, withValue] } : { kind: 'none' }
    expect(ask('Observation?_total=accurate', house, some).matches).toEqual(['Observation/a1'])
    expect(ask('Observation?subject.name=ann', house, some).matches).toEqual([])
    expect(ask('Patient?_has:Observation:patient:code=c', house, some).matches).toEqual([])
  })

  it('narrows chains and _has to the rows of a sight', () => {
    const early = [parseCriterion('Observation', 'date', '2026-01-01', baseUrl)]
    const some: Vision = type => (type === 'Observation' ? { kind: 'some', anyOf: [early] } : { kind: 'all' })
    expect(ask('Patient?_has:Observation:patient:code=c', house, some).matches).toEqual(['Patient/a'])
  })

  it('includes by another vision than it matches', () => {
    const none: Vision = () => ({ kind: 'none' })
    const { matches: found, included } = ask(
      'Observation?_id=a1&_include=Observation:subject',
      house,
      onlyAnn,
      { offset: 0 },
      none,
    )
    expect(found).toEqual(['Observation/a1'])
    expect(included).toEqual([])
  })

  it('never lets a sight reach for other resources', async () => {
    const chained = [parseCriterion('Observation', 'patient.name', 'ann', baseUrl)]
    const some: Vision = () => ({ kind: 'some', anyOf: [chained] })
    expect(ask('Observation?', house, some).matches).toEqual([])
    expect(await matches(observation('x', { subject: { reference: 'Patient/a' } }), chained)).toBe(false)
  })
})

describe('several compartments – https://hl7.org/fhir/R4/search.html#sort', () => {
  const house = [ann(), ben(), commons()]

  it('merges sorted matches', () => {
    expect(ask('Observation?_sort=date', house).matches).toEqual([
      'Observation/a1',
      'Observation/b1',
      'Observation/a2',
      'Observation/b2',
    ])
    expect(ask('Patient?_sort=-name', house).matches).toEqual(['Patient/b', 'Patient/a'])
  })

  // A parameter that means Patients (`where(resolve() is Patient)`) has no value where the element leads elsewhere.
  it.each([2, 5_000])('sorts by the references that a parameter means, and puts others last: %d of them', count => {
    const others = Array.from({ length: count }, (_, i) =>
      observation(`o${i}`, { subject: { reference: i % 2 === 0 ? `Group/z${i}` : `Device/a${i}` } }),
    )
    const rows = ['b', 'a', 'c'].map(id => observation(id, { subject: { reference: `Patient/${id}` } }))
    const mixed = [new Household(patientHolder('a'), [...others, ...rows])]
    const first = (sort: string) => ask(`Observation?_sort=${sort}&_count=3`, mixed).matches
    expect(first('patient')).toEqual(['Observation/a', 'Observation/b', 'Observation/c'])
    expect(first('-patient')).toEqual(['Observation/c', 'Observation/b', 'Observation/a'])
    // All that the element leads to are values of `subject`.
    expect(first('-subject')).toEqual(['Observation/c', 'Observation/b', 'Observation/a'])
    expect(first('subject')[0]).toBe('Observation/o1')
  })

  it('does not depend on the order in which compartments are given', () => {
    const turned = [...house].reverse()
    for (const search of ['Observation?', 'Observation?_sort=code', 'Patient?_sort=gender&_revinclude=*']) {
      expect(ask(search, turned).result).toEqual(ask(search, house).result)
    }
  })

  it('follows chains and includes from one into another', () => {
    expect(ask('Observation?performer:Practitioner.family=other', house).matches).toEqual(['Observation/b1'])
    expect(ask('Observation?_id=b1&_include=Observation:performer', house).included).toEqual(['Practitioner/other'])
    expect(ask('Practitioner?_has:Observation:performer:patient=b', house).matches).toEqual(['Practitioner/other'])
  })
})

describe('pages – https://hl7.org/fhir/R4/http.html#paging', () => {
  const many = new Household(
    patientHolder('a'),
    Array.from({ length: 120 }, (_, i) => observation(`o${i}`, { valueQuantity: { value: (i * 37) % 50 } })),
  )

  it('has fifty matches without _count, and says whether more follow', () => {
    const { result } = ask('Observation?', [many])
    expect(result.matches).toHaveLength(50)
    expect(result.more).toBe(true)
    expect(result.total).toBeUndefined()
    expect(ask('Observation?_count=120', [many]).result).toMatchObject({ more: false, total: 120 })
  })

  it.each(['', '&_sort=value-quantity', '&_sort=-value-quantity,_id', '&_sort=code'])(
    'pages add up to the whole (%s)',
    order => {
      const whole = ask(`Observation?_count=1000${order}`, [many]).matches
      const pages: string[] = []
      for (let offset = 0; offset < 120; offset += 7) {
        pages.push(...ask(`Observation?_count=7${order}`, [many], undefined, { offset }).matches)
      }
      expect(pages).toEqual(whole)
      expect(new Set(whole).size).toBe(120)
    },
  )

  it('has nothing beyond the end', () => {
    expect(ask('Observation?', [many], undefined, { offset: 500 }).result).toEqual({
      matches: [],
      included: [],
      more: false,
    })
  })
})

describe('asOf – pages do not shift', () => {
  const build = (): Household => {
    const household = new Household(patientHolder('a'), [
      observation('x', { valueQuantity: { value: 1 } }),
      observation('y', { valueQuantity: { value: 2 } }),
    ])
    household.write(observation('x', { valueQuantity: { value: 9 } }))
    household.write(observation('z', {}))
    household.write(observation('y', {}), true)
    household.write(observation('y', { valueQuantity: { value: 7 } }))
    return household
  }
  const at = (seq: number): { offset: number; asOf: ReadonlyMap<string, number> } => ({
    offset: 0,
    asOf: new Map([[patientHolder('a').compartment, seq]]),
  })

  it.each([
    [0, []],
    [1, [1]],
    [2, [1, 2]],
    [3, [2, 3]],
    [4, [2, 3, 4]],
    [5, [3, 4]],
    [6, [3, 4, 6]],
  ])('at seq %d the rows %p exist', (seq, seqs) => {
    const found = ask('Observation?', [build()], undefined, at(seq)).result.matches.map(hit => hit.seq)
    expect([...found].sort()).toEqual(seqs)
  })

  it('finds old values as of then and new ones now', () => {
    const household = build()
    expect(ask('Observation?value-quantity=1', [household]).matches).toEqual([])
    expect(ask('Observation?value-quantity=1', [household], undefined, at(2)).matches).toEqual(['Observation/x'])
    expect(ask('Observation?_id=y', [household], undefined, at(5)).matches).toEqual([])
    expect(ask('Observation?_id=y', [household]).result.matches[0]?.seq).toBe(6)
  })
})

describe('includes – https://hl7.org/fhir/R4/search.html#include', () => {
  it('stops a chain of includes that goes too deep', () => {
    const chain = Array.from({ length: 60 }, (_, i) =>
      observation(`o${i}`, { hasMember: [{ reference: `Observation/o${i + 1}` }] }),
    )
    const house = [new Household(patientHolder('a'), chain)]
    expect(codeOf(() => ask('Observation?_id=o0&_include:iterate=Observation:has-member', house))).toBe(
      'search.too-costly',
    )
    expect(ask('Observation?_id=o40&_include:iterate=Observation:has-member', house).included).toHaveLength(19)
  })

  it('stops when it finds too much', () => {
    const crowd = Array.from({ length: 10_001 }, (_, i) =>
      observation(`o${i}`, { subject: { reference: 'Patient/a' } }),
    )
    const house = [new Household(patientHolder('a'), [{ resourceType: 'Patient', id: 'a' }, ...crowd])]
    expect(codeOf(() => ask('Patient?_revinclude=Observation:subject', house))).toBe('search.too-costly')
  })

  it('goes round a circle once', () => {
    const house = [
      new Household(patientHolder('a'), [
        observation('x', { hasMember: [{ reference: 'Observation/y' }] }),
        observation('y', { hasMember: [{ reference: 'Observation/x' }, { reference: 'Observation/y' }] }),
      ]),
    ]
    expect(ask('Observation?_id=x&_include:iterate=*&_revinclude:iterate=*', house).included).toEqual(['Observation/y'])
  })
})

describe('columns of unique values', () => {
  const crowd = Array.from({ length: 1_500 }, (_, i) =>
    observation(`o${i}`, {
      identifier: [{ system: i % 2 === 0 ? 'urn:even' : 'urn:odd', value: `Value-${i >> 1}` }, { value: `Other-${i}` }],
      hasMember: [{ reference: i % 3 === 0 ? `${baseUrl}/Observation/o${i + 1}` : `Observation/o${i + 1}/_history/1` }],
      derivedFrom: [{ reference: `http://far.example/Media/m${i}` }],
    }),
  )
  const house = [new Household(patientHolder('a'), crowd)]

  it.each([
    ['identifier=Value-7', ['o15', 'o14']],
    ['identifier=value-7', ['o15', 'o14']],
    ['identifier=urn:odd|value-7,urn:even|Value-8', ['o16', 'o15']],
    ['identifier=|Other-700', ['o700']],
    ['identifier=|Value-7', []],
    ['identifier=nothing', []],
    ['has-member=Observation/o301', ['o300']],
    ['has-member=o302,o303', ['o302', 'o301']],
    ['has-member=Observation/o302/_history/1', ['o301']],
    ['has-member=Observation/o302/_history/2', []],
    ['derived-from=http://far.example/Media/m5', ['o5']],
    ['has-member.identifier=|Other-9', ['o8']],
    ['_has:Observation:has-member:identifier=|Other-9', ['o10']],
    ['_sort=-_id&_count=3', ['o999', 'o998', 'o997']],
    ['_sort=_id&_count=3', ['o0', 'o1', 'o10']],
  ])('Observation?%s', (search, found) => {
    expect(ask(`Observation?${search}`, house).matches).toEqual(found.map(id => `Observation/${id}`))
  })

  it('keeps finding what is written after the first question', () => {
    expect(ask('Observation?identifier=Late', house).matches).toEqual([])
    house[0]?.write(observation('late', { identifier: [{ value: 'Late' }] }))
    expect(ask('Observation?identifier=late', house).matches).toEqual(['Observation/late'])
  })

  it('tries each value only where it must', () => {
    const values = (count: number): string => Array.from({ length: count }, (_, i) => `v${i}`).join(',')
    expect(ask(`Observation?identifier=${values(5_000)}`, house).matches).toEqual([])
    expect(codeOf(() => ask(`Observation?code:text=${values(201)}`, house))).toBe('search.too-costly')
    expect(codeOf(() => ask(`Observation?date=${'2020,'.repeat(200)}2020`, house))).toBe('search.too-costly')
  })
})

describe('contained resources and canonicals among versions and callers', () => {
  const order = (id: string, code?: string): Resource => ({
    resourceType: 'MedicationRequest',
    id,
    status: 'active',
    intent: 'order',
    subject: { reference: 'Patient/a' },
    medicationReference: { reference: '#m' },
    ...(code === undefined
      ? {}
      : { contained: [{ resourceType: 'Medication', id: 'm', code: { text: code, coding: [{ code }] } }] }),
  })
  const chain = 'MedicationRequest?medication.code='

  it('are those of the version that is shown', () => {
    const household = new Household(patientHolder('a'), [order('r', 'old'), order('s', 'old')])
    const asOf = new Map([[household.index.holder.compartment, 2]])
    household.write(order('r', 'new'))
    household.write(order('s'), true)
    expect(ask(`${chain}old`, [household]).matches).toEqual([])
    expect(ask(`${chain}new`, [household]).matches).toEqual(['MedicationRequest/r'])
    const before = ask(`${chain}old`, [household], seesAll, { offset: 0, asOf })
    expect([...before.matches].sort()).toEqual(['MedicationRequest/r', 'MedicationRequest/s'])
    expect(ask(`${chain}new`, [household], seesAll, { offset: 0, asOf }).matches).toEqual([])
  })

  it('are of their own container, though others’ have the same names and seqs', () => {
    const a = new Household(patientHolder('a'), [order('r', 'one')])
    const b = new Household(patientHolder('b'), [order('s', 'two')])
    expect(ask(`${chain}one`, [a, b]).matches).toEqual(['MedicationRequest/r'])
    const onlyB: Vision = (_type, holder) => (holder.patient === 'b' ? { kind: 'all' } : { kind: 'none' })
    expect(ask(`${chain}one,two`, [a, b], onlyB).matches).toEqual(['MedicationRequest/s'])
  })

  it('that are odd are passed over', () => {
    const odd = {
      ...order('r', 'one'),
      contained: [null, 7, {}, { resourceType: 'Bot' }, { resourceType: 'Medication' }],
    }
    const household = new Household(patientHolder('a'), [odd, order('s', 'one')])
    expect(ask(`${chain}one`, [household]).matches).toEqual(['MedicationRequest/s'])
  })

  it('lead from a patient’s record to the definitions in the commons that it names, and to no other', () => {
    const questionnaire = (id: string, url: string): Resource => ({
      resourceType: 'Questionnaire',
      id,
      status: 'active',
      url,
      title: id,
    })
    const commons = new Household(commonsHolder, [
      questionnaire('named', 'http://q/1'),
      questionnaire('other', 'http://q/2'),
    ])
    const own = new Household(patientHolder('a'), [
      { resourceType: 'QuestionnaireResponse', id: 'x', status: 'completed', questionnaire: 'http://q/1' },
      { resourceType: 'QuestionnaireResponse', id: 'y', status: 'completed', questionnaire: 'http://q/3' },
    ])
    const referenced: Vision = (_type, holder) => ({ kind: 'all', referencedOnly: holder.kind === 'commons' })
    const all = [commons, own]
    expect(ask('Questionnaire?', all, referenced).matches).toEqual(['Questionnaire/named'])
    expect(ask('QuestionnaireResponse?questionnaire.title=named', all, referenced).matches).toEqual([
      'QuestionnaireResponse/x',
    ])
    const included = ask('QuestionnaireResponse?_include=*', all, referenced).included
    expect(included).toEqual(['Questionnaire/named'])
    const blind: Vision = type => (type === 'Questionnaire' ? { kind: 'none' } : { kind: 'all' })
    expect(ask('QuestionnaireResponse?questionnaire.title=named', all, blind).matches).toEqual([])
    expect(ask('QuestionnaireResponse?_include=*', all, blind).included).toEqual([])
  })
})

describe('rows and segments', () => {
  const place = (seq: number): { seq: number; version: number; lastUpdatedMs: number; deleted: boolean } => ({
    seq,
    version: 1,
    lastUpdatedMs: seq,
    deleted: false,
  })
  const rows = [1, 2, 3].map(seq => extractRow(observation(`o${seq}`, { valueQuantity: { value: seq } }), place(seq)))
  const holder = patientHolder('a')

  it('takes rows only in the order of their seq', () => {
    const index = new CompartmentIndex(holder)
    index.addSegment(encodeSegment(rows))
    expect(index.head).toBe(3)
    expect(codeOf(() => index.addRow(extractRow(observation('o', {}), place(3))))).toBe('search.rows-unordered')
    expect(codeOf(() => index.addSegment(encodeSegment(rows)))).toBe('search.rows-unordered')
    index.addRow(extractRow(observation('o', {}), place(4)))
    expect(index.head).toBe(4)
  })

  it('refuses segments that it does not know', () => {
    let index = new CompartmentIndex(holder)
    const adding = (bytes: Uint8Array) => {
      index = new CompartmentIndex(holder)
      return codeOf(() => index.addSegment(bytes))
    }
    for (const written of [zstdCompressSync, (bytes: Uint8Array) => bytes]) {
      for (const other of [2, 3, 4, 99]) expect(adding(written(Uint8Array.of(other)))).toBe('search.segment-outdated')
      expect(adding(written(Uint8Array.of(5, 9, 1, 200)))).toBe('search.segment-malformed')
    }
    expect(adding(new Uint8Array())).toBe('search.segment-malformed')
    expect(index.sizeBytes).toBeLessThan(10_000)
  })

  it('reads few rows as they are and many compressed, and few that an earlier release compressed', () => {
    const few = encodeSegment(rows)
    const many = encodeSegment(
      Array.from({ length: 1_000 }, (_, at) =>
        extractRow(observation(`o${at}`, { valueQuantity: { value: at } }), place(at + 1)),
      ),
    )
    for (const [bytes, head] of [
      [few, 3],
      [zstdCompressSync(few), 3],
      [many, 1_000],
    ] as const) {
      const index = new CompartmentIndex(holder)
      index.addSegment(bytes)
      expect([index.head, index.tables.get('Observation')?.count]).toEqual([head, head])
    }
    expect(many.length).toBeLessThan(few.length * 100)
  })

  it('notes across segments and rows what was replaced and removed', () => {
    const index = new CompartmentIndex(holder)
    index.addSegment(encodeSegment(rows))
    index.addSegment(
      encodeSegment([
        extractRow(observation('o1', { valueQuantity: { value: 10 } }), { ...place(4), supersedes: 1 }),
        extractRow({ resourceType: 'Observation', id: 'o2' }, { ...place(5), supersedes: 2, deleted: true }),
        extractRow(observation('o1', { valueQuantity: { value: 11 } }), { ...place(6), supersedes: 4 }),
      ]),
    )
    const household = Object.assign(new Household(holder, []), { index })
    const seqs = ask('Observation?_sort=_id', [household]).result.matches.map(hit => hit.seq)
    expect(seqs).toEqual([6, 3])
    index.addRow(extractRow({ resourceType: 'Observation', id: 'o3' }, { ...place(7), supersedes: 3, deleted: true }))
    expect(ask('Observation?', [household]).result.total).toBe(1)
  })

  it('keeps an Observation in few bytes', () => {
    const thousand = Array.from({ length: 1_000 }, (_, i) =>
      extractRow(
        observation(`00000000-0000-4000-8000-${(i * 7919 + 123456789).toString(16).padStart(12, '0')}`, {
          subject: { reference: 'Patient/a' },
          effectiveDateTime: new Date(Date.UTC(2026, 0, 1) + i * 61_000).toISOString(),
          valueQuantity: {
            value: 60 + (i % 40),
            unit: 'beats/minute',
            system: 'http://unitsofmeasure.org',
            code: '/min',
          },
        }),
        place(i + 1),
      ),
    )
    expect(encodeSegment(thousand).length / 1_000).toBeLessThan(40)
  })

  it('matches by _id and _lastUpdated of a single resource', async () => {
    const resource = observation('x', { meta: { lastUpdated: '2026-05-01T00:00:00.000Z' } })
    expect(await matches(resource, [parseCriterion('Observation', '_id', 'x', baseUrl)])).toBe(true)
    expect(await matches(resource, [parseCriterion('Observation', '_lastUpdated', '2026-05', baseUrl)])).toBe(true)
    expect(await matches(resource, [parseCriterion('Observation', '_lastUpdated', 'lt2026-05', baseUrl)])).toBe(false)
    expect(await matches(resource, [])).toBe(true)
  })

  it('judges one resource by what lies within it, as a search does – https://hl7.org/fhir/R4/search.html#contained', async () => {
    const coded = (code: string) => parseCriterion('Medication', 'code', code, baseUrl)
    const holding = (...criteria: readonly Criterion[]): Criterion => ({
      kind: 'holding',
      name: '_contained',
      type: 'Medication',
      criteria,
    })
    const medication = { resourceType: 'Medication', id: 'm', code: { coding: [{ system: 'urn:m', code: 'one' }] } }
    const bearer: Resource = { resourceType: 'MedicationRequest', id: 'x', contained: [medication] }
    const not = (criterion: Criterion): Criterion => ({ kind: 'not', criterion })
    for (const [criterion, expected] of [
      [holding(), true],
      [holding(coded('urn:m|one')), true],
      [holding(coded('two')), false],
      [holding(coded('one'), not(coded('two'))), true],
      [holding(coded('one'), not(coded('one'))), false],
      [not(holding(coded('one'))), false],
      [{ kind: 'any', anyOf: [[holding(coded('two'))], [holding(coded('one'))]] } as const, true],
      [{ kind: 'holding', name: '_contained', type: 'Observation', criteria: [] } as const, false],
    ] as const)
      expect([criterion, await matches(bearer, [criterion])]).toEqual([criterion, expected])
    expect(await matches({ resourceType: 'MedicationRequest', id: 'x' }, [holding()])).toBe(false)
  })
})
