import type { DocumentDraft, Documents } from '#vault'

/** That an account has given a patient away, and what it had of them is still to end. */
export interface Leaving {
  readonly patient: string
  readonly account: string
}

/** What is gone on with when it was cut off. */
export interface Leavings {
  noting(leaving: Leaving): DocumentDraft
  all(): Promise<readonly Leaving[]>
  done(leaving: Leaving): Promise<void>
}

const collection = 'smart.leavings'
const nameOf = ({ patient, account }: Leaving) => `${patient} ${account}`

export function openLeavings({ documents }: { documents: Documents }): Leavings {
  return {
    noting: ({ patient, account }) => documents.write(collection, nameOf({ patient, account }), { patient, account }),
    all: async () => (await documents.list<Leaving>(collection)).map(({ value }) => value),
    done: async leaving => void (await documents.delete(collection, nameOf(leaving))),
  }
}
