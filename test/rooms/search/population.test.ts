import fc from 'fast-check'
import type { Resource } from '#fhir'
import { atOnce } from '#kernel'
import {
  CompartmentIndex,
  type Erased,
  encodeSegment,
  evaluateInPasses,
  extractRow,
  type Holder,
  holderOrder,
  type IndexRow,
  type InPasses,
  evaluate as inSteps,
  locateInPasses,
  locate as locateInSteps,
  type Page,
  PopulationIndex,
  type Query,
  type Restricted,
  type RowIndex,
  type SearchResult,
  type Sight,
  Traces,
  type Vision,
} from '#search'
import { includes, observation, patient, printed, seed, times, typeAndCriteria } from './drawn.ts'
import { baseUrl, commonsHolder, patientHolder, queryOf, restricted, seesAll } from './household.ts'

const evaluate = (...asked: Parameters<typeof inSteps>) => atOnce(inSteps(...asked))

const householdHolder: Holder = { compartment: 'e'.repeat(32), kind: 'household', account: 'family' }
const holders: readonly Holder[] = [
  ...['p', 'q', 'r', 's'].map(name => patientHolder(name)),
  householdHolder,
  commonsHolder,
]

const ids = ['1', '2', '3', '4']
const some = <T>(...of: T[]) => fc.constantFrom(...of)
const link = (...types: string[]) =>
  fc.tuple(some(...types), some(...ids)).map(([type, id]) => ({ reference: `${type}/${id}` }))

/** What is seldom: canonicals, contained resources, uris, what lies in the commons. */
const others = fc.oneof(
  fc.record({
    resourceType: some('Practitioner'),
    id: some(...ids),
    name: fc.array(fc.record({ family: some('Ann', 'Bo') }), { maxLength: 1 }),
  }),
  fc.record({
    resourceType: some('Questionnaire'),
    id: some(...ids),
    url: some('http://a/q', 'http://b/q'),
    version: some('1', '2', '10'),
    status: some('active'),
  }),
  fc.record({
    resourceType: some('QuestionnaireResponse'),
    id: some(...ids),
    status: some('completed'),
    questionnaire: some('http://a/q', 'http://b/q|2', 'http://a/q|10'),
    author: link('Practitioner', 'Patient'),
    subject: link('Patient'),
  }),
  fc.record({
    resourceType: some('MedicationRequest'),
    id: some(...ids),
    status: some('active'),
    subject: link('Patient'),
    requester: link('Practitioner'),
    contained: fc.array(
      fc.record({
        resourceType: some('Medication'),
        id: some('m'),
        code: fc.record({ coding: fc.array(fc.record({ code: some('a', 'b') }), { minLength: 1, maxLength: 1 }) }),
      }),
      { maxLength: 1 },
    ),
    medicationReference: some({ reference: '#m' }, { reference: 'Medication/1' }),
  }),
)

/** One version written: into one ledger, or a copy into each of two. */
interface Written {
  readonly resource: Resource
  readonly to: readonly number[]
  readonly deleted: boolean
  readonly creator: string | undefined
  /** Whom it names, where it lies in the household. */
  readonly named: readonly string[]
  /** Whether it is written at the instant of the one before, as in one commit. */
  readonly together: boolean
}

const story = fc.array(
  fc.record({
    resource: fc.oneof(
      { weight: 3, arbitrary: observation },
      { weight: 2, arbitrary: patient },
      others,
    ) as fc.Arbitrary<Resource>,
    to: fc.oneof(
      { weight: 5, arbitrary: fc.nat(holders.length - 1).map(at => [at]) },
      fc.uniqueArray(fc.nat(3), { minLength: 2, maxLength: 2 }),
    ),
    deleted: fc.boolean().map(each => each),
    creator: some(undefined, 'family', 'other'),
    named: fc.oneof(fc.constant([]), fc.array(some('p', 'q', 'gone'), { maxLength: 3 })),
    together: fc.boolean(),
  }),
  { maxLength: 60 },
) as fc.Arbitrary<Written[]>

interface Placed {
  readonly holder: Holder
  readonly named?: readonly string[]
  readonly row: IndexRow
}

