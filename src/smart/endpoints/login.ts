import { isProblem, Problem } from '#kernel'
import { isShared, redirectResponse, type WebRequest, type WebResponse } from '#web'
import { toLoginName } from '../accounts/account-names.ts'
import { type Account, actorOf } from '../accounts/accounts.ts'
import type { Browser, Shown } from '../accounts/browsers.ts'
import { networkCount, type ThrottleKind } from '../accounts/throttle.ts'
import { readForm, single } from '../form.ts'
import { codePage, loginPage } from '../pages/login.ts'
import { type Parts, paths } from '../parts.ts'
import type { Posted } from './posted.ts'

type LoginParts = Pick<Parts, 'browsers' | 'accounts' | 'throttle' | 'record' | 'log'>
type OfferingParts = Pick<Parts, 'ceremonies' | 'providers'>
type StepParts = LoginParts & OfferingParts & Pick<Parts, 'secondFactors' | 'halfLogins' | 'links'>

const maxNameLength = 200

/** GET `/auth/login`. */
export async function showLogin(
  request: WebRequest,
  { browsers, claim, ...offering }: Pick<Parts, 'browsers' | 'claim'> & OfferingParts,
): Promise<WebResponse> {
  const browser = await browsers.load(request)
  return askToLogIn(browser, { sealed: single(request.query, 'request'), isClaimed: await claim.isOver() }, offering)
}

/** The login page, with a question for a passkey where those can be had, and the ways to log in elsewhere. */
export function askToLogIn(
  { csrf, headers }: Browser,
  asked: { readonly sealed: string | undefined; readonly isClaimed?: boolean; readonly problem?: Problem },
  { ceremonies, providers }: OfferingParts,
): WebResponse {
  const ceremony = ceremonies.host === undefined ? undefined : ceremonies.askLogin(csrf)
  return loginPage({ csrf, headers, request: asked.sealed, ceremony, providers, ...asked })
}

/**
 * What a try is counted under. Tries from a device that has logged in before have a count of their own, so that a
 * stranger who guesses, even from behind the same proxy, cannot slow the owner down.
 *
 * @see https://cheatsheetseries.owasp.org/cheatsheets/Authentication_Cheat_Sheet.html#login-throttling
 */
function countsOf(loginName: string, device: string | undefined, address: string): readonly [ThrottleKind, string][] {
  if (device !== undefined) return [['device', device]]
  // Behind the address of an inner network there may be a proxy, and everybody behind that: the account's own count is left.
  if (isShared(address)) return [['account', loginName]]
  return [networkCount(address), ['account', loginName]]
}

type Reported = Pick<Parts, 'record' | 'log'>

/** Writes down that somebody did not get in, and makes the Problem that says so. */
export function refusal(
  request: WebRequest,
  { record, log }: Reported,
  { code, text, detail, account }: { code: string; text: string; detail: string; account?: Account },
): Problem {
  record.audit({ action: 'login', outcome: 'failure', detail, ...(account && { actor: actorOf(account) }) })
  log.warn('a login failed', { room: 'smart', code, address: request.remoteAddress })
  return new Problem('unauthenticated', code, text)
}

/**
 * The account behind name and password; each try is counted before it is made. Of an account with a second factor this is the half.
 *
 * @throws Problem `unauthenticated` · `smart.login-failed`; `throttled` · `smart.throttled`; `busy` · `smart.busy`
 */
export async function checkTyped(
  request: WebRequest,
  { name, password }: { name: string; password: string },
  parts: LoginParts,
): Promise<Account> {
  const { accounts, browsers, throttle } = parts
  const loginName = toLoginName(name.slice(0, maxNameLength))
  const counts = countsOf(loginName, browsers.deviceOf(request, loginName), request.remoteAddress)
  for (const [kind, counted] of counts) await throttle.admit(kind, counted)
  const account = await accounts.logIn(loginName, password)
  if (account === undefined)
    throw refusal(request, parts, {
      code: 'smart.login-failed',
      text: 'Name and password do not belong together.',
      detail: 'name or password wrong',
    })
  for (const [kind, counted] of counts) await throttle.forgive(kind, counted)
  return account
}

/**
 * The second factor's id if the code is good now; each try is counted before it is made, by themselves from devices on which one was right.
 *
 * @throws Problem `unauthenticated` · `smart.code-refused`; `throttled` · `smart.throttled`
 */
export async function checkCode(
  request: WebRequest,
  { account, code }: { account: Account; code: string },
  parts: LoginParts & Pick<Parts, 'secondFactors'>,
): Promise<string> {
  const asked = (await parts.secondFactors.of(account.id))?.id
  const device = asked && parts.browsers.deviceOf(request, toLoginName(account.name), asked)
  const counted = `${account.id}:${device ?? 'unknown'}`
  await parts.throttle.admit('code', counted)
  const factor = await parts.secondFactors.check(account.id, code)
  if (factor === undefined)
    throw refusal(request, parts, {
      code: 'smart.code-refused',
      text: 'This code is not good now. Each code works once; wait for the next one.',
      detail: 'code of the second factor wrong',
      account,
    })
  await parts.throttle.forgive('code', counted)
  return factor
}

