import { randomBytes } from 'node:crypto'
import type { Grant } from '#access'
import type { Resource } from '#fhir'
import { Problem } from '#kernel'
import type { Record as PatientRecord, Txn, Writer } from '#record'
import { type Reading, readWanted } from './read-wanted.ts'
import { checkRights, isMaker, maySeeState } from './rights.ts'
import { withoutSecrets, withSecrets } from './secrets.ts'
import { type Kept, madeBy, type State, type States, type Status } from './state.ts'
import type { Wanted } from './wanted.ts'

/** What is needed to take a Subscription. */
export interface Taking {
  readonly record: PatientRecord
  readonly states: States
  readonly standing: (given: Grant) => Promise<Grant | undefined>
  reading(): Reading
}

/** How many Subscriptions one maker has at once. */
const mostOfOne = 100
/** And how many of them send letters: whoever gets those may not have asked for them. */
const mostLetters = 5

/**
 * The same record, in which each write of a Subscription, however it comes, is read for what it asks, and its state written by the same
 * commit: none is kept that has no effect, and header values are never part of a resource.
 */
export function taking(rooms: Taking): PatientRecord {
  return { ...rooms.record, writer: (grant, options) => watched(rooms.record.writer(grant, options), grant, rooms) }
}

function watched(writer: Writer, grant: Grant, rooms: Taking): Writer {
  const transact = writer.transact.bind(writer)
  return Object.assign(writer, {
    transact: <T>(work: (txn: Txn) => Promise<T>) => transact(txn => work(watchedTxn(txn, grant, rooms))),
  })
}

function watchedTxn(txn: Txn, grant: Grant, rooms: Taking): Txn {
  const plain = { create: txn.create.bind(txn), update: txn.update.bind(txn), delete: txn.delete.bind(txn) }
  const staged: Wanted[] = []
  const takeHere = async (resource: Resource, known: Kept | undefined): Promise<Taken> => {
    const addition = staged.length === 0 ? await rooms.states.addition(madeBy(grant)) : undefined
    const taken = await take(resource, known, grant, { ...rooms, staged })
    if (taken.state === undefined || !isAdded(taken.state.wanted, known)) return taken
    if (addition !== undefined) txn.document(addition)
    staged.push(taken.state.wanted)
    return taken
  }
  const watch: Pick<Txn, 'create' | 'update' | 'delete'> = {
    async create(resource, options) {
      if (resource.resourceType !== type) return plain.create(resource, options)
      const taken = await takeHere(resource, undefined)
      const written = await plain.create(taken.resource, options)
      keep(taken, written.id, txn, rooms)
      return written
    },
    async update(of, id, resource, options) {
      if (of !== type) return plain.update(of, id, resource, options)
      const taken = await takeHere(resource, await rooms.states.get(id))
      const written = await plain.update(of, id, taken.resource, options)
      keep(taken, id, txn, rooms)
      return written
    },
    async delete(of, id, options) {
      const written = await plain.delete(of, id, options)
      if (of === type && written !== undefined) txn.document(rooms.states.removal(id))
      return written
    },
  }
  return Object.assign(txn, watch)
}

const type = 'Subscription'

/** A Subscription as it is to be written, and what follows from it. */
interface Taken {
  readonly resource: Resource
  /** Undefined for one that is to be off. */
  readonly state: Omit<State, 'id'> | undefined
  /** What was known of it. */
  readonly known: Kept | undefined
}

/** Statuses in which a client may leave a Subscription that is to send nothing. */
const silent: ReadonlySet<unknown> = new Set(['off', 'error'])

/** Whether a maker has one more by this, at all or of those that send letters. */
function isAdded({ channel }: Wanted, known: Kept | undefined): boolean {
  return known === undefined || (channel === 'email' && known.state.wanted.channel !== 'email')
}

