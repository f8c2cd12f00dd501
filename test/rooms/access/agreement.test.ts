import fc from 'fast-check'
import {
  boundOf,
  type ConsentRules,
  type Keeping,
  mayTouch,
  mayTouchAny,
  patientsInReach,
  permits,
  restrictToReadable,
  type Verb,
  visionOf,
  withholdingFor,
} from '#access'
import type { Resource } from '#fhir'
import { type Holder, matches, parseQuery, type Sight } from '#search'
import { grantOf, holders, observationCategory, resources } from './grants.ts'

const scope = fc
  .record({
    level: fc.constantFrom('patient', 'user', 'system'),
    type: fc.constantFrom('*', 'Observation', 'Patient', 'Practitioner', 'ValueSet', 'AuditEvent'),
    verbs: fc.constantFrom('r', 's', 'rs', 'u', 'cud', 'cruds'),
    param: fc.constantFrom('', '', '?_id=vital-signs-1', '?_id=d', '?category=laboratory'),
  })
  .map(({ level, type, verbs, param }) => {
    const fits = !param.includes('category') || type === 'Observation'
    return `${level}/${type}.${verbs}${fits ? param : ''}`
  })

const bound = fc.constantFrom<Keeping>(
  { role: 'member' },
  { role: 'viewer', categories: [] },
  { role: 'viewer', categories: ['laboratory'] },
  { role: 'viewer', categories: ['vital-signs', 'conditions'] },
)

const within = fc.option(
  fc
    .dictionary(fc.constantFrom('A', 'B'), bound)
    .map(roles => new Map(Object.entries(roles).map(([patient, keeping]) => [patient, boundOf(keeping) ?? []]))),
  { nil: undefined },
)

/** What a Consent selects: by type, by a code where it is looked for, by a label that one of the resources has. */
const selection = fc.record(
  {
    types: fc.subarray(['Observation', 'Patient', 'ValueSet']),
    codes: fc.constantFrom([`${observationCategory}|laboratory`], ['urn:x|none']),
    labels: fc.constantFrom(['urn:label|kept'], ['urn:x|none']),
  },
  { requiredKeys: [] },
)

const rules = fc.record({
  place: fc.constant('Consent.provision'),
  recipients: fc.constant([]),
  withheld: fc.array(selection, { minLength: 1, maxLength: 2 }),
  unless: fc.array(fc.record({ recipients: fc.constant([]), permitted: selection }), { maxLength: 1 }),
})

const stranger = { app: undefined, account: undefined, role: undefined, isOwner: false, isForNobody: false }

function withholding(consents: readonly ConsentRules['rules'][number][]) {
  return withholdingFor([{ consent: 'c', rules: consents }], stranger, 0).withholding
}

const withheld = fc.option(
  fc.dictionary(fc.constantFrom('A', 'B'), fc.array(rules, { minLength: 1, maxLength: 2 })).map(
    drawn =>
      new Map(
        Object.entries(drawn).flatMap(([patient, each]) => {
          const found = withholding(each)
          return found === undefined ? [] : [[patient, found] as const]
        }),
      ),
  ),
  { nil: undefined },
)

const grant = fc
  .record({
    scopes: fc.array(scope, { maxLength: 4 }),
    patient: fc.constantFrom(undefined, 'A', 'B'),
    patients: fc.constantFrom<readonly string[] | 'all'>([], ['A'], ['A', 'B'], 'all'),
    account: fc.constantFrom(undefined, 'account-1', 'account-2'),
    within,
    withheld,
  })
  .map(({ scopes, patient, patients, account, within, withheld }) =>
    grantOf(scopes.join(' '), {
      patients,
      ...(patient === undefined ? {} : { patient }),
      ...(account === undefined ? {} : { account }),
      ...(within === undefined ? {} : { within }),
      ...(withheld === undefined ? {} : { withheld }),
    }),
  )

const place = fc.constantFrom<Holder>(...Object.values(holders))
const row = fc.constantFrom<Resource>(...Object.values(resources))
/** Whom a row of a household names. */
const named = fc.constantFrom<readonly string[]>([], ['A'], ['A', 'B'], ['B', 'A'], ['C'], ['A', 'C'])
const verb = fc.constantFrom<Verb>('c', 'r', 'u', 'd', 's')

async function admits(
  sight: Sight,
  resource: Resource,
  referenced: boolean,
  names: readonly string[] = [],
): Promise<boolean> {
  if (sight.kind === 'none' || (sight.referencedOnly === true && !referenced)) return false
  if (sight.named !== undefined && !names.every(sight.named)) return false
  if (sight.kind === 'all') return true
  for (const criteria of sight.anyOf) if (await matches(resource, criteria)) return true
  return false
}

