import { setImmediate as nextTurn } from 'node:timers/promises'
import { ownersOf } from '#access'
import type { Resource } from '#fhir'
import { giveWay } from '#kernel'
import { extractRow } from '#search'

const subject = { reference: 'Patient/a' }
const name = { family: 'a', given: ['b'] }
const place = { seq: 1, version: 1, lastUpdatedMs: 0, supersedes: undefined, deleted: false, shared: false }

/** Of a type with few search parameters first: what reads them is slow until it has read some. */
const examples: readonly Resource[] = [
  { resourceType: 'Basic', id: 'a', code: { text: 'a' }, subject },
  { resourceType: 'Patient', id: 'a', name: [name], birthDate: '1980-01-01' },
  { resourceType: 'Condition', id: 'a', code: { text: 'sore throat' }, subject },
  { resourceType: 'Observation', id: 'a', code: { text: 'heart rate' }, subject, effectiveDateTime: '2026-01-01' },
]

/**
 * Makes what the first writes need and what is made when it is first asked for – how owners of a type are found, and how its search
 * values are read – each in a turn of its own. Nobody has to wait for it.
 *
 * @param isWanted  asked before each
 */
export async function prepareFirstWrites(baseUrl: string, isWanted: () => boolean): Promise<void> {
  for (const resource of examples)
    for (const make of [() => ownersOf(resource, baseUrl), () => extractRow(resource, place)]) {
      if (!isWanted()) return
      make()
      await (giveWay() ?? nextTurn())
    }
}
