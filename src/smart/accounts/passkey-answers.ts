import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server'

/** What our script puts into a form: texts in base64url. */
export type PasskeyAnswer = { readonly id: string } & Readonly<Partial<Record<Field, string>>>

type Field = 'clientDataJSON' | 'authenticatorData' | 'signature' | 'userHandle' | 'attestationObject'

const fields: readonly string[] = [
  'id',
  'clientDataJSON',
  'authenticatorData',
  'signature',
  'userHandle',
  'attestationObject',
]
/** An attestation object with a key of RSA has less than 2 KiB; a credential's id 1023 bytes at most. */
const longestAnswer = 16 * 1024
const longestId = 1_364
const base64Url = /^[A-Za-z0-9_-]+$/

function isAnswer(value: unknown): value is PasskeyAnswer {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const entries = Object.entries(value)
  const areTexts = entries.every(
    ([name, text]) => fields.includes(name) && typeof text === 'string' && base64Url.test(text),
  )
  return areTexts && 'id' in value && typeof value.id === 'string' && value.id.length <= longestId
}

/** The field of a form, if it is what our script would write there. */
export function parseAnswer(text: string | undefined): PasskeyAnswer | undefined {
  if (text === undefined || text.length > longestAnswer) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return isAnswer(value) ? value : undefined
  } catch {
    return undefined
  }
}

const common = { type: 'public-key', clientExtensionResults: {} } as const

/** As the library takes it; what is missing it refuses. */
export function toAuthentication(answer: PasskeyAnswer): AuthenticationResponseJSON {
  const { id, clientDataJSON = '', authenticatorData = '', signature = '' } = answer
  return { ...common, id, rawId: id, response: { clientDataJSON, authenticatorData, signature } }
}

export function toRegistration({
  id,
  clientDataJSON = '',
  attestationObject = '',
}: PasskeyAnswer): RegistrationResponseJSON {
  return { ...common, id, rawId: id, response: { clientDataJSON, attestationObject } }
}
