import { isProblem, Problem } from '#kernel'
import { toLoginName } from '../accounts/account-names.ts'
import type { Account } from '../accounts/accounts.ts'
import { readForm, single } from '../form.ts'
import { loginPage } from '../pages/login.ts'
import { type Parts, paths } from '../parts.ts'
import { redirectResponse, type WebRequest, type WebResponse } from '../web.ts'

type LoginParts = Pick<Parts, 'browsers' | 'accounts' | 'throttle' | 'record'>

const maxNameLength = 200

/** GET `/auth/login`. */
export async function showLogin(request: WebRequest, { browsers }: LoginParts): Promise<WebResponse> {
  const { csrf, headers } = await browsers.load(request)
  return loginPage({ csrf, headers, request: single(request.query, 'request') })
}

/**
 * The account behind name and password; each try is counted before it is made.
 *
 * @throws Problem `unauthenticated` · `smart.login-failed`; `throttled` · `smart.throttled`; `busy` · `smart.busy`
 */
export async function logInBy(
  { name, password, remoteAddress }: { name: string; password: string; remoteAddress: string },
  { accounts, throttle, record }: Omit<LoginParts, 'browsers'>,
): Promise<Account> {
  const loginName = toLoginName(name.slice(0, maxNameLength))
  await throttle.admit('address', remoteAddress)
  await throttle.admit('account', loginName)
  const account = await accounts.logIn(loginName, password)
  if (account === undefined) {
    record.audit({ action: 'login', outcome: 'failure', detail: 'name or password wrong' })
    throw new Problem('unauthenticated', 'smart.login-failed', 'Name and password do not belong together.')
  }
  await throttle.forgive('account', loginName)
  await throttle.forgive('address', remoteAddress)
  record.audit({
    action: 'login',
    outcome: 'success',
    actor: { kind: 'account', id: account.id, display: account.name },
  })
  return account
}

/** POST `/auth/login`. */
export async function logIn(request: WebRequest, parts: LoginParts): Promise<WebResponse> {
  const form = await readForm(request)
  const browser = await parts.browsers.load(request)
  parts.browsers.checkForm(request, browser, form)
  const sealed = single(form, 'request')
  const { remoteAddress } = request
  try {
    const name = single(form, 'name') ?? ''
    const account = await logInBy({ name, password: single(form, 'password') ?? '', remoteAddress }, parts)
    const headers = await parts.browsers.logIn(request, account)
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
