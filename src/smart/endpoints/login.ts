import { isProblem, Problem } from '#kernel'
import { isShared, redirectResponse, type WebRequest, type WebResponse } from '#web'
import { toLoginName } from '../accounts/account-names.ts'
import type { Account } from '../accounts/accounts.ts'
import { networkCount, type ThrottleKind } from '../accounts/throttle.ts'
import { readForm, single } from '../form.ts'
import { loginPage } from '../pages/login.ts'
import { type Parts, paths } from '../parts.ts'

type LoginParts = Pick<Parts, 'browsers' | 'accounts' | 'throttle' | 'record' | 'log'>

const maxNameLength = 200

/** GET `/auth/login`. */
export async function showLogin(request: WebRequest, { browsers, accounts }: LoginParts): Promise<WebResponse> {
  const { csrf, headers } = await browsers.load(request)
  return loginPage({ csrf, headers, request: single(request.query, 'request'), isClaimed: await accounts.any() })
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

/**
 * The account behind name and password; each try is counted before it is made.
 *
 * @throws Problem `unauthenticated` · `smart.login-failed`; `throttled` · `smart.throttled`; `busy` · `smart.busy`
 */
export async function logInBy(
  request: WebRequest,
  { name, password }: { name: string; password: string },
  { accounts, browsers, throttle, record, log }: LoginParts,
): Promise<Account> {
  const loginName = toLoginName(name.slice(0, maxNameLength))
  const counts = countsOf(loginName, browsers.deviceOf(request, loginName), request.remoteAddress)
  for (const [kind, counted] of counts) await throttle.admit(kind, counted)
  const account = await accounts.logIn(loginName, password)
  if (account === undefined) {
    record.audit({ action: 'login', outcome: 'failure', detail: 'name or password wrong' })
    log.warn('a login failed', { room: 'smart', code: 'smart.login-failed', address: request.remoteAddress })
    throw new Problem('unauthenticated', 'smart.login-failed', 'Name and password do not belong together.')
  }
  for (const [kind, counted] of counts) await throttle.forgive(kind, counted)
  const actor = { kind: 'account', id: account.id, display: account.name } as const
  record.audit({ action: 'login', outcome: 'success', actor })
  return account
}

/** POST `/auth/login`. */
export async function logIn(request: WebRequest, parts: LoginParts): Promise<WebResponse> {
  const form = await readForm(request)
  const browser = await parts.browsers.load(request)
  parts.browsers.checkForm(request, browser, form)
  const sealed = single(form, 'request')
  try {
    const typed = { name: single(form, 'name') ?? '', password: single(form, 'password') ?? '' }
    const account = await logInBy(request, typed, parts)
    const { headers } = await parts.browsers.logIn(request, account)
    const next = sealed === undefined ? paths.account : `${paths.consent}?request=${encodeURIComponent(sealed)}`
    return redirectResponse(next, headers)
  } catch (error) {
    if (!isProblem(error) || error.kind === 'fault') throw error
    return loginPage({ csrf: browser.csrf, headers: browser.headers, request: sealed, problem: error })
  }
}

/** POST `/auth/logout`. */
export async function logOut(request: WebRequest, { browsers, record }: LoginParts): Promise<WebResponse> {
  const browser = await browsers.load(request)
  browsers.checkForm(request, browser, await readForm(request))
  if (browser.login !== undefined) {
    const { id, name } = browser.login.account
    record.audit({ action: 'logout', outcome: 'success', actor: { kind: 'account', id, display: name } })
  }
  return redirectResponse(paths.login, await browsers.logOut(request))
}
