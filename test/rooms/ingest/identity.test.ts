import { atOnce } from '#kernel'
import { claimsOf, type IdentifierClaim } from '../../../src/ingest/identity/claims.ts'
import { contradicts, inCommon, linkOf, namesOf } from '../../../src/ingest/identity/identifiers.ts'
import { type Candidate, compare, judge } from '../../../src/ingest/identity/judge.ts'
import { compareNames } from '../../../src/ingest/identity/names.ts'
import { bitsFrom } from '../../random.ts'

const hospital = 'urn:oid:1.2.3'
const numbered = (value: string, type?: string, system = hospital) => ({
  system,
  value,
  ...(type === undefined
    ? {}
    : { type: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0203', code: type }] } }),
})
const named = (name: string) => {
  const [family = '', given = ''] = name.split(',').map(part => part.trim())
  return { ...(family === '' ? {} : { family }), ...(given === '' ? {} : { given: given.split(' ') }) }
}
const person = (name: string, birthDate?: string, gender?: string, ...identifier: object[]) =>
  claimsOf({ name: name === '' ? [] : [named(name)], birthDate, gender, identifier })
const known = (id: string, ...rest: Parameters<typeof person>): Candidate => ({ id, claims: person(...rest) })

const judged = (...asked: Parameters<typeof judge>) => atOnce(judge(...asked))

describe('names are compared as people write them', () => {
  it.each([
    ['Smith, Ann', 'SMITH, ANN', 'same'],
    ['Müller, Jörg', 'Mueller, Joerg', 'same'],
    ['Müller, Jörg', 'Muller, Jorg', 'same'],
    ['Núñez, José', 'Nunez, Jose', 'same'],
    ['Åström, Sören', 'Aastroem, Soeren', 'same'],
    ['Weiß, Käthe', 'Weiss, Kaethe', 'same'],
    ['van der Berg, Jan', 'Berg, Jan', 'same'],
    ["O'Brien, Sean", 'OBrien, Sean', 'same'],
    ['García López, María', 'García, María', 'same'],
    ['Smith-Jones, Ann', 'Smith Jones, Ann', 'same'],
    ['Smith-Jones, Ann', 'Jones, Ann', 'same'],
    ['Sample, Anne Marie', 'Sample, Annemarie', 'same'],
    ['Sample, Anna Maria', 'Sample, Maria', 'same'],
    ['Sample, J', 'Sample, John', 'same'],
    ['Sample, Chris', 'Sample, Christopher', 'same'],
    ['Sample, Bob', 'Sample, Robert', 'same'],
    ['Ann, Sample', 'Sample, Ann', 'same'],
    ['Schmidt, Stephen', 'Schmitt, Steven', 'same'],
    ['Meyer, Ann', 'Maier, Ann', 'same'],
    ['Sample', 'Sample, Ann', 'same'],
    ['Dr. Sample, Ann', 'Sample, Ann', 'same'],
    ['Sample, Ann', 'Other, Ann', 'part'],
    ['Sample, Cleo', 'Sample, Dan', 'part'],
    ['Sample, Baby Girl', 'Sample, Emma', 'same'],
    ['Sample, Babyboy', 'Other, Emil', 'part'],
    ['Sample, Boy of Jane', 'Sample, Emil', 'same'],
    ['Sample, Baby Boy A', 'Sample, Baby Boy', 'same'],
    ['Sample, Baby Boy A', 'Sample, BabyBoyA', 'same'],
    ['Sample, Baby Boy A', 'Sample, Baby Boy B', 'part'],
    ['Sample, BoyA', 'Sample, BoyB', 'part'],
    ['Sample, Twin 1', 'Sample, Twin 2', 'part'],
    ['Sample, Girl of Jane', 'Sample, Girl of Mary', 'part'],
    ['Sample, Boy A', 'Other, Boy B', 'unlike'],
    ['Sample, Boyd', 'Sample, Sona', 'part'],
    ['Sample, Ann', 'Other, Bob', 'unlike'],
    ['Sample', 'Other', 'unlike'],
    ['UNKNOWN, UNKNOWN', 'Sample, Ann', 'unknown'],
    ['', 'Sample, Ann', 'unknown'],
    ['Иванов, Иван', 'Ivanov, Ivan', 'unknown'],
    ['Иванов, Иван', 'ИВАНОВ, Иван', 'same'],
  ])('%s and %s: %s', (one, other, expected) => {
    expect(compareNames([named(one)].map(asClaim), [named(other)].map(asClaim))).toBe(expected)
  })

  const asClaim = (name: { family?: string; given?: string[] }) => ({ ...name, given: name.given ?? [] })

  it('finds a maiden name among several, and a name that is one text', () => {
    const both = claimsOf({
      name: [
        { family: 'Miller', given: ['Ann'] },
        { use: 'maiden', family: 'Sample', given: ['Ann'] },
      ],
    })
    expect(compareNames(both.names, person('Sample, Ann').names)).toBe('same')
    const text = claimsOf({ name: [{ text: 'Dr. Ann Sample' }] }).names
    expect(compareNames(text, person('Sample, Ann').names)).toBe('same')
    expect(compareNames(text, person('Other, Ann').names)).toBe('part')
    expect(compareNames(text, person('Other, Bob').names)).toBe('unlike')
  })
})

describe('what is no fact about a person claims nothing', () => {
  it.each(['UNKNOWN', '11111111', '0000', '00-00', 'n/a', '""', ''])('the number %j', value => {
    expect(claimsOf({ identifier: [{ system: hospital, value }] }).identifiers).toEqual([])
  })

  it.each(['123-45-6789', '123456789', '000-12-3456', '666121234', '900-12-3456', '123-00-4567', '078-05-1120'])(
    'the social security number %j',
    value => {
      const claims = (type: string) => claimsOf({ identifier: [numbered(value, type)] }).identifiers.length
      expect([claims('SS'), claims('MR')]).toEqual([0, 1])
      expect(claimsOf({ identifier: [{ system: 'http://hl7.org/fhir/sid/us-ssn', value }] }).identifiers).toEqual([])
      expect(claimsOf({ identifier: [numbered('212-09-5678', 'SS')] }).identifiers).toHaveLength(1)
    },
  )

  it.each(['1900-01-01', '1111-11-11', '9999-12-31', 'M', '19800101', '""'])('the birth date %j', birthDate => {
    expect(claimsOf({ birthDate }).birthDate).toBeUndefined()
  })

  it.each(['other', 'unknown', 'M', undefined])('the sex %j', gender => {
    expect(claimsOf({ gender }).gender).toBeUndefined()
  })
})

describe('a description of a person is compared with one who has the same number', () => {
  const mr = numbered('1', 'MR')
  const ann = known('ann', 'Sample, Ann', '1980-02-03', 'female', mr)
  const verdict = (...rest: Parameters<typeof person>) => judged(person(...rest), [ann])

  it.each([
    ['the same', 'Sample, Ann', '1980-02-03', 'female'],
    ['less', '', undefined, undefined],
    ['the year of birth alone', 'Sample, Ann', '1980', undefined],
    ['no sex', 'Sample, Ann', '1980-02-03', 'unknown'],
    ['a placeholder', 'UNKNOWN', '1900-01-01', 'unknown'],
  ])('certain: %s', (_, name, birthDate, gender) => {
    expect(verdict(name, birthDate, gender, mr)).toEqual({ kind: 'certain', patient: 'ann' })
  })

  it.each([
    ['another birth date', 'Sample, Ann', '1991-07-14', 'female', ['birthDate']],
    ['another year', 'Sample, Ann', '1971', 'female', ['birthDate']],
    ['another sex', 'Sample, Ann', '1980-02-03', 'male', ['gender']],
    ['another name', 'Other, Bob', '1980-02-03', 'female', ['name']],
    ['another name and nothing else', 'Other, Bob', undefined, undefined, ['name']],
    ['a sibling', 'Sample, Dan', '1982-05-06', 'male', ['name', 'birthDate', 'gender']],
    ['two slips at once', 'Sample, Eve', '1980-03-02', 'female', ['name', 'birthDate']],
  ])('contradiction: %s', (_, name, birthDate, gender, elements) => {
    expect(verdict(name, birthDate, gender, mr)).toEqual({ kind: 'contradiction', patient: 'ann', elements })
  })

  it.each([
    ['digits that changed places', 'Sample, Ann', '1980-02-30', ['birthDate']],
    ['digits of the year that changed places', 'Sample, Ann', '1908-02-03', ['birthDate']],
    ['day and month exchanged', 'Sample, Ann', '1980-03-02', ['birthDate']],
    ['one wrong digit', 'Sample, Ann', '1981-02-03', ['birthDate']],
    ['a twin, or a nickname', 'Sample, Eve', '1980-02-03', ['name']],
    ['a name by marriage', 'Miller, Ann', '1980-02-03', ['name']],
    ['another given name and no birth date', 'Sample, Eve', undefined, ['name']],
  ])('doubtful: %s', (_, name, birthDate, elements) => {
    expect(verdict(name, birthDate, 'female', mr)).toEqual({ kind: 'doubtful', patients: ['ann'], elements })
  })

  it('a newborn who gets a name, even another family name, is the same child', () => {
    const child = known('child', 'Sample, Baby Girl', '2026-02-01', 'female', mr)
    expect(judged(person('Sample, Emma', '2026-02-01', 'female', mr), [child]).kind).toBe('certain')
    expect(judged(person('Other, Emma', '2026-02-01', 'female', mr), [child]).kind).toBe('doubtful')
  })

  it.each([
    ['her mother’s', 'Sample, Ann', '1980-02-03', 'Sample, Baby Girl', undefined],
    ['her mother’s, of whom no birth date is known', 'Sample, Ann', undefined, 'Sample, Girl of Ann', '2026-02-01'],
    ['that of a child who got a name', 'Sample, Baby Girl', '2026-02-01', 'Sample, Emma', undefined],
  ])('an unnamed child is told from who is called so by the birth date alone: the number is %s', (_, ...told) => {
    const [name = '', birthDate, said = '', saidDate] = told
    const one = known('one', name, birthDate, 'female', mr)
    const doubtful = { kind: 'doubtful', patients: ['one'], elements: ['name'] }
    expect(judged(person(said, saidDate, 'female', mr), [one])).toEqual(doubtful)
  })

  it('without any birth date an unnamed child is the unnamed child', () => {
    const child = known('child', 'Sample, Baby Girl', undefined, 'female', mr)
    expect(judged(person('Sample, Babygirl', undefined, 'female', mr), [child]).kind).toBe('certain')
  })

  it.each([
    ['another', 1, 2, 'doubtful'],
    ['the same', 2, 2, 'agrees'],
    ['none', 2, undefined, 'agrees'],
    ['what is no number', 2, 'B', 'agrees'],
  ])('of twins with one name, one is told by the place at birth: %s', (_, before, said, kind) => {
    const twin = (multipleBirthInteger: unknown, birthDate = '2026-02-01') =>
      claimsOf({ name: [named('Sample, Baby Boy')], birthDate, gender: 'male', multipleBirthInteger })
    const elements = kind === 'agrees' ? [] : ['multipleBirth']
    expect(compare(twin(said), twin(before))).toEqual({ kind, elements })
    const other = { kind: 'contradicts', elements: ['birthDate', ...elements] }
    expect(compare(twin(said, '2020-05-17'), twin(before))).toEqual(other)
  })
})

describe('numbers – CX, HL7 v2.9 chapter 2A.3.14; table 0203', () => {
  const ann = (...identifier: object[]) => known('ann', 'Sample, Ann', '2015-01-01', 'female', ...identifier)

  it('the same number of two authorities, or of none, is two numbers', () => {
    const one = ann(numbered('1', 'MR'))
    expect(judged(person('Sample, Ann', '2015-01-01', 'female', numbered('1', 'MR', 'urn:oid:9')), [one]).kind).toBe(
      'unknown',
    )
    const bare = ann({ value: '1' })
    expect(judged(person('Sample, Ann', '2015-01-01', 'female', { value: '1' }), [bare]).kind).toBe('unknown')
  })

  it.each(['HC', 'MC', 'MA', 'PN', 'AN', 'MB', 'SN', 'FAM', 'WC', 'GI', 'TAX', 'BA'])(
    'a number of type %s, which a family may share, names nobody alone',
    type => {
      const one = ann(numbered('M1', 'MR'), numbered('P1', type))
      const sibling = person('Sample, Dan', '2017-02-02', 'male', numbered('M2', 'MR'), numbered('P1', type))
      expect(judged(sibling, [one])).toEqual({ kind: 'unknown' })
      const twin = person('Sample, Eve', '2015-01-01', 'female', numbered('M2', 'MR'), numbered('P1', type))
      expect(judged(twin, [one])).toEqual({ kind: 'unknown' })
    },
  )

  it('a shared number with the same name and birth date names somebody; without the date it is for a person to say', () => {
    const one = ann(numbered('P1', 'HC'))
    const asked = (birthDate?: string) =>
      judged(person('Sample, Ann', birthDate, undefined, numbered('P1', 'HC')), [one])
    expect(asked('2015-01-01')).toEqual({ kind: 'certain', patient: 'ann' })
    expect(asked()).toEqual({ kind: 'doubtful', patients: ['ann'], elements: ['birthDate'] })
    expect(asked('2015-01-02')).toEqual({ kind: 'unknown' })
  })

  it.each(['VN', 'NPI', 'MD', 'FILL', 'SID'])('a number of type %s is none of a person', type => {
    expect(judged(person('', undefined, undefined, numbered('1', type)), [ann(numbered('1', type))]).kind).toBe(
      'unknown',
    )
  })

  it('two numbers of one authority and one type are two people, unless one of them is in common or out of use', () => {
    const mine = person('Sample, Ann', '2015-01-01', 'female', numbered('M1', 'MR'))
    const asked = (...identifier: object[]) =>
      compare(person('Sample, Ann', '2015-01-01', 'female', ...identifier), mine)
    expect(asked(numbered('M2', 'MR'))).toEqual({ kind: 'contradicts', elements: ['identifier'] })
    expect(asked(numbered('M2'))).toEqual({ kind: 'contradicts', elements: ['identifier'] })
    expect(asked(numbered('M2', 'MR'), numbered('M1', 'MR')).kind).toBe('agrees')
    expect(asked({ ...numbered('M2', 'MR'), use: 'old' }).kind).toBe('agrees')
    expect(asked(numbered('M2', 'PPN')).kind).toBe('agrees')
    expect(asked(numbered('M2', 'MR', 'urn:oid:9')).kind).toBe('agrees')
  })

  it('a hospital that registered somebody twice leaves it to a person', () => {
    const ssn = { system: 'http://hl7.org/fhir/sid/us-ssn', value: '212-09-5678' }
    const twice = person('Sample, Ann', '2015-01-01', 'female', numbered('M2', 'MR'), ssn)
    expect(judged(twice, [ann(numbered('M1', 'MR'), ssn)])).toEqual({
      kind: 'doubtful',
      patients: ['ann'],
      elements: ['identifier'],
    })
  })

  it('numbers of several people leave it to a person, however well one fits', () => {
    const bob = known('bob', 'Sample, Bob', '2012-01-01', 'male', numbered('B', 'MR', 'urn:oid:9'))
    const asked = person('Sample, Ann', '2015-01-01', 'female', numbered('M1', 'MR'), numbered('B', 'MR', 'urn:oid:9'))
    expect(judged(asked, [ann(numbered('M1', 'MR')), bob])).toMatchObject({
      kind: 'doubtful',
      patients: ['ann', 'bob'],
    })
    expect(judged(asked, [bob]).kind).toBe('contradiction')
  })
})

describe('however many numbers and letters there are', () => {
  const isSame = (one: IdentifierClaim, other: IdentifierClaim) =>
    one.system === other.system && one.value === other.value
  /** What `contradicts` means, number by number. */
  function contradictsByMeaning(ones: readonly IdentifierClaim[], others: readonly IdentifierClaim[]): boolean {
    const isSingle = (one: IdentifierClaim) =>
      one.system !== undefined && one.old !== true && ['single', 'unsaid'].includes(namesOf(one))
    const isOneKind = (one: IdentifierClaim, other: IdentifierClaim) =>
      one.system === other.system && (one.type === other.type || [one, other].some(each => namesOf(each) === 'unsaid'))
    const singles = ones.filter(isSingle)
    return singles.some(
      one =>
        others.some(other => isSingle(other) && isOneKind(one, other)) &&
        !singles.some(mine => isOneKind(one, mine) && others.some(other => isSame(mine, other))),
    )
  }

  it('numbers mean what they mean one by one', () => {
    const draw = bitsFrom(20_260_301)
    const pick = <T>(list: readonly T[]): T => list[draw() % list.length] as T
    const claim = (): IdentifierClaim => {
      const [system, type] = [
        pick(['urn:oid:1', 'urn:oid:2', undefined]),
        pick(['MR', 'PI', 'SS', 'MB', 'XX', undefined]),
      ]
      return {
        value: pick(['1', '2', '3']),
        ...(system === undefined ? {} : { system }),
        ...(type === undefined ? {} : { type }),
        ...(draw() % 8 === 0 ? { old: true as const } : {}),
      }
    }
    const claims = () => Array.from({ length: draw() % 5 }, claim)
    const told = new Set<string>()
    for (let turn = 0; turn < 5_000; turn++) {
      const [ones, others] = [claims(), claims()]
      const met = ones.filter(
        one => one.system !== undefined && namesOf(one) !== 'thing' && others.some(other => isSame(one, other)),
      )
      const isOwn = met.some(
        one => ![one, ...others.filter(other => isSame(one, other))].some(each => namesOf(each) === 'shared'),
      )
      expect(inCommon(ones, others)).toEqual(met)
      expect(linkOf(ones, others)).toBe(met.length === 0 ? 'none' : isOwn ? 'own' : 'shared')
      expect({ ones, others, is: contradicts(ones, others) }).toEqual({
        ones,
        others,
        is: contradictsByMeaning(ones, others),
      })
      told.add(`${linkOf(ones, others)} ${contradicts(ones, others)}`)
    }
    expect(told.size).toBe(6)
  })

  it('each number is looked at a few times', () => {
    let looks = 0
    const many = (from: number, type?: string): IdentifierClaim[] =>
      Array.from({ length: 2_000 }, (_, n) => ({
        system: hospital,
        get value() {
          looks += 1
          return `${from + n}`
        },
        ...(type === undefined ? {} : { type }),
      }))
    for (const type of ['MR', 'MB', undefined])
      for (const ask of [contradicts, linkOf, inCommon])
        for (const [ones, others] of [
          [many(0, type), many(0, type)],
          [many(0, type), many(5_000, type)],
          [many(0, type), many(1_999, type)],
        ] as const) {
          looks = 0
          ask(ones, others)
          expect(looks).toBeLessThanOrEqual(5 * 2_000 * 2)
        }
  })

  it.each<[string, object]>([
    ['a text', { text: 'ä'.repeat(1_000_000) }],
    ['words of a text', { text: 'Ann Sample '.repeat(100_000) }],
    ['a family name', { family: 'Sample-'.repeat(100_000) }],
    ['given names', { family: 'Sample', given: Array.from({ length: 100_000 }, (_, n) => `Ann${n}`) }],
    ['one given name', { family: 'Sample', given: ['Ann'.repeat(100_000)] }],
  ])('of %s so much is compared as a name may have, and the same name is the same', (_, name) => {
    const claims = claimsOf({ name: [name], birthDate: '2015-01-01' })
    expect(JSON.stringify(claims.names).length).toBeLessThan(1_000)
    expect(compare(claims, claimsOf({ name: [name], birthDate: '2015-01-01' })).kind).toBe('agrees')
    expect(compare(claims, person('Other, Bert', '2015-01-01')).kind).not.toBe('agrees')
  })

  it('of names the first', () => {
    const names = Array.from({ length: 100_000 }, (_, n) => ({ family: `Sample${n}`, given: ['Ann'] }))
    expect(claimsOf({ name: names }).names).toHaveLength(12)
  })
})
