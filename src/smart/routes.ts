import { openidConfiguration } from './discovery.ts'
import { addToPeople, changePassword, endPermission, showAccount } from './endpoints/account.ts'
import { answerOauth, answerPage } from './endpoints/answer.ts'
import { authorize } from './endpoints/authorize.ts'
import { showClaim, useClaim } from './endpoints/claim.ts'
import { postApproval, postEnd, showClients } from './endpoints/clients.ts'
import { decideConsent, showConsent } from './endpoints/consent.ts'
import { clientCors, preflight, publicCors, withHeaders } from './endpoints/cors.ts'
import { introspect } from './endpoints/introspect.ts'
import { logIn, logOut, showLogin } from './endpoints/login.ts'
import { renewRecovery, tryRecovery } from './endpoints/recovery.ts'
import { register } from './endpoints/register.ts'
import { showReset, useReset } from './endpoints/reset.ts'
import { revoke } from './endpoints/revoke.ts'
import { token } from './endpoints/token.ts'
import { type Parts, paths } from './parts.ts'
import { jsonResponse, type WebRequest, type WebResponse, type WebRoute } from './web.ts'

type Handler = (request: WebRequest, parts: Parts) => Promise<WebResponse>
/** Who may read the answer from a page of another origin. `own-pages` are pages themselves; `host` is for commands. */
type Readers = 'own-pages' | 'host' | 'clients' | 'anybody'
type Row = readonly [WebRoute['method'], string, Readers, Handler, string]

const discovery: Handler = async (_, { baseUrl }) => jsonResponse(200, openidConfiguration(baseUrl))
const publicKeys: Handler = async (_, { key }) => jsonResponse(200, await key.publicKeys())

/** Everything this room answers. Pages are for people, the other rows for apps. */
const rows: readonly Row[] = [
  ['GET', paths.authorize, 'own-pages', authorize, 'An app asks for access'],
  ['POST', paths.authorize, 'own-pages', authorize, 'An app asks for access, with a form'],
  ['GET', paths.login, 'own-pages', showLogin, 'The login page'],
  ['POST', paths.login, 'own-pages', logIn, 'Name and password'],
  ['POST', paths.logout, 'own-pages', logOut, 'Ends the browser session'],
  ['GET', paths.consent, 'own-pages', showConsent, 'The page on which a person decides what an app gets'],
  ['POST', paths.consent, 'own-pages', decideConsent, 'The decision'],
  ['GET', paths.claim, 'own-pages', showClaim, 'The page on which a new server gets its owner'],
  ['POST', paths.claim, 'own-pages', useClaim, 'Makes the first account'],
  ['GET', paths.account, 'own-pages', showAccount, 'The apps with access, and the people of the account'],
  ['POST', paths.accountRevoke, 'own-pages', endPermission, 'Ends the access of one app'],
  ['POST', paths.accountPassword, 'own-pages', changePassword, 'Changes the password'],
  ['POST', paths.accountPeople, 'own-pages', addToPeople, 'Adds a person whose data the account keeps'],
  ['GET', paths.accountReset, 'own-pages', showReset, 'The page on which a one-time address becomes a password'],
  ['POST', paths.accountReset, 'own-pages', useReset, 'Sets the password'],
  ['POST', paths.accountRecovery, 'own-pages', renewRecovery, 'A new recovery code, shown once'],
  ['POST', paths.accountRecoveryTry, 'own-pages', tryRecovery, 'Whether the recovery code on paper is right'],
  ['GET', paths.clients, 'host', showClients, 'The registered apps, for the administrator'],
  ['POST', paths.clientsApprove, 'host', postApproval, 'Lets a backend client act without a person'],
  ['POST', paths.clientsEnd, 'host', postEnd, 'Ends an app with all that it holds'],
  ['POST', paths.token, 'clients', token, 'Codes, refresh tokens and client assertions for access tokens'],
  ['POST', paths.revoke, 'clients', revoke, 'Ends a token'],
  ['POST', paths.introspect, 'clients', introspect, 'What a token stands for'],
  ['POST', paths.register, 'anybody', register, 'Registers an app'],
  ['GET', paths.keys, 'anybody', publicKeys, 'The keys that id_tokens are signed with'],
  ['GET', paths.openidConfiguration, 'anybody', discovery, 'OpenID discovery'],
  ['GET', paths.serverMetadata, 'anybody', discovery, 'OAuth server metadata'],
]

function corsOf(readers: Readers, request: WebRequest, { clients }: Parts) {
  return readers === 'clients' ? clientCors(request, clients) : Promise.resolve(publicCors(request))
}

function toRoute([method, path, readers, handle, summary]: Row, parts: Parts): WebRoute {
  const bound = (request: WebRequest) => handle(request, parts)
  if (readers === 'own-pages') return { method, path, summary, handler: answerPage(bound) }
  const answered = answerOauth(bound)
  if (readers === 'host') return { method, path, summary, handler: answered }
  return {
    method,
    path,
    summary,
    handler: async request => withHeaders(await answered(request), await corsOf(readers, request, parts)),
  }
}

function toPreflight([method, path, readers]: Row, parts: Parts): WebRoute {
  return {
    method: 'OPTIONS',
    path,
    summary: 'CORS preflight',
    handler: async request => preflight(await corsOf(readers, request, parts), method === 'GET' ? 'GET' : 'POST'),
  }
}

/** The routes over opened parts; preflights come last. */
export function routesOf(parts: Parts): readonly WebRoute[] {
  return [
    ...rows.map(row => toRoute(row, parts)),
    ...rows
      .filter(([, , readers]) => readers === 'clients' || readers === 'anybody')
      .map(row => toPreflight(row, parts)),
  ]
}