/** Rows of all ledgers, in the order in which they were written. */
function placed(written: readonly Written[]): Placed[] {
  const heads = new Map<Holder, number>()
  const newest = new Map<string, { readonly to: readonly number[]; readonly deleted: boolean }>()
  const seqs = new Map<string, number>()
  const rows: Placed[] = []
  let instant = 1_000
  for (const { resource, to, deleted, creator, named, together } of written) {
    if (!together) instant += 1_000
    const name = `${resource.resourceType}/${resource.id}`
    // It stays where it was made, as most do: its copies are one version.
    const before = newest.get(name)
    const places = before?.to ?? to
    const isDeleted = deleted && before !== undefined && !before.deleted
    newest.set(name, { to: places, deleted: isDeleted })
    for (const at of places) {
      const holder = holders[at] as Holder
      const seq = (heads.get(holder) ?? 0) + 1
      heads.set(holder, seq)
      const key = `${at} ${name}`
      const place = { seq, version: 1, lastUpdatedMs: instant, supersedes: seqs.get(key), deleted: isDeleted }
      const said = { shared: places.length > 1, creator: holder.kind === 'commons' ? creator : undefined }
      const whose = holder.kind === 'household' ? named : []
      rows.push({ holder, named: whose, row: extractRow(resource, { ...place, ...said, named: whose }) })
      seqs.set(key, seq)
    }
  }
  return rows
}

/** Each compartment by itself. */
function apart(rows: readonly Placed[]): CompartmentIndex[] {
  const indexes = new Map(holders.map(holder => [holder, new CompartmentIndex(holder)]))
  for (const { holder, row } of rows) indexes.get(holder)?.addRow(row)
  return [...indexes.values()]
}

/** All together: of each ledger the first rows as segments of some sizes, the rest in the order in which it was written. */
function together(rows: readonly Placed[], sizes: readonly number[] = []): PopulationIndex {
  const index = new PopulationIndex()
  const rest = new Set(rows)
  for (const holder of holders.toReversed())
    for (const size of sizes) {
      const part = [...rest].filter(each => each.holder === holder).slice(0, size)
      if (part.length > 0) index.addSegment(holder, encodeSegment(part.map(({ row }) => row)))
      for (const each of part) rest.delete(each)
    }
  for (const { holder, row } of rest) index.addRow(holder, row)
  return index
}

const all: Sight = { kind: 'all' }
const none: Sight = { kind: 'none' }
const ofFewer: Sight = { kind: 'all', named: patient => ofP(patient) }
const referenced: Sight = { kind: 'all', referencedOnly: true }
const madeOrReferenced: Sight = { kind: 'all', referencedOnly: true, madeBy: 'family' }
const finalOnly: Sight = { kind: 'some', anyOf: [queryOf('Observation?status=final').criteria] }
const coded: Sight = {
  kind: 'some',
  anyOf: [queryOf('Observation?code=a').criteria, queryOf('Observation?status=amended').criteria],
}
/** Who is within reach of an account that has lost q. */
const ofP = (patient: string) => patient === 'p'
const classed = (vision: Vision, classOf: (holder: Holder) => number): Vision =>
  Object.assign((type: string, holder: Holder) => vision(type, holder), { classOf })
const byName = ({ patient: name = '', account = '' }: Holder) => (name || account).charCodeAt(0) || 0

/** What grants of every kind see: of everybody, of one patient, of some; of some rows; of the commons what is referred to. */
const visions: Readonly<Record<string, Vision>> = {
  everything: seesAll,
  'everything, told so': classed(seesAll, () => 0),
  'one patient': (_type, { kind, patient: of }) => (kind === 'commons' ? referenced : of === 'p' ? all : none),
  'an account': (_type, { kind, patient: of, account }) =>
    kind === 'commons' ? madeOrReferenced : of === 'p' || of === 'q' || account === 'family' ? all : none,
  'an account, by classes': classed(
    (_type, { kind, patient: of, account }) =>
      kind === 'commons' ? madeOrReferenced : of === 'q' || of === 's' || account === 'family' ? all : none,
    byName,
  ),
  'an account that lost somebody': (_type, { kind, patient: of, account }) =>
    kind === 'commons' ? madeOrReferenced : of === 'p' ? all : account === 'family' ? ofFewer : none,
  granular: type => (type === 'Observation' ? finalOnly : all),
  'each patient otherwise': (type, { kind, patient: of }) => {
    if (kind === 'commons') return type === 'Questionnaire' ? all : referenced
    if (type !== 'Observation') return of === 'r' ? none : all
    return of === 'p' ? all : of === 'q' ? finalOnly : of === 's' ? coded : none
  },
}

