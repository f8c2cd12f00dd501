/** Two accounts, each with a mother and a child, and a resource of every type of R4 for each way in which it can be theirs. */
import type { Grant } from '#access'
import { type Resource, resourceTypes } from '#fhir'
import { searchParameter } from '#search'
import { grantOf, type House } from './house.ts'

export type FamilyName = 'north' | 'south'

interface Members {
  readonly mother: string
  readonly child: string
}

export const members: Readonly<Record<FamilyName, Members>> = {
  north: { mother: 'north-mother', child: 'north-child' },
  south: { mother: 'south-mother', child: 'south-child' },
}

export const accountOf = (family: FamilyName): Grant =>
  grantOf('user/*.cruds', { account: family, patients: Object.values(members[family]) })

export const patientOf = (patient: string): Grant => grantOf('patient/*.cruds', { patient })

const house = grantOf('system/*.cruds', { patients: 'all' })

/** Types of which a resource can be written by a client. */
export const types = resourceTypes.filter(type => type !== 'AuditEvent' && type !== 'Patient')

/** Elements through which a resource of the type can belong to a patient, by the compartment's parameter names. */
function namedBy(type: string): readonly string[] {
  return ['subject', 'patient', 'beneficiary', 'individual', 'actor', 'performer', 'member'].filter(
    name => searchParameter(type, name)?.type === 'reference',
  )
}

/** What there must be of a type for it to be kept: a Subscription that would have no effect is refused. */
const needed: Readonly<Record<string, object>> = {
  Subscription: {
    status: 'requested',
    reason: 'to be told',
    criteria: 'Observation?status=final',
    channel: { type: 'rest-hook', endpoint: 'http://127.0.0.1:9/', payload: 'application/fhir+json' },
  },
}

/** A resource of a type that names these patients wherever it can, one to an element and the rest at the last. */
export function about(type: string, patients: readonly string[]): Resource {
  const resource: { [element: string]: unknown; resourceType: string } = { resourceType: type, ...needed[type] }
  namedBy(type).forEach((name, at) => {
    const expression = searchParameter(type, name)?.expression ?? ''
    const path = expression.split('|').map(text => /^\s*\w+\.([a-zA-Z.]+)/.exec(text)?.[1] ?? '')[0] ?? ''
    const steps = path.replace(/\.where$/, '').split('.')
    const reference = { reference: `Patient/${patients[at % patients.length]}` }
    const [first = '', ...rest] = steps
    resource[first] ??= rest.reduceRight<unknown>((value, step) => ({ [step]: value }), reference)
  })
  return resource
}

/** What happens in a house: everybody, then each family's and what is between them, told or not. */
export async function live(in_: House, families: readonly FamilyName[]): Promise<void> {
  const { record } = in_.rooms
  for (const grant of [house, ...families.map(accountOf)]) in_.admit(grant)
  const put = (resource: Resource, grant = house) =>
    record.writer(grant).transact(txn => txn.update(resource.resourceType, resource.id ?? '', resource))
  for (const [family, { mother, child }] of Object.entries(members))
    for (const id of [mother, child]) {
      // Of the other family only the bare patients whom shared resources name, or nothing could be shared with them.
      const told = families.includes(family as FamilyName)
      await put({ resourceType: 'Patient', id, ...(told ? { name: [{ family }] } : {}) })
      await record.addPatientTo(family, id)
    }
  for (const family of families) {
    const { mother, child } = members[family]
    for (const type of types) {
      await put({ ...about(type, [mother]), id: `${family}-own` })
      await put({ ...about(type, [mother, child]), id: `${family}-shared` })
      await record
        .writer(accountOf(family))
        .transact(txn => txn.create({ resourceType: type, ...needed[type] }, { id: `${family}-home` }))
    }
  }
}

/** What the northern family asks, whoever of them. */
export function questions(): readonly string[] {
  const ids = ['north-own', 'north-shared', 'north-home', 'south-own', 'south-shared', 'south-home', 'nobodys']
  return [
    ...types.flatMap(type => [
      `/${type}?_total=accurate`,
      `/${type}/_history`,
      ...ids.flatMap(id => [`/${type}/${id}`, `/${type}/${id}/_history`]),
      ...namedBy(type).map(name => `/${type}?${name}=Patient/south-child`),
    ]),
    '/_history?_count=200',
    '/Patient/north-mother/$everything?_count=200',
    '/Patient/south-mother/$everything',
    '/Patient/south-mother',
    '/Patient?family=south',
    '/Patient?_has:Observation:subject:status=final',
  ]
}

/** What the northern family tries to write over what is the southern one's. */
export function attempts(): readonly { method: string; url: string; body?: string }[] {
  return types.flatMap(type => {
    const foreign = ['south-own', 'south-shared', 'south-home', 'nobodys']
    return foreign.flatMap(id => [
      { method: 'PUT', url: `/${type}/${id}`, body: JSON.stringify({ ...about(type, ['north-mother']), id }) },
      { method: 'DELETE', url: `/${type}/${id}` },
    ])
  })
}
