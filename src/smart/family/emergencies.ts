import type { Keeping } from '#access'
import { type Clock, mapFew } from '#kernel'
import type { DocumentDraft, Documents } from '#vault'

/** That an account may come to keep a patient in an emergency: after it has asked, and nobody has said no for a while. */
export interface Emergency {
  readonly patient: string
  /** Who may ask. */
  readonly account: string
  /** Who named them, in whose right it is. */
  readonly from: string
  /** As what the patient is kept then. */
  readonly as: Keeping
  /** For so long somebody can say no. */
  readonly waitMs: number
  readonly sinceMs: number
  /** Unix milliseconds; absent where nothing is asked for. */
  readonly askedAtMs?: number
  /** When the patient was last kept by it. */
  readonly openedAtMs?: number
}

/** The next state of what is kept; undefined where it is to stay. */
type Next = (emergency: Emergency) => Emergency | undefined

/** Who may ask to keep whom in an emergency. */
export interface Emergencies {
  /** In one commit with others. @returns false when one of those fails */
  add(emergency: Omit<Emergency, 'sinceMs'>, others: readonly DocumentDraft[]): Promise<boolean>
  get(patient: string, account: string): Promise<Emergency | undefined>
  /** Oldest first. */
  ofPatient(patient: string): Promise<readonly Emergency[]>
  /** What an account may ask for, oldest first. */
  ofAccount(account: string): Promise<readonly Emergency[]>
  /**
   * Of two who change it at once each sees what the other one left.
   *
   * @param others  writes without a condition that are to be committed with it
   * @returns       what there is then; undefined where there is nothing, or `next` wanted it to stay
   */
  change(
    patient: string,
    account: string,
    next: Next,
    others?: readonly DocumentDraft[],
  ): Promise<Emergency | undefined>
  /** Nothing is asked for any more. @returns whether something was */
  refuse(patient: string, account: string): Promise<boolean>
  /** @returns what was there */
  remove(patient: string, account: string): Promise<Emergency | undefined>
  /** The patient is erased, or not the account's any more that named somebody. */
  forget(patient: string, from?: string): Promise<void>
  /** The account that may ask is deleted. */
  forgetOf(account: string): Promise<void>
}

const collection = 'smart.emergencies'
/** The same by the account: a document has one group. */
const byAccount = 'smart.emergencies-of'
const atOnce = 16

export function openEmergencies({ documents, clock }: { documents: Documents; clock: Clock }): Emergencies {
  const nameOf = (patient: string, account: string) => `${patient} ${account}`
  const find = (patient: string, account: string) => documents.get<Emergency>(collection, nameOf(patient, account))
  const bySince = (one: Emergency, other: Emergency) => one.sinceMs - other.sinceMs

  async function ofPatient(patient: string): Promise<readonly Emergency[]> {
    const found = await documents.list<Emergency>(collection, { group: patient })
    return found.map(({ value }) => value).toSorted(bySince)
  }

  async function ofAccount(account: string): Promise<readonly Emergency[]> {
    const named = await documents.list<string>(byAccount, { group: account })
    const found = await mapFew(named, atOnce, ({ value }) => find(value, account))
    return found.flatMap(each => each?.value ?? []).toSorted(bySince)
  }

  async function remove(patient: string, account: string): Promise<Emergency | undefined> {
    const found = await find(patient, account)
    const name = nameOf(patient, account)
    await documents.commit([documents.remove(collection, name), documents.remove(byAccount, name)])
    return found?.value
  }

  async function change(
    patient: string,
    account: string,
    next: Next,
    others: readonly DocumentDraft[] = [],
  ): Promise<Emergency | undefined> {
    const found = await find(patient, account)
    const changed = found && next(found.value)
    if (found === undefined || changed === undefined) return undefined
    const kept = { ifRevision: found.revision, group: patient }
    const write = documents.write(collection, nameOf(patient, account), changed, kept)
    return (await documents.commit([write, ...others])) ? changed : change(patient, account, next, others)
  }

  return {
    ofPatient,
    ofAccount,
    remove,
    change,
    get: async (patient, account) => (await find(patient, account))?.value,

    add(emergency, others) {
      const { patient, account } = emergency
      const kept: Emergency = { ...emergency, sinceMs: clock.nowMs() }
      const name = nameOf(patient, account)
      return documents.commit([
        documents.write(collection, name, kept, { group: patient }),
        documents.write(byAccount, name, patient, { group: account }),
        ...others,
      ])
    },

    async refuse(patient, account) {
      const refused = await change(patient, account, ({ askedAtMs, ...rest }) =>
        askedAtMs === undefined ? undefined : rest,
      )
      return refused !== undefined
    },

    async forget(patient, from) {
      for (const each of await ofPatient(patient))
        if (from === undefined || each.from === from) await remove(patient, each.account)
    },

    async forgetOf(account) {
      for (const { patient } of await ofAccount(account)) await remove(patient, account)
    },
  }
}
