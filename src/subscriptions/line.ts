/** A connection over which is told what happens, as this room sees it. */
export interface Line {
  send(text: string): void
  /** Bytes that were sent and that the other side has not taken yet. */
  readonly untakenBytes: number
  /** @param code  of https://www.rfc-editor.org/rfc/rfc6455#section-7.4 */
  close(code: number, reason: string): void
}

/** What is told of a connection. */
export interface Listener {
  /** Somebody has said something; resolves when it is done. */
  hear(text: string): Promise<void>
  /** It is closed, by whomever. */
  ended(): void
}

/** Why a line is closed, and how that is said. */
export const closeReasons = {
  unbound: [1008, 'Nothing was bound in time.'],
  faults: [1008, 'Too much was said that is not understood or not allowed.'],
  ended: [1008, 'A Subscription that is bound here, or the access to it, has ended.'],
  missed: [1013, 'Events could not be told in time: bind again, and ask $events for what was missed.'],
} as const satisfies Record<string, readonly [code: number, reason: string]>

export type CloseReason = keyof typeof closeReasons
