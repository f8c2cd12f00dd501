import { type Grant, parseScope } from '#access'
import { parseResource } from '#fhir'
import type { Record as PatientRecord } from '#record'
import type { Kept, State, States } from './state.ts'
import { withStatus } from './taking.ts'

/** What a state is kept with. */
export interface KeepingRooms {
  /** As it is below: what the server writes of a Subscription asks for nothing. */
  readonly record: PatientRecord
  readonly states: States
}

/** Somebody else goes on with a Subscription, or it is gone. */
export class Outrun extends Error {}

/**
 * Writes how a Subscription stands, for whoever goes on with it and for whoever reads it: where what the resource says changes with
 * the state, both are one commit.
 *
 * @returns what was kept; undefined when somebody else has written meanwhile, or the Subscription is gone
 */
export function keepState(kept: Kept, state: State, rooms: KeepingRooms): Promise<Kept | undefined> {
  return isShown(state) ? rooms.states.put(kept, state) : putShown(kept, state, rooms)
}

/** Changes what is there by then; undefined where nothing is there any more, or nothing is to be changed. */
export async function changeState(
  id: string,
  change: (state: State) => State | undefined,
  rooms: KeepingRooms,
): Promise<Kept | undefined> {
  for (;;) {
    const kept = await rooms.states.get(id)
    const next = kept && change(kept.state)
    if (kept === undefined || next === undefined) return undefined
    const put = await keepState(kept, next, rooms)
    if (put !== undefined) return put
  }
}

/** Whether the resource says already how it stands. */
export function isShown({ status, error, shown }: State): boolean {
  return status === shown.status && error === shown.error
}

async function putShown(kept: Kept, state: State, { record, states }: KeepingRooms): Promise<Kept | undefined> {
  const { id, status, error } = state
  const shown = { status, ...(error === undefined ? {} : { error }) }
  const next: State = { ...state, shown }
  const outcome = await record.writer(ownGrant()).transact(async txn => {
    // Looked at in each run of the work: with another revision it would be run again and again.
    if ((await states.get(id))?.revision !== kept.revision) return 'outrun'
    const stored = await txn.read('Subscription', id)
    if (stored === undefined) return 'gone'
    const resource = withStatus(parseResource(stored.json), shown)
    await txn.update('Subscription', id, resource, { ifMatch: String(stored.version), unlessSame: true })
    txn.document(states.write(next, kept.revision))
    return 'written'
  })
  // Where the resource is gone, so is the Subscription.
  if (outcome === 'gone') await states.remove(id)
  return outcome === 'written' ? { state: next, revision: kept.revision + 1 } : undefined
}

/** What the server does for itself: it reads and writes Subscriptions, and nothing else. */
function ownGrant(): Grant {
  const term = parseScope('system/Subscription.ru')
  return {
    id: 'subscriptions',
    actor: { kind: 'administrator', id: 'subscriptions', display: 'This server, of its Subscriptions' },
    patients: 'all',
    terms: term === undefined ? [] : [term],
    expiresAtMs: Number.POSITIVE_INFINITY,
  }
}