/** The same as if nobody were named. */
const heedless: Vision = (type, holder) => {
  const sight = (visions['an account that lost somebody'] as Vision)(type, holder)
  return sight === ofFewer ? all : sight
}
const erased: Erased = { count: 1, has: patient => patient === 'gone' }

/** With deletions in place of what names somebody out of reach who was not erased. */
function withoutOthers(rows: readonly Placed[]): Placed[] {
  return rows.map(({ holder, named = [], row }) => {
    if (!named.some(patient => !ofP(patient) && !erased.has(patient))) return { holder, row }
    const gone = { resourceType: row.type, id: row.id } as Resource
    return { holder, row: extractRow(gone, { ...row, deleted: true }) }
  })
}

/** Questions of each kind of parameter with its modifiers, beside those that are drawn. */
const asked = some(
  'Observation?code=a&_sort=-date',
  'Observation?code:not=a&_sort=_lastUpdated',
  'Observation?_lastUpdated=gt1970-01-01T00:00:05Z&_sort=_id',
  'Observation?patient:Patient.identifier=x',
  'Observation?subject.name=an&_sort=subject,-date',
  'Observation?combo-code-value-quantity=a$gt250',
  'Observation?component-code-value-quantity=a$gt250&_sort=value-quantity',
  'Observation?value-quantity=1|http://unitsofmeasure.org|g',
  'Observation?date:missing=true',
  'Observation?subject:Patient=1,2',
  'Observation?has-member:Observation.has-member.code=b',
  'Patient?name:exact=Ann&_sort=family',
  'Patient?name:contains=n&_sort=-name,birthdate',
  'Patient?phonetic=an',
  'Patient?identifier=urn:a|',
  'Patient?_has:Observation:patient:_has:Observation:has-member:code=a',
  'Patient?_has:Observation:subject:status=final&_sort=-birthdate',
  'Patient?_id=1,2,3',
  'QuestionnaireResponse?questionnaire.version=10',
  'QuestionnaireResponse?questionnaire=http://a/q',
  'QuestionnaireResponse?author:Practitioner.family=ann',
  'Questionnaire?url:below=http://a&_sort=-version',
  'Questionnaire?_has:QuestionnaireResponse:questionnaire:status=completed',
  'Practitioner?_has:MedicationRequest:requester:status=active',
  'MedicationRequest?medication.code=a',
  'Medication?_contained=true&code=a',
  'Medication?_contained=both&code:not=a&_sort=-_id',
  'Medication?_contained=true&_containedType=contained&code=a&_include=MedicationRequest:*',
  'Medication?_contained=both&_containedType=contained&_sort=_id',
  '?_type=Medication,MedicationRequest&_contained=both&_containedType=contained&code:not=a',
  '?_type=Medication,Patient&_contained=both&_has:MedicationRequest:medication:status=active',
  'MedicationRequest?requester.family:missing=false',
  '?_type=Patient,Observation,Practitioner&_sort=-_lastUpdated',
  '?_type=Questionnaire,Practitioner,MedicationRequest',
)
const drawn = typeAndCriteria('all').map(({ type, criteria, sort }) => {
  const more: Readonly<Record<string, string>> = sort.length === 0 ? {} : { _sort: sort.join(',') }
  return `${type}?${printed(criteria, more)}`
})

const question = fc.record({
  search: fc.oneof(asked, drawn),
  more: includes,
  count: fc.integer({ min: 1, max: 30 }),
  sight: some(...Object.keys(visions)),
  over: some(...Object.keys(visions)),
})

interface Question {
  readonly search: string
  readonly more: readonly string[]
  readonly count: number
  readonly sight: string
  readonly over: string
}

function asQuery({ search, more, count, sight, over }: Question): Restricted<Query> {
  const text = [search, ...more, `_count=${count}`, '_total=accurate'].join('&')
  return restricted(queryOf(text), visions[sight] as Vision, visions[over] as Vision)
}

