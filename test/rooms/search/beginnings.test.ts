import fc from 'fast-check'
import type { Resource } from '#fhir'
import { printParts } from '../../../src/search/kinds/entries.ts'
import { parseStringOperand, soughtStringKeys, stringKeys, stringTest } from '../../../src/search/kinds/string.ts'
import { ask, Household, patientHolder } from './household.ts'

const letters = fc.string({
  unit: fc.constantFrom('a', 'B', 'ß', 'é', '\u0301', ' ', '-', '‐', "'", '’', '.', '𝔸', 'ﬁ', '\ud835'),
  maxLength: 20,
})
const modifiers = [undefined, 'exact', 'is', 'contains', 'text', 'ends', 'after', 'until'] as const

/** https://hl7.org/fhir/R4/search.html#string */
describe('texts that are looked up by their beginning', () => {
  it('are all found that are what is sought', () => {
    const drawn = fc.record({
      before: letters,
      sought: fc.array(letters, { minLength: 1, maxLength: 3 }),
      behind: letters,
      other: letters,
      times: fc.constantFrom(1, 1, 1, 2_000),
      modifier: fc.constantFrom(...modifiers),
    })
    let passed = 0
    fc.assert(
      fc.property(drawn, ({ before, sought, behind, other, times, modifier }) => {
        const operands = sought.map(parseStringOperand)
        const keys = soughtStringKeys(operands, modifier)
        for (const text of [sought[0] ?? '', (sought[0] ?? '') + behind.repeat(times), before + (sought[0] ?? '')]) {
          const entry = printParts([other, text])
          if (keys === undefined || !stringTest(operands, modifier)(entry)) continue
          passed++
          expect(stringKeys(entry).some(key => keys.includes(key))).toBe(true)
        }
      }),
      { numRuns: 2_000 },
    )
    expect(passed).toBeGreaterThan(0)
  })

  it('say nothing where what is sought may stand anywhere, or is one letter', () => {
    expect(soughtStringKeys([parseStringOperand('mueller')], 'contains')).toBeUndefined()
    expect(soughtStringKeys([parseStringOperand('mueller'), parseStringOperand('m')], undefined)).toBeUndefined()
  })

  /** Of so many different ones a dictionary is looked up in; with fewer in each it is looked through. */
  const [many, few] = [700, 350]
  const patients: readonly Resource[] = Array.from({ length: many }, (_, n) => ({
    resourceType: 'Patient',
    id: `p${n}`,
    name: [{ family: `Fam${n} O'Neil`, given: [`Zoë${n % 9}`, '"Jo" J.'] }],
  }))
  const late: Resource = {
    resourceType: 'Patient',
    id: 'late',
    name: [{ family: 'Fam12 Late' }, { family: 'x'.repeat(5_000) }],
  }

  it('are the same that are found where all are looked through, and so are those that come later', () => {
    const together = new Household(patientHolder('a'), patients)
    const apart = [
      new Household(patientHolder('b'), patients.slice(0, few)),
      new Household(patientHolder('c'), patients.slice(few)),
    ]
    const totals = (households: readonly Household[]) =>
      asked.map(search => ask(`Patient?${search}&_total=accurate`, households).result.total)
    const before = totals([together])
    expect(before).toEqual(totals(apart))
    expect(before).toEqual([11, 11, 1, 1, 1, 2, 11, many, 0, 1, 0, 7, 78, many, many, 11, 1, many - 1, 0])
    for (const household of [together, ...apart.slice(1)]) household.write(late)
    const afterwards = totals([together])
    expect(afterwards).toEqual(totals(apart))
    expect([afterwards[0], afterwards.at(-1)]).toEqual([12, 1])
  })

  const asked = [
    'family=fam12',
    'family=FAM12',
    'family=fam12 o',
    'family=fam12 o’n',
    'family=fam12 oneil',
    'family=fam12 on,fam13 on',
    'family=fam77,fam7',
    'family=f',
    'family=am12',
    "family:exact=Fam12 O'Neil",
    'family:exact=Fam12',
    'family:contains=12 O',
    'name=zoe3',
    'name=jo',
    'name="jo',
    '_filter=family sw fam12',
    `_filter=family eq "fam12 o'neil"`,
    `_filter=family ne "fam12 o'neil"`,
    `family=${'x'.repeat(1_100)}`,
  ]
})
