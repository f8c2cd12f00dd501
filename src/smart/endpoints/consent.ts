import { type Bounds, type Term, termsOf } from '#access'
import { isProblem, Problem } from '#kernel'
import { redirectResponse, type WebRequest, type WebResponse } from '#web'
import { type Account, actorOf } from '../accounts/accounts.ts'
import type { Browser } from '../accounts/browsers.ts'
import type { AuthorizationRequest } from '../authorize/authorization-request.ts'
import { respondWithCode, respondWithDenial, respondWithError } from '../authorize/respond.ts'
import type { Client } from '../clients/clients.ts'
import { grantedTerms, offersOf } from '../consent/choices.ts'
import { loadPeople } from '../consent/people.ts'
import { readForm, single } from '../form.ts'
import { oauthProblem } from '../oauth-problem.ts'
import { consentPage } from '../pages/consent.ts'
import { durations } from '../pages/words.ts'
import { type Parts, paths } from '../parts.ts'
import { needsPatient, parseScopeRequest, printScopeRequest, type ScopeRequest, type ScopeWord } from '../scopes.ts'
import { accessLifeMs } from '../token/lifetimes.ts'
import type { Permission } from '../token/permissions.ts'

type ConsentParts = Pick<
  Parts,
  'requests' | 'browsers' | 'clients' | 'accounts' | 'record' | 'clock' | 'baseUrl' | 'permissions' | 'codes'
>
type Login = NonNullable<Browser['login']>

/** The login, if it is as fresh as the request demands. */
function freshLogin(login: Browser['login'], asked: AuthorizationRequest, nowMs: number): Login | undefined {
  if (login === undefined) return undefined
  const again = asked.prompt === 'login' || asked.prompt === 'select_account'
  if (again && login.startedAtMs < asked.receivedAtMs) return undefined
  const tooOld = asked.maxAgeSeconds !== undefined && login.startedAtMs + asked.maxAgeSeconds * 1000 < nowMs
  // Whoever has just logged in for this very request is let on, even where max_age is 0.
  return tooOld && login.startedAtMs < asked.receivedAtMs ? undefined : login
}

async function loadAsked(sealed: string | undefined, parts: ConsentParts) {
  const asked = parts.requests.open(sealed)
  const client = await parts.clients.get(asked.clientId)
  if (client === undefined) throw new Problem('invalid', 'smart.request-lost', 'The app is no longer registered.')
  return { asked, client, sealed: sealed ?? '' }
}

async function showPage(
  view: { client: Client; asked: AuthorizationRequest; sealed: string; csrf: string; account: Account },
  parts: ConsentParts,
  problem?: Problem,
): Promise<WebResponse> {
  const scopes = parseScopeRequest(view.asked.scope)
  const people = await loadPeople(view.account, parts)
  return consentPage({
    csrf: view.csrf,
    request: view.sealed,
    client: view.client,
    redirectUri: view.asked.redirectUri,
    accountName: view.account.name,
    scopes,
    offers: offersOf(scopes),
    everybody: people,
    ...(needsPatient(scopes) ? { people } : {}),
    ...(scopes.words.has('fhirUser') && people.length > 0 ? { selves: people } : {}),
    ...(view.account.self === undefined ? {} : { self: view.account.self }),
    ...(problem === undefined ? {} : { problem }),
  })
}

/** GET `/auth/consent`: the page, or the login page first, or (under `prompt=none`) an error to the app. */
export async function showConsent(request: WebRequest, parts: ConsentParts): Promise<WebResponse> {
  const view = await loadAsked(single(request.query, 'request'), parts)
  const { login, csrf } = await parts.browsers.load(request)
  const fresh = freshLogin(login, view.asked, parts.clock.nowMs())
  if (view.asked.prompt === 'none') {
    const error = fresh === undefined ? 'login_required' : 'consent_required'
    const problem = oauthProblem(error, 'A person has to be asked, and prompt=none forbids that.')
    return respondWithError(view.client, view.asked, parts.baseUrl, problem)
  }
  if (fresh === undefined) return redirectResponse(`${paths.login}?request=${view.sealed}`)
  return showPage({ ...view, csrf, account: fresh.account }, parts)
}

/** A Patient id of the form that the account really keeps. */
function checkPatient(id: string | undefined, patients: readonly string[]): string {
  if (id === undefined || !patients.includes(id))
    throw new Problem('invalid', 'smart.patient-missing', 'Please choose whose data you want to share.')
  return id
}

function keptWords(asked: ScopeRequest, kept: { offline: boolean; self: boolean }): ReadonlySet<ScopeWord> {
  const words = new Set(asked.words)
  if (!kept.offline) words.delete('offline_access')
  if (!kept.self) words.delete('fhirUser')
  return words
}

/** Nobody gives an app more of a person than they have themselves; what it is told is what it gets. */
function withinRole(terms: readonly Term[], patient: string | undefined, within: Bounds | undefined): readonly Term[] {
  if (patient === undefined || within === undefined) return terms
  const inContext = terms.filter(({ level }) => level === 'patient')
  return [...termsOf({ terms: inContext, within }, patient), ...terms.filter(({ level }) => level !== 'patient')]
}

