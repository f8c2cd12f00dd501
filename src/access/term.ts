/** What one resource scope says, once it is read. */

/** c create · r read, vread, instance history · u update, patch · d delete · s search, type and system history. */
export type Verb = 'c' | 'r' | 'u' | 'd' | 's'
/** On whose behalf, and with it how far: one patient's record, the account's patients, everything. */
export type Level = 'patient' | 'user' | 'system'

/** One condition of a granular scope, decoded: `category` = `vital-signs`. */
export interface TermParam {
  readonly name: string
  readonly value: string
}

/** One resource scope. Terms of a grant are OR-ed, the params of a term are AND-ed. */
export interface Term {
  readonly level: Level
  /** A resource type, or `*`. */
  readonly type: string
  readonly verbs: ReadonlySet<Verb>
  readonly params: readonly TermParam[]
  /** The scope as it was written, so that a v1 request is answered in v1 spelling. */
  readonly text: string
}
