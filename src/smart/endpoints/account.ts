import { isProblem, type Problem } from '#kernel'
import { redirectResponse, type WebRequest, type WebResponse } from '#web'
import { type Account, actorOf } from '../accounts/accounts.ts'
import type { Login } from '../accounts/browsers.ts'
import { endOpened, type Opened } from '../accounts/new-password.ts'
import { addPerson } from '../consent/people.ts'
import { endLeft, type GivingParts } from '../family/giving.ts'
import { loadFamily } from '../family/view.ts'
import { single } from '../form.ts'
import { accountPage } from '../pages/account.ts'
import { type Parts, paths } from '../parts.ts'
import { checkTyped } from './login.ts'
import { loadPasskeys } from './passkeys.ts'
import { type Posted, readPosted } from './posted.ts'
import { loadLinks } from './providers.ts'

type AccountParts = GivingParts &
  Pick<
    Parts,
    | 'browsers'
    | 'accounts'
    | 'resets'
    | 'secondFactors'
    | 'passkeys'
    | 'ceremonies'
    | 'providers'
    | 'links'
    | 'permissions'
    | 'tokens'
    | 'record'
    | 'clock'
    | 'throttle'
    | 'log'
    | 'recovery'
    | 'deletions'
  >

async function show(
  { account, id }: Login,
  csrf: string,
  parts: AccountParts,
  said: { problem?: Problem; done?: string | undefined } = {},
): Promise<WebResponse> {
  const family = await loadFamily(account, parts)
  const recovery = account.isOwner === true ? await parts.recovery?.state() : undefined
  const permissions = await parts.permissions.of(account.id)
  const factor = await parts.secondFactors.of(account.id)
  const passkeys = await loadPasskeys(account, parts)
  const links = await loadLinks(account, parts)
  const sessions = await parts.browsers.of(account)
  const deletion = await parts.deletions.get(account.id)
  const quota = await parts.record.patientQuota(account.id)
  return accountPage({
    csrf,
    account,
    family,
    permissions,
    recovery,
    factor,
    passkeys,
    links,
    sessions,
    session: id,
    deletion,
    quota,
    ...said,
  })
}

/** What the page says after a redirect, by the word in its query. */
const doneWords: Readonly<Record<string, string>> = {
  ended: 'The access has ended.',
  deletion: 'Every other browser was logged out, and no app has access any more.',
  'deletion-ended': 'Your account stays. Apps that had access have to ask for it again.',
  'deletion-begun':
    'There is nothing to take back: this account does not wait to be deleted, or is being deleted already.',
  added: 'The person was added.',
  password:
    'Your password was changed. Every other browser was logged out, and no app has access any more; of your passkeys and logins elsewhere those stay that you see below. Links to parts of a record that were given away stay open until they end or are ended.',
  'password-kept':
    'Your password was changed. Every other browser was logged out; of your passkeys and logins elsewhere those stay that you see below. Apps keep the access that you see below, and with it they can make and end links.',
  sessions: 'Logged out.',
  keeping: 'You keep this person too from now on.',
  given: 'You keep this person in your own right from now on. Below you see who else does, and can change or end it.',
  'keeping-ended': 'That has ended.',
  'role-changed': 'That was changed.',
  'role-failed':
    'Nothing was changed: choose what they may do, of who only looks at least one kind of data, and a last day that has not passed.',
  emergency: 'You may ask to keep this person in an emergency; below you see how.',
  'emergency-asked': 'You have asked. Below you see from when on you can, if nobody says no.',
  'emergency-opened': 'You keep this person from now on, for two weeks.',
  'emergency-refused': 'Nobody is let in by that: it was said no.',
  'emergency-ended': 'That has ended.',
  'emergency-failed':
    'Nothing was done: that was not your password, it was not asked for or not long enough ago, somebody has said no, you keep the person already, or there were too many tries.',
  withdrawn: 'The invitation was taken back.',
  'invitation-failed':
    'No address was made: that was not your password, it was not said who may do what or until when, the person is kept by invitation of somebody else, or too many invitations are open.',
  'factor-removed': 'Logging in takes your password alone again. Every other browser was logged out.',
  'factor-failed': 'Nothing was changed: password or code were not right, or there were too many tries.',
  'passkey-added': 'The passkey was added. You can log in with it from now on.',
  'passkey-ended': 'That passkey logs nobody in any more; browsers that were logged in with it were logged out.',
  'passkey-renamed': 'You see the names of your passkeys below.',
  'passkey-not-renamed': 'The passkey keeps its name: a name has 1 to 60 visible characters.',
  'passkey-failed':
    'No passkey was added: that was not your password or code, the passkey had no name, you have too many, or there were too many tries.',
  linked: 'That login was linked. You can log in with it from now on.',
  'link-ended': 'That login opens nothing here any more; browsers that were logged in with it were logged out.',
  'link-known': 'Nothing was linked: that login opens an account here already, yours or another one.',
  'link-unreachable': 'Nothing was linked: the provider does not answer at the moment.',
  'link-failed':
    'Nothing was linked: that was not your password or code, you did not log in there in time, you have too many, or there were too many tries.',
  recovery: 'The recovery code is right. Keep the paper in a safe place.',
  'recovery-failed': 'No new code was made: that was not your password, or there were too many tries.',
}

