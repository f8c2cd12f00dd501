import { readFileSync } from 'node:fs'
import { toScript } from '#web'

/** What asks the browser for a passkey; the login page and the page of a new passkey name it. */
export const passkeyScript = toScript(
  '/auth/passkeys',
  readFileSync(new URL('./passkey-script.js', import.meta.url), 'utf8'),
)
