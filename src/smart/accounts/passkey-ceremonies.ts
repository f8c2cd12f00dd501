import { isIP } from 'node:net'
import { type Clock, newSecret, Problem } from '#kernel'
import type { Documents, Vault } from '#vault'
import type { Account } from './accounts.ts'
import { type PasskeyAnswer, toAuthentication, toRegistration } from './passkey-answers.ts'
import { type KeptPasskey, type Passkeys, parsePasskeyName } from './passkeys.ts'
import { openSealedWords } from './sealed-words.ts'

/** A question to a browser, good for five minutes, once, and there alone. */
export interface Ceremony {
  /** For `navigator.credentials`, as JSON. */
  readonly options: object
  /** To be handed back with the answer. */
  readonly sealed: string
}

/** Who logs in: by which passkey. */
export interface ByPasskey {
  readonly id: string
  readonly passkey: KeptPasskey
  /** The authenticator's count of signatures with this one. */
  readonly counter: number
}

/** A passkey to be added. */
export interface Adding {
  readonly account: Account
  readonly name: string
}

/**
 * The two ceremonies of WebAuthn. What is asked travels sealed in the page, so that strangers who ask leave nothing here; what was
 * answered well is noted, so that it is good once.
 *
 * @see https://www.w3.org/TR/webauthn-3/#sctn-rp-operations
 */
export interface PasskeyCeremonies {
  /** The host that passkeys are made for; undefined where browsers allow none: at a bare address, or without encryption. */
  readonly host: string | undefined
  askLogin(csrf: string): Ceremony
  /**
   * Whose login the answer proves. Its signature is counted by the caller.
   *
   * @throws Problem `unauthenticated` · `smart.passkey-lost`, `smart.passkey-refused`
   */
  checkLogin(asked: { sealed: string | undefined; csrf: string }, answer: PasskeyAnswer | undefined): Promise<ByPasskey>
  /** @throws Problem `unprocessable` · `smart.passkey-name-invalid`; `conflict` · `smart.too-many-passkeys` */
  askAdding(adding: Adding, csrf: string): Promise<Ceremony>
  /** What the form is about; undefined when it is another browser's, another account's, or too old. */
  addingOf(asked: { sealed: string | undefined; csrf: string }, account: Account): { name: string } | undefined
  /**
   * Adds what the answer holds.
   *
   * @returns the credential's id
   * @throws Problem `unauthenticated` · `smart.passkey-lost`; `unprocessable` · `smart.passkey-invalid`;
   *   `conflict` · `smart.passkey-known`, `smart.too-many-passkeys`
   */
  add(
    asked: { sealed: string | undefined; csrf: string },
    account: Account,
    answer: PasskeyAnswer | undefined,
  ): Promise<string>
}

interface Asked {
  readonly challenge: string
  readonly csrf: string
}

interface AskedAdding extends Asked {
  readonly account: string
  readonly name: string
  readonly userHandle: string
}

const lifeMs = 5 * 60_000
const spent = 'smart.passkey-challenges'

/** Ed25519, ECDSA on P-256, RSA: what authenticators make, best first. https://www.iana.org/assignments/cose */
const algorithms: readonly number[] = [-8, -7, -257]

const lost = () =>
  new Problem('unauthenticated', 'smart.passkey-lost', 'This took too long, or was used already. Please try again.')
const refused = () =>
  new Problem(
    'unauthenticated',
    'smart.passkey-refused',
    'This passkey opens no account here that can be logged in to.',
  )
const invalid = () =>
  new Problem(
    'unprocessable',
    'smart.passkey-invalid',
    'This is no passkey that can be used here. It has to be kept on the device, and to ask for a PIN, a finger or a face.',
  )

/**
 * Browsers make passkeys for names, and where nobody can read along.
 *
 * @see https://www.w3.org/TR/webauthn-3/#rp-id
 */
