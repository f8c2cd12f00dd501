import { isProblem, Problem } from '#kernel'
import { redirectResponse, type WebRequest, type WebResponse } from '#web'
import type { Account } from '../accounts/accounts.ts'
import type { Browser } from '../accounts/browsers.ts'
import { networkCount } from '../accounts/throttle.ts'
import { loadPeople } from '../consent/people.ts'
import { accept, endGuardianship, invite, type KeepingParts, loadInvitation } from '../family/keeping.ts'
import { readForm, single } from '../form.ts'
import { invitationPage, newInvitationPage } from '../pages/family.ts'
import { type Parts, paths } from '../parts.ts'
import { checkTyped } from './login.ts'
import { readPosted } from './posted.ts'

type FamilyParts = KeepingParts & Pick<Parts, 'browsers' | 'throttle' | 'log' | 'baseUrl'>

const back = (done: string) => redirectResponse(`${paths.account}?done=${done}`)

/** POST `/account/invitations`: an address for somebody who is to keep a person too, after the password. */
export async function makeInvitation(request: WebRequest, parts: FamilyParts): Promise<WebResponse> {
  const posted = await readPosted(request, parts)
  if (posted === undefined) return redirectResponse(paths.login)
  const { form, account } = posted
  try {
    await checkTyped(request, { name: account.name, password: single(form, 'current') ?? '' }, parts)
    const secret = await invite(account, single(form, 'patient') ?? '', parts)
    return newInvitationPage({ url: `${parts.baseUrl}${paths.invitation}?code=${secret}` })
  } catch (error) {
    if (!isProblem(error) || error.kind === 'fault') throw error
    return back('invitation-failed')
  }
}

/** POST `/account/invitations/withdraw`: takes an invitation back that nobody has accepted. */
export async function withdrawInvitation(request: WebRequest, parts: FamilyParts): Promise<WebResponse> {
  const posted = await readPosted(request, parts)
  if (posted === undefined) return redirectResponse(paths.login)
  await parts.invitations.withdraw(posted.account.id, single(posted.form, 'invitation') ?? '')
  return back('withdrawn')
}

/** POST `/account/guardians/end`: somebody keeps a person no more, by their own wish or that of who invited. */
export async function endKeeping(request: WebRequest, parts: FamilyParts): Promise<WebResponse> {
  const posted = await readPosted(request, parts)
  if (posted === undefined) return redirectResponse(paths.login)
  const [patient, guardian] = [single(posted.form, 'patient') ?? '', single(posted.form, 'guardian') ?? '']
  await endGuardianship({ actor: posted.account, patient, guardian }, parts)
  return back('keeping-ended')
}

async function show(
  { csrf, headers, login }: Browser,
  code: string,
  parts: FamilyParts,
  problem?: Problem,
): Promise<WebResponse> {
  const { invitation, from } = await loadInvitation(code, parts)
  const name = (await loadPeople(from, parts)).find(({ id }) => id === invitation.patient)?.name ?? 'a person'
  return invitationPage({ csrf, headers, code, from: from.name, name, account: login?.account.name, problem })
}

/** GET `/account/invitation?code=…`. */
export async function showInvitation(request: WebRequest, parts: FamilyParts): Promise<WebResponse> {
  const network = networkCount(request.remoteAddress)
  await parts.throttle.admit(...network)
  const page = await show(await parts.browsers.load(request), single(request.query, 'code') ?? '', parts)
  await parts.throttle.forgive(...network)
  return page
}

/** Whoever is invited and has no account makes one with the invitation, and has none if somebody else was faster. */
async function acceptAnew(form: URLSearchParams, code: string, parts: FamilyParts): Promise<Account> {
  const account = await newcomer(form, parts)
  try {
    await accept(account, code, parts)
  } catch (error) {
    await parts.accounts.takeBack(account)
    throw error
  }
  return account
}

async function newcomer(form: URLSearchParams, { accounts }: FamilyParts): Promise<Account> {
  const [name, password] = [single(form, 'name') ?? '', single(form, 'password') ?? '']
  if (password !== single(form, 'again'))
    throw new Problem('unprocessable', 'smart.passwords-differ', 'The two passwords are not the same.')
  return accounts.create({ name, password })
}

/** POST `/account/invitation`: accepts it, with the account that is logged in or with a new one. */
export async function useInvitation(request: WebRequest, parts: FamilyParts): Promise<WebResponse> {
  const form = await readForm(request)
  const browser = await parts.browsers.load(request)
  parts.browsers.checkForm(request, browser, form)
  const network = networkCount(request.remoteAddress)
  await parts.throttle.admit(...network)
  const code = single(form, 'code') ?? ''
  await loadInvitation(code, parts)
  const known = browser.login?.account
  try {
    if (known !== undefined) await accept(known, code, parts)
    const account = known ?? (await acceptAnew(form, code, parts))
    await parts.throttle.forgive(...network)
    const headers = known === undefined ? (await parts.browsers.logIn(request, account, undefined)).headers : {}
    return redirectResponse(`${paths.account}?done=keeping`, headers)
  } catch (error) {
    if (!isProblem(error, 'unprocessable') && !isProblem(error, 'conflict')) throw error
    return show(browser, code, parts, error)
  }
}