/** Grants who see all of common property; what records lead to there is not told slice by slice. */
const free: Readonly<Record<string, Vision>> = {
  everything: seesAll,
  'everything, told so': classed(seesAll, () => 0),
  granular: type => (type === 'Observation' ? finalOnly : all),
  'each patient otherwise': (type, holder) =>
    holder.kind === 'commons' ? all : (visions['each patient otherwise'] as Vision)(type, holder),
  'all but of whom it lost': (_type, { kind }) => (kind === 'household' ? ofFewer : all),
  'some patients': (_type, { patient: of }) => (of === 'p' || of === 'r' ? all : none),
}

/** The holders in their order, parted behind some of them. */
function parted(behind: ReadonlySet<number>): Holder[][] {
  const slices: Holder[][] = [[]]
  holders.toSorted(holderOrder).forEach((holder, at) => {
    if (behind.has(at)) slices.push([])
    slices.at(-1)?.push(holder)
  })
  return slices.filter(slice => slice.length > 0)
}

/** Looks into slices one by one, each made anew for each pass and forgotten after it, but for those that cannot hold what is asked. */
function inSlices<T>(passes: InPasses<T>, rows: readonly Placed[], slices: readonly Holder[][], until?: number): T {
  const there = rows.slice(0, until)
  const makers = slices.map(slice => {
    const make = (of: readonly Placed[]) => together(of.filter(({ holder }) => slice.includes(holder)))
    return { slice, make, traces: atOnce(Traces.of(make(rows))) }
  })
  for (let pass = passes.next(); ; pass = passes.next()) {
    if (pass.done === true) return pass.value
    for (const { slice, make, traces } of makers) {
      const isWanted = pass.value.asked.some(
        ({ isOf, traces: left, compartments }) =>
          [...traces.types].some(isOf) &&
          (left === undefined || traces.mayHold(left)) &&
          (compartments === undefined || slice.some(({ compartment }) => compartments.has(compartment))),
      )
      if (!isWanted) continue
      const index = make(rows)
      const less = new Map<number, number>()
      for (const { compartment } of slice) {
        const head = there.filter(({ holder }) => holder.compartment === compartment).length
        const at = head === index.headOf(compartment) ? undefined : index.arrivalIn(compartment, head)
        if (at !== undefined) less.set(at.holder, at.arrival)
      }
      const moment = { arrivals: new Map([[index, index.head]]), less: new Map([[index, less]]), untilMs: undefined }
      atOnce(pass.value.work(index, moment))
    }
  }
}

/** All pages, one after the other. */
function pages(query: Restricted<Query>, indexes: readonly RowIndex[], at: Omit<Page, 'offset'> = {}): SearchResult[] {
  const results: SearchResult[] = []
  for (let offset = 0; ; offset += query.count ?? 1) {
    results.push(evaluate(query, indexes, { ...at, offset }))
    if (results.at(-1)?.more !== true) return results
  }
}

