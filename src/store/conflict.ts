import type { CommitResult, CompartmentId, Locator } from './contract.ts'

/** Gathers what a commit lost its race over. */
export class Conflict {
  readonly heads: CompartmentId[] = []
  readonly locators: Locator[] = []
  readonly documents: string[] = []

  /** The result to give when nothing has been written yet: undefined means that the commit may go ahead. */
  result(): CommitResult | undefined {
    if (this.heads.length + this.locators.length + this.documents.length === 0) return undefined
    return { ok: false, heads: this.heads, locators: this.locators, documents: this.documents }
  }
}