/** @throws Problem `forbidden` · `smart.access-denied` */
function checkSomething(terms: readonly Term[], words: ReadonlySet<ScopeWord>): void {
  if (terms.length === 0 && !words.has('openid')) throw oauthProblem('access_denied', 'Nothing was allowed.')
}

type Decision = Pick<Permission, 'scope' | 'patient' | 'fhirUser' | 'offline' | 'expiresAtMs'>

/** What the form says, held against what was asked and what the account keeps. */
function readDecision(
  form: URLSearchParams,
  asked: AuthorizationRequest,
  { patients, within }: { readonly patients: readonly string[]; readonly within?: Bounds },
  nowMs: number,
): Decision {
  const scopes = parseScopeRequest(asked.scope)
  const allowed = grantedTerms(scopes, form)
  const selfId = single(form, 'self')
  const self = scopes.words.has('fhirUser') && selfId !== undefined ? checkPatient(selfId, patients) : undefined
  const chosen = durations.find(({ name }) => name === single(form, 'duration'))
  const offline = scopes.words.has('offline_access') && chosen !== undefined && chosen.name !== 'hour'
  const words = keptWords(scopes, { offline, self: self !== undefined })
  checkSomething(allowed, words)
  const patient = needsPatient({ terms: allowed, words }) ? checkPatient(single(form, 'patient'), patients) : undefined
  const terms = withinRole(allowed, patient, within)
  checkSomething(terms, words)
  const granted = { terms, words }
  return {
    scope: printScopeRequest(granted),
    offline,
    expiresAtMs: nowMs + (offline && chosen !== undefined ? chosen.ms : accessLifeMs),
    ...(patient === undefined ? {} : { patient }),
    ...(self === undefined ? {} : { fhirUser: `Patient/${self}` }),
  }
}

/** Lets the app in; undefined when the session ended meanwhile, and with it what had been opened under it. */
async function grant(
  decision: Decision,
  { asked, client, login, request }: { asked: AuthorizationRequest; client: Client; login: Login; request: WebRequest },
  parts: ConsentParts,
): Promise<WebResponse | undefined> {
  const permission = await parts.permissions.propose({
    ...decision,
    account: login.account.id,
    accountName: login.account.name,
    clientId: client.id,
    clientName: client.name,
    authenticatedAtMs: login.startedAtMs,
    ...(asked.nonce === undefined ? {} : { nonce: asked.nonce }),
  })
  await parts.clients.consent(client.id, asked.redirectUri)
  if (decision.fhirUser !== undefined) await parts.accounts.setSelf(login.account, decision.fhirUser.split('/')[1])
  const code = await parts.codes.issue({
    permission: permission.id,
    clientId: client.id,
    redirectUri: asked.redirectUri,
    challenge: asked.challenge,
  })
  // Looked for after the writing: whoever changed the password in between, or ended that the account keeps the person, has ended what
  // was there before.
  if ((await parts.browsers.load(request)).login === undefined || !(await stillKeeps(permission, parts))) {
    await parts.permissions.revoke(permission.id)
    return undefined
  }
  const actor = { ...actorOf(login.account), clientId: client.id }
  const { patient } = decision
  const of = patient === undefined ? {} : { patient }
  parts.record.audit({ action: 'token', outcome: 'success', actor, ...of, detail: 'the person allowed an app access' })
  return respondWithCode(asked, parts.baseUrl, code)
}

async function stillKeeps({ account, patient }: Permission, { record }: ConsentParts): Promise<boolean> {
  return patient === undefined || (await record.patientsOf(account)).includes(patient)
}

function isDenial(error: unknown): error is Problem {
  return isProblem(error) && error.code === 'smart.access-denied'
}

/** POST `/auth/consent`: the person has decided. */
export async function decideConsent(request: WebRequest, parts: ConsentParts): Promise<WebResponse> {
  const form = await readForm(request)
  const browser = await parts.browsers.load(request)
  parts.browsers.checkForm(request, browser, form)
  const view = await loadAsked(single(form, 'request'), parts)
  const { asked, client, sealed } = view
  const login = freshLogin(browser.login, asked, parts.clock.nowMs())
  if (login === undefined) return redirectResponse(`${paths.login}?request=${sealed}`)
  try {
    if (single(form, 'decision') !== 'allow') throw oauthProblem('access_denied', 'The person did not allow this.')
    const kept = await parts.record.keptBy(login.account.id)
    const decision = readDecision(form, asked, kept, parts.clock.nowMs())
    const granted = await grant(decision, { asked, client, login, request }, parts)
    return granted ?? redirectResponse(`${paths.login}?request=${sealed}`)
  } catch (error) {
    if (isDenial(error)) {
      const actor = { kind: 'account', id: login.account.id, clientId: client.id } as const
      parts.record.audit({
        action: 'token',
        outcome: 'failure',
        actor,
        detail: 'the person did not allow an app access',
      })
      return respondWithDenial(asked, parts.baseUrl, error)
    }
    if (!isProblem(error)) throw error
    return showPage({ ...view, csrf: browser.csrf, account: login.account }, parts, error)
  }
}
