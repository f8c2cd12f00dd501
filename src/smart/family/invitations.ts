import type { Keeping } from '#access'
import { type Clock, newSecret, Problem } from '#kernel'
import type { DocumentDraft, Documents, Vault } from '#vault'

/** What an address invites to: keeping a patient together with whoever took them in. */
export interface Invitation {
  readonly patient: string
  /** The account that invites. */
  readonly from: string
  /** As what; one that an earlier release made is to a guardian's. */
  readonly as?: Keeping
  /** The patient is given away whole: as what the giver keeps them then, or not at all. */
  readonly gives?: { readonly keeps?: Keeping }
  /** Not at once, but in an emergency: so long after it was asked for, unless somebody says no. */
  readonly emergency?: { readonly waitMs: number }
  readonly expiresAtMs: number
}

/** An invitation as whoever made it sees it. */
export interface OpenInvitation extends Invitation {
  /** Names it in forms; it cannot be accepted with this. */
  readonly id: string
}

/** One-time secrets, good for three days, with which an account comes to keep a patient too. */
export interface Invitations {
  /** @throws Problem `conflict` · `smart.too-many-invitations` */
  make(invitation: Omit<Invitation, 'expiresAtMs'>): Promise<{ readonly secret: string; readonly expiresAtMs: number }>
  /** @throws Problem `forbidden` · `smart.invitation-refused` */
  check(secret: string): Promise<Invitation>
  /** Of two who accept at once one is refused. @throws Problem as `check` */
  take(secret: string): Promise<Invitation>
  /** The same as a write, to be committed with what is accepted. @throws Problem as `check` */
  taking(secret: string): Promise<DocumentDraft>
  /** Those that an account has made and nobody has accepted. */
  of(account: string): Promise<readonly OpenInvitation[]>
  /** Takes one of an account's invitations back; of another's, none. Resolves to what was taken back. */
  withdraw(account: string, id: string): Promise<Invitation | undefined>
  /** The patient is erased, or not the account's to share any more. */
  forget(patient: string, account?: string): Promise<void>
  /** The account is deleted: whatever it passed on is good no more. */
  forgetOf(account: string): Promise<void>
}

const collection = 'smart.invitations'
const lifeMs = 3 * 24 * 60 * 60_000
const mostOpen = 20

function refusal(): Problem {
  const text = 'This invitation was accepted already, was taken back, is more than three days old, or wrong.'
  return new Problem('forbidden', 'smart.invitation-refused', text)
}

export function openInvitations(options: { documents: Documents; vault: Vault; clock: Clock }): Invitations {
  const { documents, vault, clock } = options
  const nameOf = (secret: string) => vault.mac('smart.invitation', Buffer.from(secret)).toString('hex')

  async function of(account: string): Promise<readonly OpenInvitation[]> {
    const found = await documents.list<Invitation>(collection, { group: account })
    return found
      .map(({ name, value }) => ({ ...value, id: name }))
      .toSorted((one, other) => one.expiresAtMs - other.expiresAtMs)
  }

  async function put(secret: string, invitation: Invitation): Promise<void> {
    const { from, expiresAtMs } = invitation
    await documents.put(collection, nameOf(secret), invitation, { ifRevision: 0, group: from, expiresAtMs })
  }

  return {
    of,

    async make(wanted) {
      if ((await of(wanted.from)).length >= mostOpen)
        throw new Problem(
          'conflict',
          'smart.too-many-invitations',
          'Twenty invitations are open. Take some of them back first.',
        )
      const secret = newSecret()
      const expiresAtMs = clock.nowMs() + lifeMs
      await put(secret, { ...wanted, expiresAtMs })
      return { secret, expiresAtMs }
    },

    async check(secret) {
      const found = await documents.get<Invitation>(collection, nameOf(secret))
      if (found === undefined) throw refusal()
      return found.value
    },

    async take(secret) {
      const taken = await documents.take<Invitation>(collection, nameOf(secret))
      if (taken === undefined) throw refusal()
      return taken
    },

    async taking(secret) {
      const found = await documents.get<Invitation>(collection, nameOf(secret))
      if (found === undefined) throw refusal()
      return documents.remove(collection, nameOf(secret), { ifRevision: found.revision })
    },

    async withdraw(account, id) {
      const found = await documents.get<Invitation>(collection, id)
      return found?.value.from === account ? documents.take<Invitation>(collection, id) : undefined
    },

    async forgetOf(account) {
      for (const { id } of await of(account)) await documents.delete(collection, id)
    },

    async forget(patient, account) {
      const asked = account === undefined ? {} : { group: account }
      for (const { name, value } of await documents.list<Invitation>(collection, asked))
        if (value.patient === patient) await documents.delete(collection, name)
    },
  }
}
