import { toIdentifier } from './data-types.ts'
import { field, type Message, part, type Repetition, type Segment } from './message.ts'
import type { Elements } from './scene.ts'

/**
 * The authority whose numbers a message's bare numbers are: the sending facility (MSH-4), else the sending application
 * (MSH-3), as a URI. A number without an assigning authority is unique where it comes from and nowhere else.
 *
 * @returns undefined when the message names neither
 */
export function sendingAuthority({ msh }: Message): string | undefined {
  return authorityOf(field(msh, 4)[0]) ?? authorityOf(field(msh, 3)[0])
}

/** An HD stands in CX-4 as it stands here. */
function authorityOf(hd: Repetition | undefined): string | undefined {
  const parts = [1, 2, 3].map(component => part(hd, component))
  return toIdentifier([['0'], [''], [''], parts])?.system as string | undefined
}

interface Numbered {
  readonly system?: string
  readonly value?: string
  readonly assigner?: unknown
}

/** The elements of a Patient with the sender's authority for those numbers of PID-3 that have none of their own. */
export function withAuthority(elements: Elements, pid: Segment | undefined, message: Message): Elements {
  const system = sendingAuthority(message)
  if (system === undefined || !Array.isArray(elements.identifier)) return elements
  const own = new Set(field(pid, 3).map(repetition => part(repetition, 1)))
  const isBare = (one: Numbered) => one.system === undefined && one.assigner === undefined && own.has(one.value ?? '')
  const identifier = (elements.identifier as readonly Numbered[]).map(one => (isBare(one) ? { ...one, system } : one))
  return { ...elements, identifier }
}