describe(`many compartments in one index (SEARCH_SEED=${seed})`, () => {
  it('answers every caller as an index for each compartment does: matches, order, totals, includes, pages', () => {
    fc.assert(
      fc.property(story, question, fc.array(fc.nat(9), { maxLength: 3 }), (written, asking, sizes) => {
        const rows = placed(written)
        const query = asQuery(asking)
        expect(pages(query, [together(rows, sizes)])).toEqual(pages(query, apart(rows)))
      }),
      times(250),
    )
  })

  it('answers whoever has lost somebody as if what a household keeps of them were not there, but for who was erased', () => {
    fc.assert(
      fc.property(story, question, fc.array(fc.nat(9), { maxLength: 3 }), (written, asking, sizes) => {
        const rows = placed(written)
        const { vision: _, includeVision: __, ...query } = asQuery(asking)
        const losing = restricted(query as Query, visions['an account that lost somebody'] as Vision)
        const expected = pages(restricted(query as Query, heedless), apart(withoutOthers(rows)))
        expect(pages(losing, [together(rows, sizes)], { erased })).toEqual(expected)
        expect(pages(losing, apart(rows), { erased })).toEqual(expected)
      }),
      times(250),
    )
  })

  it('answers slice by slice as all at once: matches, order, totals, includes, pages, at any moment', () => {
    const sliced = fc.record({
      asking: fc.record({
        search: fc.oneof(asked, drawn),
        more: includes,
        count: fc.integer({ min: 1, max: 30 }),
        sight: some(...Object.keys(free)),
        over: some(...Object.keys(free)),
      }),
      behind: fc.uniqueArray(fc.integer({ min: 1, max: holders.length - 1 })),
      until: fc.oneof(fc.constant(undefined), fc.nat(60)),
    })
    fc.assert(
      fc.property(story, sliced, (written, { asking, behind, until }) => {
        const rows = placed(written)
        const { search, more, count, sight, over } = asking
        const text = [search, ...more, `_count=${count}`, '_total=accurate'].join('&')
        const query = restricted(queryOf(text), free[sight] as Vision, free[over] as Vision)
        const slices = parted(new Set(behind))
        const expected = pages(query, apart(rows.slice(0, until)))
        const found = expected.map((_, page) =>
          inSlices(evaluateInPasses(query, { offset: page * count }), rows, slices, until),
        )
        expect(found).toEqual(expected)
      }),
      times(400),
    )
  })

  it('follows slice by slice what leads from one to another', () => {
    const [p, q, r, , household, commons] = holders as [Holder, Holder, Holder, Holder, Holder, Holder]
    const heads = new Map<Holder, number>()
    const rows: Placed[] = []
    const put = (holder: Holder, resource: object) => {
      const seq = (heads.get(holder) ?? 0) + 1
      heads.set(holder, seq)
      const place = { seq, version: 1, lastUpdatedMs: 1_000 * (rows.length + 1), deleted: false }
      rows.push({ holder, row: extractRow(resource as Resource, place) })
    }
    const ref = (reference: string) => ({ reference })
    for (const [id, version] of [
      ['a2', '2'],
      ['a10', '10'],
    ])
      put(commons, { resourceType: 'Questionnaire', id, url: 'http://a/q', version, status: 'active' })
    put(p, { resourceType: 'QuestionnaireResponse', id: 'newest', status: 'completed', questionnaire: 'http://a/q' })
    put(q, { resourceType: 'QuestionnaireResponse', id: 'second', status: 'completed', questionnaire: 'http://a/q|2' })
    put(commons, { resourceType: 'Location', id: 'house', name: 'House' })
    put(household, { resourceType: 'Location', id: 'ward', partOf: ref('Location/house') })
    put(r, { resourceType: 'Location', id: 'bed', partOf: ref('Location/ward') })
    put(q, { resourceType: 'Encounter', id: 'e', status: 'finished', location: [{ location: ref('Location/bed') }] })
    put(p, { resourceType: 'Observation', id: 'o', status: 'final', encounter: ref('Encounter/e') })
    const asking: readonly (readonly [search: string, matches: number, included: number])[] = [
      ['QuestionnaireResponse?questionnaire.version=10', 1, 0],
      ['QuestionnaireResponse?questionnaire.version=2&_include=QuestionnaireResponse:questionnaire', 1, 1],
      ['Questionnaire?_has:QuestionnaireResponse:questionnaire:status=completed&_sort=-version', 2, 0],
      ['Questionnaire?_revinclude=QuestionnaireResponse:questionnaire', 2, 2],
      ['QuestionnaireResponse?_include=*', 2, 2],
      ['Encounter?location:below=house', 1, 0],
      ['Encounter?location:above=bed', 1, 0],
      ['Location?partof:below=house', 2, 0],
      ['Observation?encounter.location.partof.partof.name=House', 1, 0],
      ['Observation?encounter:Encounter.location:below=house', 1, 0],
      ['Location?_has:Encounter:location:_has:Observation:encounter:status=final', 1, 0],
      [
        'Observation?_include=Observation:encounter&_include:iterate=Encounter:location&_include:iterate=Location:partof',
        1,
        4,
      ],
      ['Location?name=House&_revinclude:iterate=Location:partof&_revinclude:iterate=Encounter:location', 1, 3],
    ]
    const each = parted(new Set([1, 2, 3, 4, 5]))
    for (const [search, matches, included] of asking) {
      const query = restricted(queryOf(search), seesAll)
      const found = inSlices(evaluateInPasses(query, { offset: 0 }), rows, each)
      expect([search, found.matches.length, found.included.length]).toEqual([search, matches, included])
      expect([search, found]).toEqual([search, evaluate(query, apart(rows), { offset: 0 })])
    }
  })

  it('follows hierarchies of many as of one: each step is one look into all slices, however many are named', () => {
    const rows: Placed[] = []
    const [p, q] = holders as [Holder, Holder]
    const put = (holder: Holder, id: string, partOf?: string) => {
      const seq = rows.filter(each => each.holder === holder).length + 1
      const location = { resourceType: 'Location', id, ...(partOf && { partOf: { reference: `Location/${partOf}` } }) }
      const place = { seq, version: 1, lastUpdatedMs: 1_000, deleted: false }
      rows.push({ holder, row: extractRow(location as Resource, place) })
    }
    const named = Array.from({ length: 50 }, (_, n) => `l${n}`)
    for (const id of named) {
      put(p, id)
      put(q, `${id}-ward`, id)
      put(p, `${id}-bed`, `${id}-ward`)
    }
    const looks: number[] = []
    for (const names of [named.slice(0, 1), named, [...named, ...named]]) {
      for (const [modifier, edge] of [
        ['below', names],
        ['above', names.map(name => `${name}-bed`)],
      ] as const) {
        const query = restricted(queryOf(`Location?partof:${modifier}=${edge.join()}&_count=200`), seesAll)
        let count = 0
        const counted = function* (passes: InPasses<SearchResult>): InPasses<SearchResult> {
          for (;;) {
            const pass = passes.next()
            if (pass.done === true) return pass.value
            count++
            yield pass.value
          }
        }
        const found = inSlices(counted(evaluateInPasses(query, { offset: 0 })), rows, parted(new Set([1, 2])))
        expect(found).toEqual(evaluate(query, apart(rows), { offset: 0 }))
        expect(found.matches.length).toBeGreaterThanOrEqual(new Set(names).size)
        looks.push(count)
      }
    }
    expect(new Set(looks).size).toBe(1)
    expect(Math.max(...looks)).toBeLessThan(6)
  })

  it('tells of all matches slice by slice as all at once', () => {
    const behinds = fc.uniqueArray(fc.integer({ min: 1, max: holders.length - 1 }))
    fc.assert(
      fc.property(
        story,
        fc.array(fc.oneof(asked, drawn), { minLength: 1, maxLength: 3 }),
        behinds,
        (written, searches, behind) => {
          const rows = placed(written)
          const queries = searches.map(search => restricted(queryOf(search), seesAll))
          const [whole, sliced]: [unknown[], unknown[]] = [[], []]
          atOnce(locateInSteps(queries, apart(rows), {}, hit => whole.push(hit)))
          inSlices(
            locateInPasses(queries, hit => sliced.push(hit)),
            rows,
            parted(new Set(behind)),
          )
          const inOrder = (hits: unknown[]) => hits.map(hit => JSON.stringify(hit)).toSorted()
          expect(inOrder(sliced)).toEqual(inOrder(whole))
        },
      ),
      times(100),
    )
  })

  it('shows what was there at any moment, by its arrivals and by the instant', () => {
    fc.assert(
      fc.property(story, question, fc.nat(40), fc.array(fc.nat(9), { maxLength: 3 }), (written, asking, at, sizes) => {
        const rows = placed(written)
        const query = asQuery(asking)
        const untilMs = rows[at]?.row.lastUpdatedMs ?? Number.MAX_SAFE_INTEGER
        const then = rows.filter(({ row }) => row.lastUpdatedMs <= untilMs)
        const answer = pages(query, apart(then))
        expect(pages(query, [together(rows, sizes)], { untilMs })).toEqual(answer)
        const index = together(rows)
        expect(pages(query, [index], { asOf: new Map([[index.name, then.length]]) })).toEqual(answer)
      }),
      times(150),
    )
  })

  it('answers as if a holder that has left had never been there, at no moment before either', () => {
    fc.assert(
      fc.property(story, question, fc.nat(3), fc.array(fc.nat(9), { maxLength: 3 }), (written, asking, gone, sizes) => {
        const rows = placed(written)
        const query = asQuery(asking)
        const { compartment } = holders[gone] as Holder
        const index = together(rows, sizes)
        evaluate(query, [index], { offset: 0 })
        const asOf = new Map([[index.name, index.head]])
        index.drop(compartment)
        const left = pages(query, apart(rows.filter(({ holder }) => holder.compartment !== compartment)))
        expect(pages(query, [index])).toEqual(left)
        expect(pages(query, [index], { asOf })).toEqual(left)
        expect(index.headOf(compartment)).toBeUndefined()
      }),
      times(300),
    )
  })

  it('takes a holder in again that had left, and goes on with each where it stands', () => {
    const rows = placed(
      Array.from({ length: 30 }, (_, at) => ({
        resource: { resourceType: 'Observation', id: `${at % 12}`, status: 'final' } as Resource,
        to: [at % 4],
        deleted: false,
        creator: undefined,
        named: [],
        together: false,
      })),
    )
    const index = together(rows)
    const p = patientHolder('p')
    index.drop(p.compartment)
    index.addSegment(p, encodeSegment(rows.filter(({ holder }) => holder === holders[0]).map(({ row }) => row)))
    const query = restricted(queryOf('Observation?_count=100&_total=accurate'), seesAll)
    expect(evaluate(query, [index], { offset: 0 })).toEqual(evaluate(query, apart(rows), { offset: 0 }))
    const next = extractRow(
      { resourceType: 'Observation', id: 'x' },
      { seq: 99, version: 1, lastUpdatedMs: 1, deleted: false },
    )
    expect(() => index.addRow(p, next)).toThrow(expect.objectContaining({ code: 'search.rows-unordered' }))
  })

  it('finds what is there when holders come and others write while it is being evaluated', () => {
    const row = (seq: number, id: string) =>
      extractRow({ resourceType: 'Observation', id, status: 'final' } as Resource, {
        seq,
        version: 1,
        lastUpdatedMs: seq * 1_000,
        deleted: false,
      })
    const index = new PopulationIndex()
    for (let at = 0; at < 300; at++) index.addRow(patientHolder(`p${at}`, `${at}`.padStart(32, '0')), row(1, `o${at}`))
    const steps = inSteps(restricted(queryOf('Observation?status=final&_summary=count'), seesAll), [index], {
      offset: 0,
    })
    let step = steps.next()
    for (let at = 300; step.done !== true; at++) {
      index.addRow(patientHolder(`p${at}`, `${at}`.padStart(32, '0')), row(1, `o${at}`))
      step = steps.next()
    }
    expect(step.value.total).toBe(300)
  })

  it('follows references from many to few, and from many to many', () => {
    const index = new PopulationIndex()
    const count = 900
    for (let at = 0; at < count; at++) {
      const id = `p${at}`
      const holder = patientHolder(id, `${at}`.padStart(32, '0'))
      const resources: object[] = [
        { resourceType: 'Patient', id, identifier: [{ value: `mrn${at}` }], gender: at % 3 ? 'male' : 'female' },
        { resourceType: 'Observation', id: `o${at}`, status: 'final', subject: { reference: `Patient/${id}` } },
        { resourceType: 'Observation', id: `a${at}`, subject: { reference: `${baseUrl}/Patient/${id}/_history/1` } },
        { resourceType: 'Observation', id: `e${at}`, subject: { reference: `https://else.where/Patient/${id}` } },
        { resourceType: 'Observation', id: `g${at}`, subject: { reference: `Group/${id}` } },
      ]
      resources.forEach((resource, n) => {
        const place = { seq: n + 1, version: 1, lastUpdatedMs: 1_000 * at, deleted: false }
        index.addRow(holder, extractRow(resource as Resource, place))
      })
    }
    const totalOf = (search: string) =>
      evaluate(restricted(queryOf(`${search}&_summary=count`), seesAll), [index], { offset: 0 }).total
    expect(totalOf('Observation?patient.identifier=mrn7,mrn8')).toBe(4)
    expect(totalOf('Observation?subject.identifier=mrn7')).toBe(2)
    expect(totalOf('Observation?subject:Group.identifier=mrn7')).toBe(0)
    expect(totalOf('Observation?subject:Patient.gender=male')).toBe(1_200)
    expect(totalOf('Observation?patient.gender=female&status=final')).toBe(300)
    expect(totalOf('Patient?_has:Observation:subject:status=final')).toBe(count)
  })
})
