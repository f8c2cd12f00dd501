import type { Actor } from '#access'
import { type Clock, Problem } from '#kernel'
import type { Documents } from '#vault'

/** With so many wrong passcodes, counted over its whole life, a link is dead. */
export const attemptsOfLink = 10

/** `exhausted`: too many wrong passcodes. */
export type LinkState = 'active' | 'revoked' | 'expired' | 'exhausted'

/** What is kept of a link. Neither its key nor its passcode is in here. */
export interface LinkDocument {
  readonly patient: string
  /** The compartment the content came from: the link ends with its key. */
  readonly compartment: string
  readonly scopes: string
  readonly label?: string
  /** The grant it was made under, and who acted. */
  readonly creator: Pick<Actor, 'kind' | 'id' | 'clientId'> & { readonly grant?: string }
  readonly createdAtMs: number
  readonly expiresAtMs: number
  readonly revoked?: true
  /** One file without a manifest (flag U). */
  readonly direct: boolean
  /** Keyed hash, hex. */
  readonly passcodeMac?: string
  readonly attemptsLeft: number
  readonly pieces: number
  /** What Consents withheld from anybody when the content was gathered; absent: nothing. */
  readonly withheld?: string
}

/** A link as those who may manage it see it; it cannot be opened with this. */
export interface LinkSummary {
  readonly id: string
  readonly patient: string
  readonly scopes: string
  readonly label?: string
  readonly createdAtMs: number
  readonly expiresAtMs: number
  readonly state: LinkState
  readonly direct: boolean
  readonly hasPasscode: boolean
}

/** What a link may still do at this moment. */
export function stateOf(link: LinkDocument, nowMs: number): LinkState {
  if (link.revoked === true) return 'revoked'
  if (link.expiresAtMs <= nowMs) return 'expired'
  return link.attemptsLeft > 0 ? 'active' : 'exhausted'
}

export function summaryOf(id: string, link: LinkDocument, nowMs: number): LinkSummary {
  const { patient, scopes, label, createdAtMs, expiresAtMs, direct } = link
  return {
    id,
    patient,
    scopes,
    ...(label === undefined ? {} : { label }),
    createdAtMs,
    expiresAtMs,
    state: stateOf(link, nowMs),
    direct,
    hasPasscode: link.passcodeMac !== undefined,
  }
}

export interface Links {
  add(id: string, link: LinkDocument): Promise<void>
  get(id: string): Promise<LinkDocument | undefined>
  /** The links to a patient, or all, newest first; ended ones are known for a while. */
  list(patient?: string): Promise<readonly { readonly id: string; readonly link: LinkDocument }[]>
  /** Takes one attempt, atomically; undefined when the link is not active any more. */
  spendAttempt(id: string): Promise<LinkDocument | undefined>
  /** Gives the attempt back after the right passcode. */
  restoreAttempt(id: string): Promise<void>
  /** Resolves to the link as it is now; undefined when there is none. */
  markRevoked(id: string): Promise<LinkDocument | undefined>
  remove(id: string): Promise<void>
}

const collection = 'share.links'
const knownAfterEndMs = 30 * 24 * 60 * 60_000
const maxRaces = 200

export function openLinks({ documents, clock }: { documents: Documents; clock: Clock }): Links {
  function put(id: string, link: LinkDocument, ifRevision: number): Promise<boolean> {
    const expiresAtMs = link.expiresAtMs + knownAfterEndMs
    return documents.put(collection, id, link, { ifRevision, group: link.patient, expiresAtMs })
  }

  /** Writes what `next` makes of the link, once nobody else was faster; undefined when `next` declines. */
  async function change(
    id: string,
    next: (link: LinkDocument) => LinkDocument | undefined,
  ): Promise<LinkDocument | undefined> {
    for (let race = 0; race < maxRaces; race++) {
      const found = await documents.get<LinkDocument>(collection, id)
      const changed = found === undefined ? undefined : next(found.value)
      if (found === undefined || changed === undefined) return undefined
      if (await put(id, changed, found.revision)) return changed
    }
    throw new Problem('busy', 'share.contended', 'Too many are opening this link at once. Please try again.')
  }

  return {
    async add(id, link) {
      await put(id, link, 0)
    },

    async get(id) {
      return (await documents.get<LinkDocument>(collection, id))?.value
    },

    async list(patient) {
      const found = await documents.list<LinkDocument>(collection, patient === undefined ? {} : { group: patient })
      return found
        .map(({ name, value }) => ({ id: name, link: value }))
        .sort((one, other) => other.link.createdAtMs - one.link.createdAtMs)
    },

    async remove(id) {
      await documents.delete(collection, id)
    },

    spendAttempt: id =>
      change(id, link =>
        stateOf(link, clock.nowMs()) === 'active' ? { ...link, attemptsLeft: link.attemptsLeft - 1 } : undefined,
      ),

    async restoreAttempt(id) {
      await change(id, link => ({ ...link, attemptsLeft: Math.min(attemptsOfLink, link.attemptsLeft + 1) }))
    },

    markRevoked: id => change(id, link => ({ ...link, revoked: true })),
  }
}
