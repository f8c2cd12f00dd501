import { isProblem, type Problem } from '#kernel'
import { redirectResponse, type WebRequest, type WebResponse } from '#web'
import type { Account } from '../accounts/accounts.ts'
import type { Browser } from '../accounts/browsers.ts'
import { endOpened, type Opened } from '../accounts/new-password.ts'
import { addPerson, loadPeople } from '../consent/people.ts'
import { readForm, single } from '../form.ts'
import { accountPage } from '../pages/account.ts'
import { type Parts, paths } from '../parts.ts'
import { logInBy } from './login.ts'

type AccountParts = Pick<
  Parts,
  'browsers' | 'accounts' | 'resets' | 'permissions' | 'tokens' | 'record' | 'clock' | 'throttle' | 'log' | 'recovery'
>

async function show(
  account: Account,
  csrf: string,
  parts: AccountParts,
  said: { problem?: Problem; done?: string | undefined } = {},
): Promise<WebResponse> {
  const people = await loadPeople(account, parts)
  const recovery = account.isOwner === true ? await parts.recovery?.state() : undefined
  const permissions = await parts.permissions.of(account.id)
  return accountPage({ csrf, account, people, permissions, recovery, ...said })
}

/** What the page says after a redirect, by the word in its query. */
const doneWords: Readonly<Record<string, string>> = {
  ended: 'The access has ended.',
  added: 'The person was added.',
  password:
    'Your password was changed. Every other browser was logged out, and no app has access any more. Links to parts of a record that were given away stay open until they end or are ended.',
  'password-kept':
    'Your password was changed. Every other browser was logged out. Apps keep the access that you see below, and with it they can make and end links.',
  recovery: 'The recovery code is right. Keep the paper in a safe place.',
  'recovery-failed': 'No new code was made: that was not your password, or there were too many tries.',
}

/** GET `/account`. */
export async function showAccount(request: WebRequest, parts: AccountParts): Promise<WebResponse> {
  const { csrf, login } = await parts.browsers.load(request)
  if (login === undefined) return redirectResponse(paths.login)
  return show(login.account, csrf, parts, { done: doneWords[single(request.query, 'done') ?? ''] })
}

type Posted = { readonly form: URLSearchParams; readonly browser: Browser; readonly account: Account }

async function readPosted(request: WebRequest, { browsers }: AccountParts): Promise<Posted | undefined> {
  const form = await readForm(request)
  const browser = await browsers.load(request)
  browsers.checkForm(request, browser, form)
  return browser.login === undefined ? undefined : { form, browser, account: browser.login.account }
}

/** POST `/account/revoke`: ends one app's access, at once. */
export async function endPermission(request: WebRequest, parts: AccountParts): Promise<WebResponse> {
  const posted = await readPosted(request, parts)
  if (posted === undefined) return redirectResponse(paths.login)
  const { form, account } = posted
  const permission = await parts.permissions.get(single(form, 'permission') ?? '')
  if (permission?.account === account.id) {
    await parts.permissions.revoke(permission.id)
    const { patient, clientId } = permission
    parts.record.audit({
      action: 'revoke',
      outcome: 'success',
      actor: { kind: 'account', id: account.id, display: account.name, clientId },
      ...(patient === undefined ? {} : { patient }),
    })
  }
  return redirectResponse(`${paths.account}?done=ended`)
}

/** After a new password: ends what was opened before, apps too unless the form asks to keep them, and logs this browser in. */
export async function goOnWith(
  account: Account,
  { request, form }: { readonly request: WebRequest; readonly form: URLSearchParams },
  parts: Opened & Pick<Parts, 'record'>,
): Promise<WebResponse> {
  const keepApps = form.has('keep-apps')
  await endOpened(account.id, parts, { keepApps })
  const actor = { kind: 'account', id: account.id, display: account.name } as const
  const detail = keepApps ? 'a new password; apps keep their access' : 'a new password; no app has access any more'
  parts.record.audit({ action: 'reset', outcome: 'success', actor, detail })
  const { headers } = await parts.browsers.logIn(request, account)
  return redirectResponse(`${paths.account}?done=${keepApps ? 'password-kept' : 'password'}`, headers)
}

/** POST `/account/password`: a new password, after the old one; what was opened under that ends. */
export async function changePassword(request: WebRequest, parts: AccountParts): Promise<WebResponse> {
  const posted = await readPosted(request, parts)
  if (posted === undefined) return redirectResponse(paths.login)
  const { form, browser, account } = posted
  let changed: Account
  try {
    await logInBy(request, { name: account.name, password: single(form, 'current') ?? '' }, parts)
    changed = await parts.accounts.changePassword(account, single(form, 'password') ?? '')
  } catch (error) {
    if (!isProblem(error) || error.kind === 'fault') throw error
    return show(account, browser.csrf, parts, { problem: error })
  }
  return goOnWith(changed, { request, form }, parts)
}

/** POST `/account/people`: a new person whose data this account keeps. */
export async function addToPeople(request: WebRequest, parts: AccountParts): Promise<WebResponse> {
  const posted = await readPosted(request, parts)
  if (posted === undefined) return redirectResponse(paths.login)
  const { form, browser, account } = posted
  const field = (name: string) => single(form, name) ?? ''
  try {
    const [given, family, birthDate, gender] = [field('given'), field('family'), field('birthdate'), field('gender')]
    await addPerson(account, { given, family, birthDate, gender }, parts)
  } catch (error) {
    if (!isProblem(error, 'unprocessable')) throw error
    return show(account, browser.csrf, parts, { problem: error })
  }
  return redirectResponse(`${paths.account}?done=added`)
}