export function passkeyHost(baseUrl: string): string | undefined {
  const { protocol, hostname } = new URL(baseUrl)
  const isName = isIP(hostname.replaceAll(/[[\]]/g, '')) === 0
  const isSecure = protocol === 'https:' || hostname === 'localhost' || hostname.endsWith('.localhost')
  return isName && isSecure ? hostname : undefined
}

export function openPasskeyCeremonies(options: {
  readonly documents: Documents
  readonly vault: Vault
  readonly clock: Clock
  readonly passkeys: Passkeys
  readonly baseUrl: string
}): PasskeyCeremonies {
  const { documents, vault, clock, passkeys } = options
  const host = passkeyHost(options.baseUrl)
  const site = { origin: new URL(options.baseUrl).origin, host: host ?? '' }
  const logins = openSealedWords<Asked>({ vault, clock, purpose: 'smart.passkey-login', lifeMs })
  const addings = openSealedWords<AskedAdding>({ vault, clock, purpose: 'smart.passkey-adding', lifeMs })

  /** Of two who bring an answer to one question one is refused, whichever process they ask. */
  async function spend(challenge: string): Promise<void> {
    const expiresAtMs = clock.nowMs() + 2 * lifeMs
    if (!(await documents.put(spent, challenge, {}, { ifRevision: 0, expiresAtMs }))) throw lost()
  }

  function openAdding({ sealed, csrf }: { sealed: string | undefined; csrf: string }, account: Account) {
    const adding = addings.open(sealed)
    return adding?.csrf === csrf && adding.account === account.id ? adding : undefined
  }

  return {
    host,

    askLogin(csrf) {
      const challenge = newSecret()
      const options = { challenge, rpId: host, timeout: lifeMs, userVerification: 'required', allowCredentials: [] }
      return { options, sealed: logins.seal({ challenge, csrf }) }
    },

    async checkLogin({ sealed, csrf }, answer) {
      const asked = logins.open(sealed)
      if (asked === undefined || asked.csrf !== csrf) throw lost()
      const passkey = answer && (await passkeys.find(answer.id))
      if (answer === undefined || passkey === undefined || passkey.userHandle !== answer.userHandle) throw refused()
      const expected = { challenge: asked.challenge, ...site }
      const { readAssertion } = await import('./webauthn.ts')
      const signed = await readAssertion(passkey, toAuthentication(answer), expected)
      if (signed === undefined) throw refused()
      await spend(asked.challenge)
      return { id: answer.id, passkey, ...signed }
    },

    async askAdding({ account, name }, csrf) {
      const shown = parsePasskeyName(name)
      await passkeys.checkRoom(account.id)
      const [challenge, userHandle] = [newSecret(), await passkeys.handleOf(account.id)]
      const known = await passkeys.of(account.id)
      const options = {
        challenge,
        rp: { id: host, name: `Kinhold ${host}` },
        user: { id: userHandle, name: account.name, displayName: account.name },
        pubKeyCredParams: algorithms.map(alg => ({ type: 'public-key', alg })),
        timeout: lifeMs,
        attestation: 'none',
        authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: 'required' },
        excludeCredentials: known.map(({ id }) => ({ type: 'public-key', id })),
      }
      return { options, sealed: addings.seal({ challenge, csrf, account: account.id, name: shown, userHandle }) }
    },

    addingOf: openAdding,

    async add(asked, account, answer) {
      const adding = openAdding(asked, account)
      if (adding === undefined) throw lost()
      if (answer === undefined) throw invalid()
      const expected = { challenge: adding.challenge, ...site, algorithms }
      const { readRegistration } = await import('./webauthn.ts')
      const made = await readRegistration(toRegistration(answer), expected)
      if (made === undefined) throw invalid()
      await spend(adding.challenge)
      const { id, ...key } = made
      const { name, userHandle } = adding
      const addedAtMs = clock.nowMs()
      await passkeys.add(id, { account: account.id, name, userHandle, host: site.host, addedAtMs, ...key })
      return id
    },
  }
}
