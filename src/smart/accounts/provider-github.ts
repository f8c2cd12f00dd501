import { toCustomFetch, toParameters } from './provider-openid.ts'
import type { Protocol, ProtocolOptions } from './provider-protocol.ts'

const openHub = 'https://github.com'

/** Where a GitHub answers programs: the open one beside its pages, one of somebody's own below them. */
function userAddress(origin: string): string {
  return origin === openHub ? 'https://api.github.com/user' : `${origin}/api/v3/user`
}

/** The number of an account, which stays when it is called something else; a name is free again then. */
function numberIn(user: unknown): string {
  const id = typeof user === 'object' && user !== null && 'id' in user ? user.id : undefined
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || id <= 0) throw new TypeError('no number of an account')
  return String(id)
}

/**
 * GitHub, which is OAuth without an ID token: who somebody is tells an address, to whom the code was exchanged with our secret and
 * verifier. No scope is asked for, so that nothing can be read but what is public.
 *
 * @see https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps#web-application-flow
 */
export function openGithub({ settings, fetch }: ProtocolOptions): Protocol {
  const { issuer: origin, clientId, proof } = settings
  const customFetch = toCustomFetch(fetch)

  async function configured() {
    const openid = await import('openid-client')
    const server = {
      issuer: `${origin}/login/oauth`,
      authorization_endpoint: `${origin}/login/oauth/authorize`,
      token_endpoint: `${origin}/login/oauth/access_token`,
    }
    const authentication = openid.ClientSecretPost('secret' in proof ? proof.secret : '')
    const configuration = new openid.Configuration(server, clientId, undefined, authentication)
    configuration[openid.customFetch] = customFetch
    if (origin.startsWith('http:')) openid.allowInsecureRequests(configuration)
    return { openid, configuration }
  }

  return {
    async addressOf(redirectUri, tied, isAnew) {
      const { openid, configuration } = await configured()
      const prompt = isAnew ? { prompt: 'select_account' } : {}
      return openid.buildAuthorizationUrl(configuration, { ...(await toParameters(redirectUri, tied)), ...prompt })
    },

    async subjectOf(returned, { state, verifier }) {
      const { openid, configuration } = await configured()
      const checks = { expectedState: state, pkceCodeVerifier: verifier }
      const { access_token } = await openid.authorizationCodeGrant(configuration, returned, checks)
      const answer = await fetch(userAddress(origin), {
        headers: {
          accept: 'application/vnd.github+json',
          authorization: `Bearer ${access_token}`,
          'user-agent': 'Kinhold',
        },
      })
      if (answer.status !== 200) throw new TypeError('nobody is told')
      return numberIn(await answer.json())
    },
  }
}
