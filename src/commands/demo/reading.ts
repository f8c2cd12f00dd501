import type { Client } from 'fhir-kit-client'
import type { House } from '../../compose.ts'
import { type Family, fhirClient, memberOf } from './family.ts'

/** One line of what was asked and what came back. */
export interface Asked {
  readonly who: string
  readonly asked: string
  readonly answer: string
  readonly ok: boolean
}

const narrowScope = 'patient/Observation.rs?category=vital-signs'
const owner = 'Anna, the owner'
const relative = 'her brother, with a token'

type Bundle = Awaited<ReturnType<Client['search']>>

/** Reads with the owner's token: everything of all three. */
export async function readAsOwner(family: Family, baseUrl: string): Promise<Asked[]> {
  const client = fhirClient(baseUrl, family.ownerToken)
  const asked: Asked[] = []
  for (const { id, name } of family.members) {
    const total = await totalOf(client, 'Observation', { patient: id })
    asked.push({ who: owner, asked: `Observation of ${name}`, answer: `${total} found`, ok: total > 0 })
  }
  const greta = memberOf(family, 'grandmother')
  const conditions = await totalOf(client, 'Condition', { patient: greta.id })
  asked.push({ who: owner, asked: `Condition of ${greta.name}`, answer: `${conditions} found`, ok: conditions > 0 })
  return asked
}

/** Reads with a token for the grandmother's vital signs alone, and tries what it does not allow. */
export async function readAsRelative(family: Family, house: House, baseUrl: string): Promise<Asked[]> {
  const greta = memberOf(family, 'grandmother')
  const child = memberOf(family, 'child')
  const token = await house.smart.mint({ scope: narrowScope, patient: greta.id, ttlMs: 3_600_000 })
  const client = fhirClient(baseUrl, token)
  const all = fhirClient(baseUrl, family.ownerToken)
  const vital = await totalOf(all, 'Observation', { patient: greta.id, category: 'vital-signs' })
  const every = await totalOf(all, 'Observation', { patient: greta.id })
  const seen = await totalOf(client, 'Observation', {})
  const laboratory = await firstId(all, { patient: greta.id, category: 'laboratory' })
  const childs = await firstId(all, { patient: child.id })
  const refusals: readonly [string, () => Promise<unknown>, number][] = [
    ['a laboratory result of Greta', () => client.read({ resourceType: 'Observation', id: laboratory }), 404],
    ['an Observation of Mila', () => client.read({ resourceType: 'Observation', id: childs }), 404],
    ['the Conditions of Greta', () => client.search({ resourceType: 'Condition' }), 403],
    ['Greta herself', () => client.read({ resourceType: 'Patient', id: greta.id }), 403],
    ['to delete a vital sign', () => client.delete({ resourceType: 'Observation', id: childs }), 403],
  ]
  const answers: Asked[] = [
    {
      who: relative,
      asked: `every Observation (Greta has ${every})`,
      answer: `${seen} vital signs`,
      ok: seen === vital && seen > 0 && seen < every,
    },
  ]
  for (const [asked, attempt, status] of refusals) answers.push(await refused(asked, attempt, status))
  return answers
}

async function refused(asked: string, attempt: () => Promise<unknown>, status: number): Promise<Asked> {
  const got = await attempt().then(
    () => 200,
    (error: { response?: { status?: number } }) => error.response?.status ?? 0,
  )
  const words = got === 404 ? 'unknown to this token' : got === 403 ? 'refused' : 'given'
  return { who: relative, asked, answer: `${got} ${words}`, ok: got === status }
}

async function totalOf(client: Client, resourceType: string, searchParams: Record<string, string>): Promise<number> {
  const answer: Bundle = await client.search({ resourceType, searchParams: { ...searchParams, _summary: 'count' } })
  return typeof answer.total === 'number' ? answer.total : 0
}

async function firstId(client: Client, searchParams: Record<string, string>): Promise<string> {
  const answer: Bundle = await client.search({
    resourceType: 'Observation',
    searchParams: { ...searchParams, _count: '1' },
  })
  const [first] = (answer.entry ?? []) as readonly { readonly resource: { readonly id: string } }[]
  return first?.resource.id ?? 'none'
}
