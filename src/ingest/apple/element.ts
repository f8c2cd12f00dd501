import { ownText } from '#kernel'

/** An element of the export with what belongs to it. */
export interface AppleElement {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  metadata?: Map<string, string>
  children?: AppleElement[]
  /** Names and numbers of children beyond what is held. */
  beyond?: Map<string, number>
  /** What of it, and of its metadata, nothing reads. */
  unread?: Set<string>
}

/** The same element, for what is held longer than the piece of the file that it was read from: it keeps nothing of that. */
export function ownElement({ name, attributes, metadata, children, ...rest }: AppleElement): AppleElement {
  return {
    ...rest,
    name: ownText(name),
    attributes: Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, ownText(value)])),
    ...(metadata === undefined
      ? {}
      : { metadata: new Map(Array.from(metadata, ([key, value]) => [ownText(key), ownText(value)])) }),
    ...(children === undefined ? {} : { children: children.map(ownElement) }),
  }
}

/** The IANA zone in which the record was made, if the record says so. */
export function zoneOf(element: AppleElement): string | undefined {
  return element.metadata?.get('HKTimeZone') ?? element.metadata?.get('HKMetadataKeyTimeZone')
}
