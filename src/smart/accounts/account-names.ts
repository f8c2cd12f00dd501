import { Problem } from '#kernel'

const maxLength = 80
// biome-ignore lint/suspicious/noControlCharactersInRegex: control and direction characters are what this refuses
const deceptive = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/

/** Whether a text holds characters that are not seen or that turn the reading direction. */
export function isDeceptive(text: string): boolean {
  return deceptive.test(text)
}

/** The form under which an account is found, whatever the case and spacing in which the name was typed. */
export function toLoginName(name: string): string {
  return name.normalize('NFKC').trim().replace(/\s+/gu, ' ').toLowerCase()
}

/**
 * The name as it will be shown.
 *
 * @throws Problem `unprocessable` · `smart.account-name-invalid`
 */
export function parseAccountName(name: string): string {
  const shown = name.normalize('NFKC').trim().replace(/\s+/gu, ' ')
  if (shown === '' || [...shown].length > maxLength || isDeceptive(shown))
    throw new Problem('unprocessable', 'smart.account-name-invalid', 'An account name has 1 to 80 visible characters.')
  return shown
}
