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

/** The IANA zone in which the record was made, if the record says so. */
export function zoneOf(element: AppleElement): string | undefined {
  return element.metadata?.get('HKTimeZone') ?? element.metadata?.get('HKMetadataKeyTimeZone')
}
