import { identifierKey } from '../patient-merge.ts'
import { toIdentifier } from './data-types.ts'
import { field } from './message.ts'
import { type Group, segmentOf } from './structure.ts'

export interface PidIdentifier {
  readonly system?: string
  readonly value: string
}

/** Whom PID-3 of a patient's group names. */
export function pidIdentifiers(group: Group): readonly PidIdentifier[] {
  return field(segmentOf(group, 'PID'), 3).flatMap(repetition => {
    const identifier = toIdentifier(repetition) as { system?: string; value?: string } | undefined
    return identifier?.value === undefined ? [] : [{ ...identifier, value: identifier.value }]
  })
}

/**
 * Whether a group names somebody else: an identifier of a system in which our patient has another one, and none that
 * our patient has. A batch of a hospital holds many people, and a file is imported for one.
 *
 * @param known  identifiers of the patient, `system|value`
 */
export function isOfSomebodyElse(group: Group, known: ReadonlySet<string>): boolean {
  const named = pidIdentifiers(group)
  if (named.some(identifier => known.has(identifierKey(identifier)))) return false
  const systems = new Set([...known].map(key => key.slice(0, key.lastIndexOf('|'))))
  return named.some(({ system }) => system !== undefined && systems.has(system))
}