/** @param rooms  with what the same commit has added before */
async function take(
  sent: Resource,
  known: Kept | undefined,
  grant: Grant,
  rooms: Taking & { readonly staged: readonly Wanted[] },
): Promise<Taken> {
  const resource = withoutSecrets(sent)
  if (silent.has(sent.status)) return { resource, state: undefined, known }
  // What another maker has told this server is none of it.
  const own = known !== undefined && isMaker(grant, known.state.made) ? known.state : undefined
  // Nor is what was told, and counted, within reach of an access of their own that reaches elsewhere.
  const before = own !== undefined && maySeeState(grant, own.made, own.wanted) ? own : undefined
  const reading = rooms.reading()
  const read = readWanted(sent, reading)
  const wanted: Wanted = { ...read, headers: withSecrets(read.headers, secretsFor(read, own?.wanted)) }
  await checkRights(wanted, grant, { record: rooms.record, baseUrl: reading.baseUrl })
  const made = madeBy(grant)
  const now = await rooms.standing(grant)
  if (now === undefined) throw fleeting()
  if (isAdded(wanted, known)) checkCount(wanted, known, [...(await rooms.states.wantedOf(made)), ...rooms.staged])
  const isGoingOn = before?.status === 'active' && sent.status === 'active' && isSame(before.wanted, wanted)
  const status: Status = isGoingOn ? 'active' : 'requested'
  // What happened while it was off is told no more than before it was made.
  const isFollowed = before !== undefined && before.status !== 'off'
  // From before this commit on: what is written at the same time is told rather than missed.
  const position = isFollowed ? before.position : await rooms.record.reader(now).followFrom()
  const signingKey = own?.signingKey ?? randomBytes(32).toString('base64')
  return {
    resource: withStatus(resource, { status }),
    state: stateOf(before, { made, wanted, status, position, signingKey }),
    known,
  }
}

/** @throws Problem `conflict` · `subscription.too-many` */
function checkCount(wanted: Wanted, known: Kept | undefined, all: readonly Wanted[]): void {
  const letters = all.filter(({ channel }) => channel === 'email').length
  if (known === undefined && all.length >= mostOfOne) throw tooMany(`${mostOfOne}`)
  if (wanted.channel === 'email' && letters >= mostLetters) throw tooMany(`${mostLetters} by mail`)
}

/** Header values go to where they were meant for alone, whoever asks. */
function secretsFor({ endpoint }: Wanted, before: Wanted | undefined): readonly string[] {
  if (endpoint === undefined || before?.endpoint === undefined) return []
  return new URL(before.endpoint).origin === new URL(endpoint).origin ? before.headers : []
}

function stateOf(
  before: State | undefined,
  now: Pick<State, 'made' | 'wanted' | 'status' | 'position' | 'signingKey'>,
): Omit<State, 'id'> {
  const { beganAtMs = now.position.sinceMs, events = 0, delivered = 0, log = [] } = before ?? {}
  const isGreeted = now.status === 'active'
  return {
    ...now,
    beganAtMs,
    isGreeted,
    shown: { status: now.status },
    events,
    delivered,
    log,
    failures: 0,
    retryAtMs: 0,
  }
}

/** Both are made by one function, member by member. */
function isSame(one: Wanted, other: Wanted): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

function keep({ state, known }: Taken, id: string, txn: Txn, { states }: Taking): void {
  if (state !== undefined) txn.document(states.write({ id, ...state }, known?.revision ?? 0))
  else if (known !== undefined) txn.document(states.removal(id))
}

/** The resource as it says how its Subscription stands: that is the server's to say. */
export function withStatus(
  { error: _error, ...resource }: Resource,
  { status, error }: Pick<State, 'status' | 'error'>,
): Resource {
  return { ...resource, status, ...(error === undefined ? {} : { error }) }
}

function fleeting(): Problem {
  const text = 'The access under which this is asked does not last: nothing could be sent under it.'
  return new Problem('forbidden', 'subscription.access-fleeting', text)
}

function tooMany(so: string): Problem {
  const text = `There are so many Subscriptions of this app already (${so}); delete some of them.`
  return new Problem('conflict', 'subscription.too-many', text)
}
