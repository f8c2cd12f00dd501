import type { Record as PatientRecord } from '#record'
import type { DocumentDraft, Documents } from '#vault'

/** That an account is to be deleted. */
export interface Deletion {
  /** Id of the account. */
  readonly account: string
  /** The name that its owner logs in with. */
  readonly name: string
  readonly askedAtMs: number
  /** From then on it is done, and cannot be taken back. */
  readonly dueAtMs: number
  /** Patient ids of those of whom it was said that all is to be erased. */
  readonly erases: readonly string[]
  /** By Patient id the id of the account that is to keep the patient in its own right. */
  readonly heirs: Readonly<Record<string, string>>
  /** It is being done. */
  readonly isBegun?: true
  /** Its day had come, and it was not known what is to become of somebody. */
  readonly isPutOff?: true
  /** Its day had come long before anybody looked. */
  readonly isLate?: true
}

/** Which accounts are to be deleted, and when. */
export interface Deletions {
  get(account: string): Promise<Deletion | undefined>
  /** Soonest first. */
  all(): Promise<readonly Deletion[]>
  /** From the same moment on the account takes nobody in. @returns false where it is being deleted already */
  ask(deletion: Deletion): Promise<boolean>
  /** The account is as before. @returns what was taken back; undefined where there is nothing, or it has begun */
  takeBack(account: string): Promise<Deletion | undefined>
  /**
   * Of two who begin at once, or of one who begins and one who takes back, one gets false; and so does of two accounts one that relies on
   * the other.
   *
   * @param reliesOn  the accounts that are to go on, none of which has begun then
   */
  begin(account: string, nowMs: number, reliesOn?: Iterable<string>): Promise<boolean>
  /** It is due later, and why. */
  putOff(account: string, dueAtMs: number, why: Pick<Deletion, 'isPutOff' | 'isLate'>): Promise<void>
  done(account: string): Promise<void>
}

const collection = 'smart.deletions'

interface DeletionRooms {
  readonly documents: Documents
  readonly record: Pick<PatientRecord, 'closeAccount'>
}

export function openDeletions({ documents, record }: DeletionRooms): Deletions {
  const find = (account: string) => documents.get<Deletion>(collection, account)

  async function change(account: string, next: (deletion: Deletion) => Deletion | undefined): Promise<boolean> {
    const found = await find(account)
    const changed = found && next(found.value)
    if (found === undefined || changed === undefined) return false
    return (await documents.put(collection, account, changed, { ifRevision: found.revision })) || change(account, next)
  }

  return {
    get: async account => (await find(account))?.value,

    async all() {
      const found = await documents.list<Deletion>(collection)
      return found.map(({ value }) => value).toSorted((one, other) => one.dueAtMs - other.dueAtMs)
    },

    ask(deletion) {
      const { account } = deletion
      return record.closeAccount(account, true, async () => {
        const found = await find(account)
        if (found?.value.isBegun === true) return undefined
        return [documents.write(collection, account, deletion, { ifRevision: found?.revision ?? 0 })]
      })
    },

    async takeBack(account) {
      let taken: Deletion | undefined
      const won = await record.closeAccount(account, false, async (): Promise<DocumentDraft[] | undefined> => {
        const found = await find(account)
        if (found === undefined || found.value.isBegun === true) return undefined
        taken = found.value
        return [documents.remove(collection, account, { ifRevision: found.revision })]
      })
      return won ? taken : undefined
    },

    async begin(account, nowMs, reliesOn = []) {
      const found = await find(account)
      if (found === undefined || found.value.isBegun === true || found.value.dueAtMs > nowMs) return false
      const { value, revision } = found
      const drafts = [documents.write(collection, account, { ...value, isBegun: true }, { ifRevision: revision })]
      for (const other of new Set(reliesOn)) {
        const waiting = await find(other)
        if (waiting?.value.isBegun === true) return false
        drafts.push(documents.check(collection, other, waiting?.revision ?? 0))
      }
      return documents.commit(drafts)
    },

    putOff: async (account, dueAtMs, why) =>
      void (await change(account, each => (each.isBegun === true ? undefined : { ...each, dueAtMs, ...why }))),

    done: async account => void (await documents.delete(collection, account)),
  }
}