/**
 * Makes sure that whoever sits before an open browser knows the password of its account and, where there is one, has the second step:
 * neither alone makes another way in.
 *
 * @throws Problem as `checkTyped` and `checkCode` do
 */
export async function checkKnower(
  request: WebRequest,
  { form, account }: Pick<Posted, 'form' | 'account'>,
  parts: LoginParts & Pick<Parts, 'secondFactors'>,
): Promise<void> {
  await checkTyped(request, { name: account.name, password: single(form, 'current') ?? '' }, parts)
  if ((await parts.secondFactors.of(account.id)) !== undefined)
    await checkCode(request, { account, code: single(form, 'code') ?? '' }, parts)
}

/** By what somebody logged in, in the audit; nothing where they typed a password. */
function wordsOf({ passkey, link }: Shown): { readonly detail?: string } {
  if (passkey !== undefined) return { detail: 'with a passkey' }
  return link === undefined ? {} : { detail: 'with a provider' }
}

/** Where a login leads: to the consent that waits for it, or to the account. */
export async function enter(
  request: WebRequest,
  { account, sealed, ...shown }: { account: Account; sealed: string | undefined } & Shown,
  { browsers, record }: Pick<Parts, 'browsers' | 'record'>,
): Promise<WebResponse> {
  record.audit({ action: 'login', outcome: 'success', actor: actorOf(account), ...wordsOf(shown) })
  const { headers } = await browsers.logIn(request, account, shown)
  const next = sealed === undefined ? paths.account : `${paths.consent}?request=${encodeURIComponent(sealed)}`
  return redirectResponse(next, headers)
}

/** POST `/auth/login`. */
export async function logIn(request: WebRequest, parts: StepParts): Promise<WebResponse> {
  const form = await readForm(request)
  const browser = await parts.browsers.load(request)
  parts.browsers.checkForm(request, browser, form)
  const { csrf, headers } = browser
  const sealed = single(form, 'request')
  try {
    const typed = { name: single(form, 'name') ?? '', password: single(form, 'password') ?? '' }
    const account = await checkTyped(request, typed, parts)
    if ((await parts.secondFactors.of(account.id)) === undefined)
      return await enter(request, { account, sealed }, parts)
    const half = parts.halfLogins.seal({ account: account.id, salt: account.password?.saltBase64, csrf })
    return codePage({ csrf, headers, half, request: sealed })
  } catch (error) {
    if (!isProblem(error) || error.kind === 'fault') throw error
    return askToLogIn(browser, { sealed, problem: error }, parts)
  }
}

/**
 * Who has typed name and password in this browser not long ago, or logged in at a provider, if that password is still the account's, and
 * the link.
 */
async function loadHalf(text: string | undefined, csrf: string, parts: StepParts) {
  const half = parts.halfLogins.open(text)
  if (half === undefined || half.csrf !== csrf) return undefined
  const { link } = half
  const account = await parts.accounts.get(half.account)
  if (account === undefined || account.password?.saltBase64 !== half.salt) return undefined
  return link === undefined || (await parts.links.isOf(link, account.id)) ? { account, link } : undefined
}

/** POST `/auth/login/code`: the second half of a login. */
export async function logInByCode(request: WebRequest, parts: StepParts): Promise<WebResponse> {
  const form = await readForm(request)
  const browser = await parts.browsers.load(request)
  parts.browsers.checkForm(request, browser, form)
  const { csrf, headers } = browser
  const [half, sealed] = [single(form, 'half'), single(form, 'request')]
  const shown = await loadHalf(half, csrf, parts)
  if (half === undefined || shown === undefined) {
    const problem = new Problem('unauthenticated', 'smart.login-lost', 'This took too long. Please log in again.')
    return askToLogIn(browser, { sealed, problem }, parts)
  }
  try {
    const factor = await checkCode(request, { account: shown.account, code: single(form, 'code') ?? '' }, parts)
    return await enter(request, { ...shown, factor, sealed }, parts)
  } catch (error) {
    if (!isProblem(error) || error.kind === 'fault') throw error
    return codePage({ csrf, headers, half, request: sealed, problem: error })
  }
}

/** POST `/auth/logout`. */
export async function logOut(request: WebRequest, { browsers, record }: LoginParts): Promise<WebResponse> {
  const browser = await browsers.load(request)
  browsers.checkForm(request, browser, await readForm(request))
  if (browser.login !== undefined) {
    record.audit({ action: 'logout', outcome: 'success', actor: actorOf(browser.login.account) })
  }
  return redirectResponse(paths.login, await browsers.logOut(request))
}
