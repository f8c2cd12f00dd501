import type { Node } from '../../hl7v2/drafts.ts'

/** Those of some resources that are Observations. */
export function membersOf(references: readonly string[]): readonly Node[] {
  return references.filter(one => one.startsWith('Observation/')).map(reference => ({ reference }))
}