describe('every way to a row agrees with every other', () => {
  it('sees the same in holders of one class', () => {
    fc.assert(
      fc.property(grant, verb, row, place, place, (given, wanted, { resourceType }, one, other) => {
        const vision = visionOf(given, [wanted])
        fc.pre(one.kind === other.kind && vision.classOf?.(one) === vision.classOf?.(other))
        expect(vision(resourceType, one)).toBe(vision(resourceType, other))
      }),
    )
  })

  it('lets a lesser role do nothing that the grant does not do without it, and nothing beyond the role', async () => {
    await fc.assert(
      fc.asyncProperty(grant, verb, row, place, async (given, wanted, resource, holder) => {
        const { within: roles, ...whole } = given
        const may = await mayTouch(given, wanted, resource, holder)
        if (may) expect(await mayTouch(whole, wanted, resource, holder)).toBe(true)
        const own = holder.patient === undefined ? undefined : roles?.get(holder.patient)
        if (!may || own === undefined || given.terms.some(({ level }) => level === 'system')) return
        const role = { ...given, patients: ['A', 'B'], account: 'account-1', terms: own }
        expect(await mayTouch(role, wanted, resource, holder)).toBe(true)
      }),
      { numRuns: 5000 },
    )
  })

  it('does nothing by what Consents withhold that it does not do without them, and sees nothing that they select', async () => {
    await fc.assert(
      fc.asyncProperty(grant, verb, row, place, async (given, wanted, resource, holder) => {
        const { withheld: _, ...whole } = given
        const withholding = given.withheld?.get(holder.patient ?? '')
        const isHidden = wanted !== 'c' && (await withholding?.withholds(resource)) === true
        const may = await mayTouch(whole, wanted, resource, holder)
        expect(await mayTouch(given, wanted, resource, holder)).toBe(may && !isHidden)
      }),
      { numRuns: 3000 },
    )
  })

  it('sees by a vision what it may touch, row by row', async () => {
    await fc.assert(
      fc.asyncProperty(grant, verb, row, place, named, async (given, wanted, resource, holder, names) => {
        const sight = visionOf(given, [wanted])(resource.resourceType, holder)
        const may = await mayTouch(given, wanted, resource, holder, { named: names })
        expect(await admits(sight, resource, false, names)).toBe(may)
      }),
      { numRuns: 5000 },
    )
  })

  it('never sees by a vision what it may not touch, referenced or not', async () => {
    await fc.assert(
      fc.asyncProperty(grant, verb, row, place, async (given, wanted, resource, holder) => {
        const sight = visionOf(given, [wanted])(resource.resourceType, holder)
        if (await admits(sight, resource, true))
          expect(await mayTouch(given, wanted, resource, holder, { referenced: true })).toBe(true)
      }),
      { numRuns: 5000 },
    )
  })

  it('touches only what it is permitted, in compartments within its reach', async () => {
    await fc.assert(
      fc.asyncProperty(grant, verb, row, place, fc.boolean(), async (given, wanted, resource, holder, referenced) => {
        if (!(await mayTouch(given, wanted, resource, holder, { referenced, mine: referenced }))) return
        expect(permits(given, wanted, resource.resourceType)).toBe(true)
        const reach = patientsInReach(given)
        if (holder.patient !== undefined && reach !== 'all') expect(reach).toContain(holder.patient)
        if (holder.kind === 'household' && reach !== 'all') expect(holder.account).toBe(given.account)
      }),
      { numRuns: 5000 },
    )
  })

  it('touches in a household what names patients only if it reaches each of them, and elsewhere whomever it names', async () => {
    await fc.assert(
      fc.asyncProperty(grant, verb, row, place, named, async (given, wanted, resource, holder, names) => {
        const whole = await mayTouch(given, wanted, resource, holder)
        const may = await mayTouch(given, wanted, resource, holder, { named: names })
        expect(mayTouchAny(given, wanted, resource.resourceType, holder, { named: names }) && !may).toBe(false)
        if (may) expect(whole).toBe(true)
        const reach = patientsInReach(given)
        if (holder.kind !== 'household') return expect(may).toBe(whole)
        const reaches = (each: string) => reach === 'all' || reach.includes(each)
        if (may) expect(names.every(reaches)).toBe(true)
        const isOfLess = names.some(
          each => given.withheld?.has(each) || (reach !== 'all' && given.within?.has(each) === true),
        )
        if (!isOfLess && names.every(reaches)) expect(may).toBe(whole)
        if (!may || !isOfLess) return
        for (const each of wanted === 'c' ? [] : names)
          expect(given.withheld?.get(each)?.isSilentOn(resource.resourceType)).not.toBe(false)
        if (reach === 'all') return
        // Of who is kept in a lesser role only what the role leaves whole, and of whom something is withheld what is not.
        for (const each of names)
          expect(await mayTouch(given, wanted, resource, { compartment: '0', kind: 'patient', patient: each })).toBe(
            true,
          )
      }),
      { numRuns: 5000 },
    )
  })

  it('sees by two verbs what it sees by either', async () => {
    const query = parseQuery('Observation', new URLSearchParams(), { baseUrl: 'https://kinhold.example/fhir' })
    await fc.assert(
      fc.asyncProperty(grant, row, place, named, async (given, resource, holder, names) => {
        if (!permits(given, 'r', 'Observation') && !permits(given, 's', 'Observation')) return
        const may = (verb: Verb) => mayTouch(given, verb, resource, holder, { named: names })
        const either = (await may('r')) || (await may('s'))
        const sight = restrictToReadable(query, given).vision(resource.resourceType, holder)
        expect(await admits(sight, resource, false, names)).toBe(either)
      }),
      { numRuns: 3000 },
    )
  })

  it('does nothing without terms', async () => {
    await fc.assert(
      fc.asyncProperty(verb, row, place, fc.boolean(), async (wanted, resource, holder, referenced) => {
        const empty = grantOf('', { patient: 'A', patients: 'all', account: 'account-1' })
        expect(await mayTouch(empty, wanted, resource, holder, { referenced, mine: true })).toBe(false)
        expect(visionOf(empty, [wanted])(resource.resourceType, holder)).toEqual({ kind: 'none' })
      }),
    )
  })
})