/** The query may say anything, also what every object has. */
function wordsOf(done: string): string | undefined {
  return Object.hasOwn(doneWords, done) ? doneWords[done] : undefined
}

/** GET `/account`. */
export async function showAccount(request: WebRequest, parts: AccountParts): Promise<WebResponse> {
  const { csrf, login } = await parts.browsers.load(request)
  if (login === undefined) return redirectResponse(paths.login)
  await endLeft(parts)
  return show(login, csrf, parts, { done: wordsOf(single(request.query, 'done') ?? '') })
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
      actor: { ...actorOf(account), clientId },
      ...(patient === undefined ? {} : { patient }),
    })
  }
  return redirectResponse(`${paths.account}?done=ended`)
}

/**
 * After a new password: ends what was opened before, apps too unless the form asks to keep them, and logs this browser in, if it has
 * shown whatever the account asks for beside the password.
 */
export async function goOnWith(
  account: Account,
  { request, form, login }: { readonly request: WebRequest } & Pick<Posted, 'form'> & Partial<Pick<Posted, 'login'>>,
  parts: Opened & Pick<Parts, 'record' | 'secondFactors'>,
): Promise<WebResponse> {
  const keep = (what: string) => form.has(`keep-${what}`)
  const [keepApps, keepPasskeys, keepLinks] = [keep('apps'), keep('passkeys'), keep('links')]
  await endOpened(account.id, parts, { keepApps, keepPasskeys, keepLinks })
  const detail = [
    'a new password',
    keepApps ? 'apps keep their access' : 'no app has access any more',
    keepPasskeys ? 'passkeys stay' : 'no passkey logs in any more',
    keepLinks ? 'links to providers stay' : 'no provider logs in any more',
  ].join('; ')
  parts.record.audit({ action: 'reset', outcome: 'success', actor: actorOf(account), detail })
  // An address for a new password is no second factor: whoever has one logs in with a code.
  const factor = login?.shown.factor
  if (factor !== (await parts.secondFactors.of(account.id))?.id) return redirectResponse(paths.login)
  const passkey = keepPasskeys ? login?.shown.passkey : undefined
  const link = keepLinks ? login?.shown.link : undefined
  const { headers } = await parts.browsers.logIn(request, account, { factor, passkey, link })
  return redirectResponse(`${paths.account}?done=${keepApps ? 'password-kept' : 'password'}`, headers)
}

/** POST `/account/password`: a new password, after the old one; what was opened under that ends. */
export async function changePassword(request: WebRequest, parts: AccountParts): Promise<WebResponse> {
  const posted = await readPosted(request, parts)
  if (posted === undefined) return redirectResponse(paths.login)
  const { form, browser, login, account } = posted
  let changed: Account
  try {
    await checkTyped(request, { name: account.name, password: single(form, 'current') ?? '' }, parts)
    changed = await parts.accounts.changePassword(account, single(form, 'password') ?? '')
  } catch (error) {
    if (!isProblem(error) || error.kind === 'fault') throw error
    return show(login, browser.csrf, parts, { problem: error })
  }
  return goOnWith(changed, { request, form, login }, parts)
}

/** POST `/account/people`: a new person whose data this account keeps. */
export async function addToPeople(request: WebRequest, parts: AccountParts): Promise<WebResponse> {
  const posted = await readPosted(request, parts)
  if (posted === undefined) return redirectResponse(paths.login)
  const { form, browser, login, account } = posted
  const field = (name: string) => single(form, name) ?? ''
  try {
    const [given, family, birthDate, gender] = [field('given'), field('family'), field('birthdate'), field('gender')]
    await addPerson(account, { given, family, birthDate, gender }, parts)
  } catch (error) {
    if (!isProblem(error) || error.kind === 'fault') throw error
    return show(login, browser.csrf, parts, { problem: error })
  }
  return redirectResponse(`${paths.account}?done=added`)
}
