import type { Grant } from '#access'
import type { Answer, House } from './house.ts'

export function idsIn({ json }: Answer): string[] {
  return (json.entry ?? []).map(({ resource }: { resource: { id: string } }) => resource.id).sort()
}

interface Unseen {
  readonly ways: readonly string[]
  /** A text that stands in each of the hidden ones. */
  readonly secret: string
  readonly ids: readonly string[]
}

/** By none of the ways a grant is shown any of some resources. */
export async function expectUnseen(house: House, grant: Grant, { ways, secret, ids }: Unseen): Promise<void> {
  for (const path of ways) {
    const answer = await house.ask('GET', path, { grant })
    expect([path, answer.text.includes(secret)]).toEqual([path, false])
    expect([path, idsIn(answer).filter(id => ids.includes(id))]).toEqual([path, []])
  }
}

/**
 * Every way of reading what the patient `a` has, who has an Observation of this id and the Condition `a-condition`, asserted by the
 * Practitioner `doc`.
 */
export function waysToRead(observation: string): readonly string[] {
  return [
    `/Observation/${observation}`,
    `/Observation/${observation}/_history`,
    `/Observation/${observation}/_history/1`,
    '/Condition/a-condition',
    '/Practitioner/doc',
    '/Observation',
    `/Observation?_id=${observation},a-pulse`,
    '/Observation?_include=Observation:subject',
    '/Condition?patient=Patient/a',
    '/Condition?_include=Condition:asserter',
    '/Practitioner',
    '/Practitioner?_revinclude=Condition:asserter',
    '/Patient?_id=a&_revinclude=Observation:subject&_revinclude=Condition:subject',
    '/Patient/a/Condition',
    '/Patient/a/*',
    '/Patient/a/$everything',
    '/Patient/a/$summary',
    '/Observation/$lastn?patient=a&max=3',
    '/_history',
    '/Observation/_history',
    '/Condition/_history',
    '/AuditEvent?patient=a',
    '/Patient/a/AuditEvent',
    '/?_type=Observation,Condition',
    `/$graphql?query=${encodeURIComponent('{ConditionList(patient:"a"){id code{text}}}')}`,
    `/$graphql?query=${encodeURIComponent(`{Observation(id:"${observation}"){code{text}}}`)}`,
  ]
}
