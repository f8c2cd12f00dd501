import {
  type Access,
  type Form,
  jsonResponse,
  type Readers,
  scriptResponse,
  type WebRequest,
  type WebResponse,
  type WebRoute,
} from '#web'
import { openidConfiguration } from './discovery.ts'
import { addToPeople, changePassword, endPermission, showAccount } from './endpoints/account.ts'
import { answerOauth, answerPage } from './endpoints/answer.ts'
import { authorize } from './endpoints/authorize.ts'
import { showClaim, useClaim } from './endpoints/claim.ts'
import { postApproval, postEnd, showClients } from './endpoints/clients.ts'
import { decideConsent, showConsent } from './endpoints/consent.ts'
import { askDeletion, keepAccount, showDeletion } from './endpoints/deletion.ts'
import { askContact, makeContact, openContact, refuseContact, removeContact } from './endpoints/emergency.ts'
import {
  changeRole,
  endKeeping,
  givePerson,
  makeInvitation,
  showInvitation,
  useInvitation,
  withdrawInvitation,
} from './endpoints/family.ts'
import { introspect } from './endpoints/introspect.ts'
import { logIn, logInByCode, logOut, showLogin } from './endpoints/login.ts'
import { addPasskey, endPasskey, logInByPasskey, proposePasskey, renamePasskey } from './endpoints/passkeys.ts'
import { beginLinking, comeBack, endLink, goToProvider } from './endpoints/providers.ts'
import { renewRecovery, tryRecovery } from './endpoints/recovery.ts'
import { register } from './endpoints/register.ts'
import { showReset, useReset } from './endpoints/reset.ts'
import { revoke } from './endpoints/revoke.ts'
import { acceptFactor, proposeFactor, removeFactor, renewPaperCodes } from './endpoints/second-factor.ts'
import { endSession } from './endpoints/sessions.ts'
import { token } from './endpoints/token.ts'
import { passkeyScript } from './pages/passkey-script.ts'
import { type Parts, paths, providerPath } from './parts.ts'

type Handler = (request: WebRequest, parts: Parts) => Promise<WebResponse>

/** `page` answers people in HTML, `script` is what a page asks for, `oauth` answers apps in JSON; a page never answers pages of other origins. */
interface Row {
  readonly method: WebRoute['method']
  readonly path: string
  readonly kind: 'page' | 'script' | 'oauth'
  readonly readers?: Readers
  readonly access: Access
  readonly query?: readonly string[]
  readonly fields?: readonly string[]
  readonly type?: Form['type']
  readonly redirects?: true
  readonly handle: Handler
  readonly summary: string
}

const discovery: Handler = async (_, { baseUrl }) => jsonResponse(200, openidConfiguration(baseUrl))
const passkeyFile: Handler = async () => scriptResponse(passkeyScript)
const publicKeys: Handler = async (_, { key }) => jsonResponse(200, await key.publicKeys())

const asking = words(
  'response_type client_id redirect_uri? scope state? aud code_challenge code_challenge_method nonce? prompt? max_age?',
)
const proof = 'client_id? client_secret? client_assertion_type? client_assertion?'
const passwords = 'password again'
const metadata = words(
  `redirect_uris client_name? token_endpoint_auth_method? grant_types? response_types? scope? jwks? jwks_uri? client_uri? logo_uri?
policy_uri? tos_uri? contacts? software_id? software_version?`,
)

function words(text: string): readonly string[] {
  return text.split(/\s+/)
}

