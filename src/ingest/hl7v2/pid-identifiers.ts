import { identifierKey } from '../patient-merge.ts'
import { toIdentifier } from './data-types.ts'
import { field, type Message } from './message.ts'

export interface PidIdentifier {
  readonly system?: string
  readonly value: string
}

/** Whom PID-3 names. */
export function pidIdentifiers(message: Message): readonly PidIdentifier[] {
  const pid = message.segments.find(segment => segment.name === 'PID')
  return field(pid, 3).flatMap(repetition => {
    const identifier = toIdentifier(repetition) as { system?: string; value?: string } | undefined
    return identifier?.value === undefined ? [] : [{ ...identifier, value: identifier.value }]
  })
}

/**
 * Whether a message names somebody else: an identifier of a system in which our patient has another one, and none that
 * our patient has. A batch of a hospital holds many people, and a file is imported for one.
 *
 * @param known  identifiers of the patient, `system|value`
 */
export function isOfSomebodyElse(message: Message, known: ReadonlySet<string>): boolean {
  const named = pidIdentifiers(message)
  if (named.some(identifier => known.has(identifierKey(identifier)))) return false
  const systems = new Set([...known].map(key => key.slice(0, key.lastIndexOf('|'))))
  return named.some(({ system }) => system !== undefined && systems.has(system))
}
