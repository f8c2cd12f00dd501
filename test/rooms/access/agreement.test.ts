import fc from 'fast-check'
import { mayTouch, patientsInReach, permits, restrictToReadable, type Verb, visionOf } from '#access'
import type { Resource } from '#fhir'
import { type Holder, matches, parseQuery, type Sight } from '#search'
import { grantOf, holders, resources } from './grants.ts'

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

const grant = fc
  .record({
    scopes: fc.array(scope, { maxLength: 4 }),
    patient: fc.constantFrom(undefined, 'A', 'B'),
    patients: fc.constantFrom<readonly string[] | 'all'>([], ['A'], ['A', 'B'], 'all'),
    account: fc.constantFrom(undefined, 'account-1', 'account-2'),
  })
  .map(({ scopes, patient, patients, account }) =>
    grantOf(scopes.join(' '), {
      patients,
      ...(patient === undefined ? {} : { patient }),
      ...(account === undefined ? {} : { account }),
    }),
  )

const place = fc.constantFrom<Holder>(...Object.values(holders))
const row = fc.constantFrom<Resource>(...Object.values(resources))
const verb = fc.constantFrom<Verb>('c', 'r', 'u', 'd', 's')

async function admits(sight: Sight, resource: Resource, referenced: boolean): Promise<boolean> {
  if (sight.kind === 'none' || (sight.referencedOnly === true && !referenced)) return false
  if (sight.kind === 'all') return true
  for (const criteria of sight.anyOf) if (await matches(resource, criteria)) return true
  return false
}

describe('every way to a row agrees with every other', () => {
  it('sees by a vision what it may touch, row by row', async () => {
    await fc.assert(
      fc.asyncProperty(grant, verb, row, place, async (given, wanted, resource, holder) => {
        const sight = visionOf(given, [wanted])(resource.resourceType, holder)
        expect(await admits(sight, resource, false)).toBe(await mayTouch(given, wanted, resource, holder))
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

  it('sees by two verbs what it sees by either', async () => {
    const query = parseQuery('Observation', new URLSearchParams(), { baseUrl: 'https://kinhold.example/fhir' })
    await fc.assert(
      fc.asyncProperty(grant, row, place, async (given, resource, holder) => {
        if (!permits(given, 'r', 'Observation') && !permits(given, 's', 'Observation')) return
        const either = (await mayTouch(given, 'r', resource, holder)) || (await mayTouch(given, 's', resource, holder))
        const sight = restrictToReadable(query, given).vision(resource.resourceType, holder)
        expect(await admits(sight, resource, false)).toBe(either)
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