/** Everything this room answers. Pages are for people, the other rows for apps, those of clients for the administrator. */
// biome-ignore format: a table is read by its columns
const rows: readonly Row[] = [
  { method: 'GET', path: paths.authorize, kind: 'page', access: 'nothing', query: asking, redirects: true, handle: authorize, summary: 'An app asks for access' },
  { method: 'POST', path: paths.authorize, kind: 'page', access: 'nothing', fields: asking, redirects: true, handle: authorize, summary: 'An app asks for access, with a form' },
  { method: 'GET', path: paths.login, kind: 'page', access: 'nothing', query: ['request?'], handle: showLogin, summary: 'The login page' },
  { method: 'POST', path: paths.login, kind: 'page', access: 'nothing', fields: words('csrf name password request?'), redirects: true, handle: logIn, summary: 'Name and password' },
  { method: 'POST', path: paths.loginCode, kind: 'page', access: 'nothing', fields: words('csrf half code request?'), redirects: true, handle: logInByCode, summary: 'The code of the second step' },
  { method: 'POST', path: paths.loginPasskey, kind: 'page', access: 'nothing', fields: words('csrf setup response request?'), redirects: true, handle: logInByPasskey, summary: 'A passkey in place of password and second step' },
  { method: 'GET', path: passkeyScript.path, kind: 'script', access: 'nothing', handle: passkeyFile, summary: 'What asks the browser for a passkey; the name changes with it' },
  { method: 'POST', path: paths.logout, kind: 'page', access: 'session', fields: ['csrf'], redirects: true, handle: logOut, summary: 'Ends the browser session' },
  { method: 'GET', path: paths.consent, kind: 'page', access: 'session', query: ['request'], handle: showConsent, summary: 'The page on which a person decides what an app gets' },
  { method: 'POST', path: paths.consent, kind: 'page', access: 'session', fields: words('csrf request decision patient? self? duration?'), redirects: true, handle: decideConsent, summary: 'The decision' },
  { method: 'GET', path: paths.claim, kind: 'page', access: 'nothing', query: ['code'], handle: showClaim, summary: 'The page on which a new server gets its owner' },
  { method: 'POST', path: paths.claim, kind: 'page', access: 'nothing', fields: words(`csrf code name ${passwords}`), handle: useClaim, summary: 'Makes the first account' },
  { method: 'GET', path: paths.account, kind: 'page', access: 'session', query: ['done?'], handle: showAccount, summary: 'The apps with access, and the people of the account' },
  { method: 'GET', path: paths.accountDelete, kind: 'page', access: 'session', handle: showDeletion, summary: 'What deleting the account would do' },
  { method: 'POST', path: paths.accountDelete, kind: 'page', access: 'session', fields: words('csrf erase? heir? current code?'), redirects: true, handle: askDeletion, summary: 'Asks for the account to be deleted after a time' },
  { method: 'POST', path: paths.accountDeleteTakeBack, kind: 'page', access: 'session', fields: ['csrf'], redirects: true, handle: keepAccount, summary: 'Keeps an account that waits to be deleted' },
  { method: 'POST', path: paths.accountRevoke, kind: 'page', access: 'session', fields: words('csrf permission'), redirects: true, handle: endPermission, summary: 'Ends the access of one app' },
  { method: 'POST', path: paths.accountPassword, kind: 'page', access: 'session', fields: words('csrf current password keep-apps? keep-passkeys? keep-links?'), redirects: true, handle: changePassword, summary: 'Changes the password' },
  { method: 'POST', path: paths.accountPeople, kind: 'page', access: 'session', fields: words('csrf given family birthdate? gender?'), redirects: true, handle: addToPeople, summary: 'Adds a person whose data the account keeps' },
  { method: 'POST', path: paths.accountPeopleGive, kind: 'page', access: 'session', fields: words('csrf patient role category? until? current'), handle: givePerson, summary: 'Offers a person to somebody who is to keep them in their own right' },
  { method: 'GET', path: paths.invitation, kind: 'page', access: 'nothing', query: ['code'], handle: showInvitation, summary: 'The page of an invitation to keep a person together' },
  { method: 'POST', path: paths.invitation, kind: 'page', access: 'nothing', fields: words('csrf code name? password? again?'), redirects: true, handle: useInvitation, summary: 'Accepts the invitation, with a new account where nobody is logged in' },
  { method: 'POST', path: paths.accountInvitations, kind: 'page', access: 'session', fields: words('csrf patient role category? until? current'), handle: makeInvitation, summary: 'Invites somebody to keep a person too' },
  { method: 'POST', path: paths.accountInvitationsWithdraw, kind: 'page', access: 'session', fields: words('csrf invitation'), redirects: true, handle: withdrawInvitation, summary: 'Takes an invitation back' },
  { method: 'POST', path: paths.accountGuardiansChange, kind: 'page', access: 'session', fields: words('csrf patient guardian role category? until?'), redirects: true, handle: changeRole, summary: 'Changes as what somebody keeps a person by invitation' },
  { method: 'POST', path: paths.accountGuardiansEnd, kind: 'page', access: 'session', fields: words('csrf patient guardian'), redirects: true, handle: endKeeping, summary: 'Ends that somebody keeps a person by invitation' },
  { method: 'POST', path: paths.accountEmergencies, kind: 'page', access: 'session', fields: words('csrf patient role category? wait current'), handle: makeContact, summary: 'Names somebody who may ask to keep a person in an emergency' },
  { method: 'POST', path: paths.accountEmergenciesAsk, kind: 'page', access: 'session', fields: words('csrf patient current'), redirects: true, handle: askContact, summary: 'Asks to keep a person in an emergency' },
  { method: 'POST', path: paths.accountEmergenciesOpen, kind: 'page', access: 'session', fields: words('csrf patient'), redirects: true, handle: openContact, summary: 'Keeps a person in an emergency, where nobody has said no in time' },
  { method: 'POST', path: paths.accountEmergenciesRefuse, kind: 'page', access: 'session', fields: words('csrf patient contact'), redirects: true, handle: refuseContact, summary: 'Says no to who asked' },
  { method: 'POST', path: paths.accountEmergenciesEnd, kind: 'page', access: 'session', fields: words('csrf patient contact'), redirects: true, handle: removeContact, summary: 'Ends that somebody may ask' },
  { method: 'POST', path: paths.accountSessions, kind: 'page', access: 'session', fields: words('csrf session'), redirects: true, handle: endSession, summary: 'Logs another browser out, or all others' },
  { method: 'POST', path: paths.accountFactor, kind: 'page', access: 'session', fields: words('csrf current'), handle: proposeFactor, summary: 'A key for one-time codes, to be confirmed' },
  { method: 'POST', path: paths.accountFactorConfirm, kind: 'page', access: 'session', fields: words('csrf setup code'), handle: acceptFactor, summary: 'From now on logging in takes a code' },
  { method: 'POST', path: paths.accountFactorCodes, kind: 'page', access: 'session', fields: words('csrf code'), handle: renewPaperCodes, summary: 'Ten new codes for paper, shown once' },
  { method: 'POST', path: paths.accountFactorRemove, kind: 'page', access: 'session', fields: words('csrf current code'), redirects: true, handle: removeFactor, summary: 'Logging in takes the password alone again' },
  { method: 'POST', path: paths.accountPasskeys, kind: 'page', access: 'session', fields: words('csrf name current code?'), handle: proposePasskey, summary: 'Asks the browser for a new passkey' },
  { method: 'POST', path: paths.accountPasskeysConfirm, kind: 'page', access: 'session', fields: words('csrf setup response'), redirects: true, handle: addPasskey, summary: 'Adds the passkey that the browser made' },
  { method: 'POST', path: paths.accountPasskeysName, kind: 'page', access: 'session', fields: words('csrf passkey name'), redirects: true, handle: renamePasskey, summary: 'Gives a passkey another name' },
  { method: 'POST', path: paths.accountPasskeysEnd, kind: 'page', access: 'session', fields: words('csrf passkey'), redirects: true, handle: endPasskey, summary: 'Ends a passkey' },
  { method: 'POST', path: paths.accountLinks, kind: 'page', access: 'session', fields: words('csrf provider current code?'), handle: beginLinking, summary: 'Leads to a provider whose identity is to log in to the account' },
  { method: 'POST', path: paths.accountLinksEnd, kind: 'page', access: 'session', fields: words('csrf link'), redirects: true, handle: endLink, summary: 'Ends the link to a provider' },
  { method: 'GET', path: paths.accountReset, kind: 'page', access: 'nothing', query: ['code'], handle: showReset, summary: 'The page on which a one-time address becomes a password' },
  { method: 'POST', path: paths.accountReset, kind: 'page', access: 'nothing', fields: words(`csrf code ${passwords} keep-apps? keep-passkeys? keep-links?`), redirects: true, handle: useReset, summary: 'Sets the password' },
  { method: 'POST', path: paths.accountRecovery, kind: 'page', access: 'session', fields: words('csrf current'), handle: renewRecovery, summary: 'A new recovery code, shown once' },
  { method: 'POST', path: paths.accountRecoveryTry, kind: 'page', access: 'session', fields: words('csrf code'), redirects: true, handle: tryRecovery, summary: 'Whether the recovery code on paper is right' },
  { method: 'POST', path: paths.token, kind: 'oauth', readers: 'clients', access: 'client', fields: words(`grant_type code? redirect_uri? code_verifier? refresh_token? scope? ${proof}`), handle: token, summary: 'Codes, refresh tokens and client assertions for access tokens' },
  { method: 'POST', path: paths.revoke, kind: 'oauth', readers: 'clients', access: 'client', fields: words(`token token_type_hint? ${proof}`), handle: revoke, summary: 'Ends a token' },
  { method: 'POST', path: paths.introspect, kind: 'oauth', readers: 'clients', access: 'client', fields: words(`token token_type_hint? ${proof}`), handle: introspect, summary: 'What a token stands for; a bearer may ask about its own' },
  { method: 'POST', path: paths.register, kind: 'oauth', readers: 'anybody', access: 'nothing', type: 'application/json', fields: metadata, handle: register, summary: 'Registers an app' },
  { method: 'GET', path: paths.keys, kind: 'oauth', readers: 'anybody', access: 'nothing', handle: publicKeys, summary: 'The keys that id_tokens are signed with' },
  { method: 'GET', path: paths.openidConfiguration, kind: 'oauth', readers: 'anybody', access: 'nothing', handle: discovery, summary: 'OpenID discovery' },
  { method: 'GET', path: paths.serverMetadata, kind: 'oauth', readers: 'anybody', access: 'nothing', handle: discovery, summary: 'OAuth server metadata' },
  { method: 'GET', path: paths.clients, kind: 'oauth', access: 'bearer', handle: showClients, summary: 'The registered apps, for the administrator' },
  { method: 'POST', path: paths.clientsApprove, kind: 'oauth', access: 'bearer', fields: words('client_id scope?'), handle: postApproval, summary: 'Lets a backend client act without a person' },
  { method: 'POST', path: paths.clientsEnd, kind: 'oauth', access: 'bearer', fields: ['client_id'], handle: postEnd, summary: 'Ends an app with all that it holds' },
]

