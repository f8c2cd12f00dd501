import { type Clock, equalSecrets, newSecret, Problem } from '#kernel'
import type { Documents, Vault } from '#vault'
import type { WebRequest } from '#web'
import { cookieName, printCookie, readLongCookie } from './cookies.ts'
import type { Identity, Tied } from './provider-protocol.ts'
import type { Provider } from './providers.ts'
import { openSealedWords } from './sealed-words.ts'

/** What somebody is sent to a provider for. */
export interface Errand {
  /** The sealed authorize request that goes on afterwards. */
  readonly request?: string | undefined
  /** Whose account is to be linked, in which session; a login otherwise. */
  readonly linking?: { readonly account: string; readonly session: string }
}

/** Somebody is on the way to a provider. */
export interface Departure {
  readonly url: URL
  /** Keeps what the answer is tied to, in this browser alone. */
  readonly cookie: string
}

/** Somebody came back from a provider to which this browser was sent. */
export interface Return extends Errand {
  /**
   * Who it is; good once.
   *
   * @throws Problem `unauthenticated` · `smart.provider-lost`, `smart.provider-refused`; `busy` · `smart.provider-unreachable`
   */
  finish(): Promise<Identity>
}

/**
 * The way to a provider and back. What the answer is tied to travels sealed in a cookie, so that strangers leave nothing here, and no
 * other browser can bring the answer; who comes back is noted, so that an answer is good once. Of two ways that are begun in one browser
 * the later one counts.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9700#section-4.7
 */
export interface ProviderJourneys {
  /**
   * @param csrf  what the forms of this browser carry: once that changes, nobody comes back
   * @throws Problem `invalid` · `smart.provider-request-long`; `busy` · `smart.provider-unreachable`; `unauthenticated` ·
   *   `smart.provider-refused`
   */
  begin(provider: Provider, errand: Errand, csrf: string): Promise<Departure>
  /** @throws Problem `unauthenticated` · `smart.provider-lost` */
  read(request: WebRequest, provider: Provider, csrf: string): Return
  /** Forgets a way that has ended, in the browser. */
  readonly forgetting: string
}

interface Kept extends Errand {
  readonly n: number
  readonly state: string
  readonly csrf: string
}

/** How long somebody may take to log in there. */
const lifeMs = 10 * 60_000
const spent = 'smart.provider-answers'
/** Browsers keep no longer cookies: https://www.rfc-editor.org/rfc/rfc6265#section-6.1 */
const mostCookie = 4_000

const lost = () =>
  new Problem('unauthenticated', 'smart.provider-lost', 'This took too long, or was used already. Please try again.')

export function openProviderJourneys(options: {
  readonly documents: Documents
  readonly vault: Vault
  readonly clock: Clock
  readonly baseUrl: string
}): ProviderJourneys {
  const { documents, vault, clock, baseUrl } = options
  const secure = baseUrl.startsWith('https:')
  const name = `${cookieName(baseUrl)}-provider`
  const words = openSealedWords<Kept>({ vault, clock, purpose: 'smart.provider-journey', lifeMs })

  /** All that an answer has to fit to follows from the state, of which only this server can know it. */
  function tiedTo(state: string): Tied {
    const made = (what: string) => vault.mac(`smart.provider-${what}`, Buffer.from(state)).toString('base64url')
    return { state, nonce: made('nonce'), verifier: made('verifier') }
  }

  /** Of two who bring an answer to one question one is refused, whichever process they ask. */
  async function spend(state: string): Promise<void> {
    const expiresAtMs = clock.nowMs() + 2 * lifeMs
    if (!(await documents.put(spent, state, {}, { ifRevision: 0, expiresAtMs }))) throw lost()
  }

  return {
    forgetting: printCookie(name, '', { lifeMs: 0, secure }),

    async begin(provider, errand, csrf) {
      const state = newSecret()
      const sealed = words.seal({ n: provider.n, state, csrf, ...errand })
      if (sealed.length > mostCookie)
        throw new Problem(
          'invalid',
          'smart.provider-request-long',
          'What the app asks for is too long to be carried along there. Please log in with your password.',
        )
      // Whoever used the browser before may still be known there, and must not be linked to somebody else's account.
      const url = await provider.begin(tiedTo(state), errand.linking !== undefined)
      return { url, cookie: printCookie(name, sealed, { lifeMs, secure }) }
    },

    read(request, provider, csrf) {
      const kept = words.open(readLongCookie(request, name))
      const states = request.query.getAll('state')
      if (kept === undefined || kept.n !== provider.n || !equalSecrets(kept.csrf, csrf)) throw lost()
      if (states.length !== 1 || !equalSecrets(kept.state, states[0] ?? '')) throw lost()
      return {
        ...(kept.request === undefined ? {} : { request: kept.request }),
        ...(kept.linking === undefined ? {} : { linking: kept.linking }),
        async finish() {
          await spend(kept.state)
          return provider.finish(request.query, tiedTo(kept.state))
        },
      }
    },
  }
}
