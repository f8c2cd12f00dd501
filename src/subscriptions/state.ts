import { type Grant, parseScope } from '#access'
import type { FollowedTo } from '#record'
import type { DocumentDraft, Documents, Vault } from '#vault'
import type { ChannelType, Wanted } from './wanted.ts'

/** https://hl7.org/fhir/R4/valueset-subscription-status.html */
export type Status = 'requested' | 'active' | 'error' | 'off'

/** The grant that made a Subscription, as it is kept: it is asked for anew whenever something is to be sent. */
export interface Made extends Omit<Grant, 'terms' | 'patients' | 'within' | 'expiresAtMs'> {
  readonly scopes: readonly string[]
}

/** One event, by its number; without `type` what it was about has been erased. */
export interface Event {
  /** 1, 2, 3 … since the Subscription began. */
  readonly number: number
  /** Unix milliseconds at which it was written. */
  readonly atMs: number
  readonly type?: string
  readonly id?: string
  readonly version?: number
  readonly method?: 'POST' | 'PUT' | 'DELETE'
  /** Of whom it was told; undefined for what is nobody's. */
  readonly patient?: string
  /** Whether it is somebody else's as well. */
  readonly isShared?: true
}

/** Everything that the server knows of a Subscription beside the resource; sealed. */
export interface State {
  readonly id: string
  /** Unix milliseconds at which it was first taken. */
  readonly beganAtMs: number
  readonly made: Made
  readonly wanted: Wanted
  readonly status: Status
  /** Whether its endpoint has taken a handshake, or needs none. */
  readonly isGreeted: boolean
  /** Constant text of why it is `error` or `off`. */
  readonly error?: string
  /** What the resource says already. */
  readonly shown: Pick<State, 'status' | 'error'>
  /** Key with which messages are signed, base64. */
  readonly signingKey: string
  readonly position: FollowedTo
  /** How many events there were. */
  readonly events: number
  /** Up to which event was acknowledged. */
  readonly delivered: number
  /** The newest events, those that were not acknowledged among them; ascending. */
  readonly log: readonly Event[]
  /** Failures in a row. */
  readonly failures: number
  /** Unix milliseconds before which nothing is tried again. */
  readonly retryAtMs: number
  /** Who is sending, and from when on they count as dead. */
  readonly claim?: { readonly by: string; readonly untilMs: number }
}

/** A state with the revision that it was read at. */
export interface Kept {
  readonly state: State
  readonly revision: number
}

/** Acknowledged events that are kept to be asked for; of those that are told over lines so many that whoever looks a moment later misses none. */
const keptDelivered: Readonly<Record<ChannelType, number>> = { 'rest-hook': 200, websocket: 1_000, email: 200 }
/** What was not acknowledged waits here as long as there is room; the rest waits where it was written. */
export const mostWaiting = 1_000

const collection = 'subscriptions'
/** Of each maker one document, which every Subscription that is added writes anew. */
const additions = 'subscription-additions'

/** The states of all Subscriptions, each a sealed document. */
export class States {
  readonly #documents: Documents
  readonly #vault: Pick<Vault, 'documentKey'>

  constructor(documents: Documents, vault: Pick<Vault, 'documentKey'>) {
    this.#documents = documents
    this.#vault = vault
  }

  async get(id: string): Promise<Kept | undefined> {
    const found = await this.#documents.get<State>(collection, id)
    return found && { state: found.value, revision: found.revision }
  }

  /** @param maker  whose alone, as `makerOf` names them */
  async all(maker?: string): Promise<readonly Kept[]> {
    const group = maker === undefined ? {} : { group: maker }
    const found = await this.#documents.list<State>(collection, { ...group, onBroken: () => undefined })
    return found.map(({ value, revision }) => ({ state: value, revision }))
  }

  /** What one maker asks for. */
  async wantedOf(made: Made): Promise<readonly Wanted[]> {
    return (await this.all(makerOf(made))).map(({ state }) => state.wanted)
  }

  /**
   * To be committed together with what is added, and asked for before one counts: of two who count at the same time one is run again.
   */
  async addition(made: Made): Promise<DocumentDraft> {
    const maker = makerOf(made)
    const ifRevision = (await this.#documents.get(additions, maker))?.revision ?? 0
    return this.#documents.write(additions, maker, {}, { ifRevision })
  }

  /** To be committed together with the Subscription. */
  write(state: State, ifRevision: number): DocumentDraft {
    return this.#documents.write(collection, state.id, state, { ifRevision, group: makerOf(state.made) })
  }

  /** To be committed together with the end of the Subscription. */
  removal(id: string): DocumentDraft {
    return { op: 'delete', collection, key: this.#vault.documentKey(collection, id) }
  }

  /** @returns what was kept; undefined when somebody else has written meanwhile */
  async put({ revision }: Kept, state: State): Promise<Kept | undefined> {
    const options = { ifRevision: revision, group: makerOf(state.made) }
    return (await this.#documents.put(collection, state.id, state, options))
      ? { state, revision: revision + 1 }
      : undefined
  }

  async remove(id: string): Promise<void> {
    await this.#documents.delete(collection, id)
  }
}

/**
 * Who made it, whose Subscriptions are counted and sent together: a person with an app, whatever permission they act under. Tokens that
 * the administrator hands out have nothing in common but their origin: of these each is by itself.
 */
export function makerOf({ actor, id }: Pick<Made, 'actor' | 'id'>): string {
  return actor.kind === 'administrator' ? `administrator ${id}` : `${actor.kind} ${actor.id} ${actor.clientId ?? ''}`
}

/** A grant as it is kept. */
export function madeBy({
  terms,
  patients: _patients,
  within: _within,
  expiresAtMs: _expiresAtMs,
  ...grant
}: Grant): Made {
  return { ...grant, scopes: terms.map(({ text }) => text) }
}

/** The grant again, to ask for what it stands for now. */
export function grantOf({ scopes, ...made }: Made): Grant {
  const terms = scopes.map(parseScope).filter(term => term !== undefined)
  return { ...made, terms, patients: [], expiresAtMs: 0 }
}

/** The state with more events behind the others. */
export function withEvents(state: State, more: readonly Omit<Event, 'number'>[], position: FollowedTo): State {
  const numbered = more.map((event, at) => ({ number: state.events + at + 1, ...event }))
  const events = state.events + more.length
  // Over a line is told whoever is there; nobody is waited for.
  const delivered = state.wanted.channel === 'websocket' ? events : state.delivered
  return trimmed({ ...state, position, events, delivered, log: [...state.log, ...numbered] })
}

/** The state in which all up to a number is acknowledged. */
export function acknowledged(state: State, upTo: number): State {
  return trimmed({ ...state, delivered: Math.max(state.delivered, upTo) })
}

function trimmed(state: State): State {
  return {
    ...state,
    log: state.log.filter(({ number }) => number > state.delivered - keptDelivered[state.wanted.channel]),
  }
}

/** Events that were not acknowledged, in their order. */
export function waiting({ log, delivered }: State): readonly Event[] {
  return log.filter(({ number }) => number > delivered)
}