/** What is answered for each provider at which people may log in. */
function providerRows({ providers }: Parts): readonly Row[] {
  return providers.flatMap(provider => {
    const page = { path: providerPath(provider.n), kind: 'page', access: 'nothing' } as const
    const go: Handler = (request, parts) => goToProvider(request, provider, parts)
    const back: Handler = (request, parts) => comeBack(request, provider, parts)
    return [
      {
        ...page,
        method: 'POST',
        fields: words('csrf request?'),
        handle: go,
        summary: 'Leads to a provider to log in there',
      },
      {
        ...page,
        method: 'GET',
        query: words('state code? error? iss?'),
        redirects: true,
        handle: back,
        summary: 'Somebody comes back from a provider',
      },
    ]
  })
}

const kinds = {
  page: { answer: answerPage, type: 'text/html' },
  script: { answer: answerPage, type: 'text/javascript' },
  oauth: { answer: answerOauth, type: 'application/json' },
} as const

function toRoute({ kind, fields, type = 'application/x-www-form-urlencoded', ...row }: Row, parts: Parts): WebRoute {
  const { method, path, summary, access, query, readers = 'nobody' } = row
  return {
    method,
    path,
    summary,
    access,
    readers,
    ...(query === undefined ? {} : { query }),
    ...(fields === undefined ? {} : { form: { type, fields } }),
    ...(row.redirects === true ? {} : { answers: kinds[kind].type }),
    handler: kinds[kind].answer(request => row.handle(request, parts)),
  }
}

/** The routes over opened parts. */
export function routesOf(parts: Parts): readonly WebRoute[] {
  return [...rows, ...providerRows(parts)].map(row => toRoute(row, parts))
}
