import { Problem } from '#kernel'

/** How long a link lives when nobody says. */
export const usualLifeMs = 7 * 24 * 60 * 60_000
/** The longest that a link may live. */
export const longestLifeMs = 366 * 24 * 60 * 60_000
const longestLabel = 80
const passcodeLengths = { least: 4, most: 64 } as const
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
const controlCharacter = /[\x00-\x1f\x7f-\x9f]/

/** What a creator may choose beside the content. */
export interface Choices {
  readonly label?: string
  readonly expiresAtMs?: number
  readonly passcode?: string
  readonly flagDirect?: boolean
}

/** @throws Problem `invalid` · `share.label-invalid`, `share.passcode-invalid`, `share.flags-contradict` */
export function checkChoices({ label, passcode, flagDirect }: Choices): void {
  if (label !== undefined && (label === '' || label.length > longestLabel || controlCharacter.test(label)))
    throw new Problem('invalid', 'share.label-invalid', 'A label is one line of at most 80 characters.', {
      expression: 'label',
    })
  if (passcode !== undefined && (passcode.length < passcodeLengths.least || passcode.length > passcodeLengths.most))
    throw new Problem('invalid', 'share.passcode-invalid', 'A passcode has 4 to 64 characters.', {
      expression: 'passcode',
    })
  if (passcode !== undefined && flagDirect === true)
    throw new Problem('invalid', 'share.flags-contradict', 'A link to a file itself cannot ask for a passcode.', {
      expression: ['passcode', 'direct'],
    })
}

/**
 * @param untilMs  when whoever makes the link keeps the patient no more, Unix milliseconds
 * @throws Problem `invalid` · `share.expiry-invalid`
 */
export function expiryOf({ expiresAtMs }: Choices, nowMs: number, untilMs = Number.POSITIVE_INFINITY): number {
  if (expiresAtMs === undefined) return Math.min(nowMs + usualLifeMs, untilMs)
  if (expiresAtMs > nowMs && expiresAtMs <= Math.min(nowMs + longestLifeMs, untilMs)) return expiresAtMs
  const text = 'A link expires in the future, within a year, and no later than you keep the person.'
  throw new Problem('invalid', 'share.expiry-invalid', text, {
    expression: 'expiresAt',
  })
}
