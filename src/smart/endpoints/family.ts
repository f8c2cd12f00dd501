import { isProblem, Problem } from '#kernel'
import { redirectResponse, type WebRequest, type WebResponse } from '#web'
import { type Account, actorOf } from '../accounts/accounts.ts'
import type { Browser } from '../accounts/browsers.ts'
import { networkCount } from '../accounts/throttle.ts'
import { loadPeople } from '../consent/people.ts'
import { readKeeping, readKept } from '../family/as-what.ts'
import { acceptContact } from '../family/emergency.ts'
import { acceptGiven, type GivingParts, keptByGiver, offer } from '../family/giving.ts'
import type { Invitation } from '../family/invitations.ts'
import { accept, changeKeeping, endGuardianship, invite, loadInvitation } from '../family/keeping.ts'
import { readForm, single } from '../form.ts'
import { contactPage } from '../pages/emergency.ts'
import { giftPage, newGiftPage } from '../pages/giving.ts'
import { invitationPage, newInvitationPage } from '../pages/invitation.ts'
import { type Parts, paths } from '../parts.ts'
import { checkTyped } from './login.ts'
import { type Posted, readPosted } from './posted.ts'

export type FamilyParts = GivingParts & Pick<Parts, 'browsers' | 'throttle' | 'baseUrl'>

export const back = (done: string) => redirectResponse(`${paths.account}?done=${done}`)

/** An address to pass on, made after the password and shown this once. */
export async function passOn(
  request: WebRequest,
  parts: FamilyParts,
  make: (asked: Posted & { readonly patient: string }) => Promise<WebResponse>,
): Promise<WebResponse> {
  const posted = await readPosted(request, parts)
  if (posted === undefined) return redirectResponse(paths.login)
  const { form, account } = posted
  try {
    await checkTyped(request, { name: account.name, password: single(form, 'current') ?? '' }, parts)
    return await make({ ...posted, patient: single(form, 'patient') ?? '' })
  } catch (error) {
    if (!isProblem(error) || error.kind === 'fault') throw error
    return back('invitation-failed')
  }
}

export const addressOf = (secret: string, { baseUrl }: FamilyParts) => `${baseUrl}${paths.invitation}?code=${secret}`

/** POST `/account/invitations`: an address for somebody who is to keep a person too, after the password. */
export function makeInvitation(request: WebRequest, parts: FamilyParts): Promise<WebResponse> {
  return passOn(request, parts, async ({ account, form, patient }) => {
    const as = readKeeping(form, parts.clock.nowMs())
    return newInvitationPage({ url: addressOf(await invite(account, { patient, as }, parts), parts), as })
  })
}

/** POST `/account/people/give`: an address for somebody who is to keep a person in their own right, after the password. */
export function givePerson(request: WebRequest, parts: FamilyParts): Promise<WebResponse> {
  return passOn(request, parts, async ({ account, form, patient }) => {
    const keeps = readKept(form, parts.clock.nowMs())
    return newGiftPage({ url: addressOf(await offer(account, { patient, keeps }, parts), parts), keeps })
  })
}

/** POST `/account/invitations/withdraw`: takes an invitation back that nobody has accepted. */
export async function withdrawInvitation(request: WebRequest, parts: FamilyParts): Promise<WebResponse> {
  const posted = await readPosted(request, parts)
  if (posted === undefined) return redirectResponse(paths.login)
  const { account, form } = posted
  const withdrawn = await parts.invitations.withdraw(account.id, single(form, 'invitation') ?? '')
  if (withdrawn !== undefined) {
    const detail =
      withdrawn.gives === undefined ? 'an invitation was taken back' : 'the patient is offered to nobody any more'
    const { patient } = withdrawn
    parts.record.audit({ action: 'revoke', outcome: 'success', actor: actorOf(account), patient, detail })
  }
  return back('withdrawn')
}

/** POST `/account/guardians/change`: somebody keeps a person as something else from now on, or until another day. */
export async function changeRole(request: WebRequest, parts: FamilyParts): Promise<WebResponse> {
  const posted = await readPosted(request, parts)
  if (posted === undefined) return redirectResponse(paths.login)
  const [patient, guardian] = [single(posted.form, 'patient') ?? '', single(posted.form, 'guardian') ?? '']
  try {
    const as = readKeeping(posted.form, parts.clock.nowMs())
    await changeKeeping({ actor: posted.account, patient, guardian, as }, parts)
  } catch (error) {
    if (!isProblem(error, 'unprocessable')) throw error
    return back('role-failed')
  }
  return back('role-changed')
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
  const { as = { role: 'guardian' } } = invitation
  const name = (await loadPeople(from, parts)).find(({ id }) => id === invitation.patient)?.name ?? 'a person'
  const view = { csrf, headers, code, from: from.name, name, account: login?.account.name, problem }
  if (invitation.emergency !== undefined) return contactPage({ ...view, as, ...invitation.emergency })
  if (invitation.gives === undefined) return invitationPage({ ...view, as })
  return giftPage({ ...view, keeps: keptByGiver(invitation, parts.clock.nowMs()) })
}

/** GET `/account/invitation?code=…`. */
export async function showInvitation(request: WebRequest, parts: FamilyParts): Promise<WebResponse> {
  const network = networkCount(request.remoteAddress)
  await parts.throttle.admit(...network)
  const page = await show(await parts.browsers.load(request), single(request.query, 'code') ?? '', parts)
  await parts.throttle.forgive(...network)
  return page
}

/** What an address that was passed on may be about: keeping a person in an emergency, in the place of who gives them, or too. */
const ways: readonly {
  readonly isOf: (invitation: Invitation) => boolean
  readonly take: (account: Account, code: string, parts: FamilyParts) => Promise<void>
  readonly done: string
}[] = [
  { isOf: ({ emergency }) => emergency !== undefined, take: acceptContact, done: 'emergency' },
  { isOf: ({ gives }) => gives !== undefined, take: acceptGiven, done: 'given' },
  { isOf: () => true, take: accept, done: 'keeping' },
]

async function takeUp(account: Account, code: string, parts: FamilyParts): Promise<string | undefined> {
  const { invitation } = await loadInvitation(code, parts)
  const way = ways.find(({ isOf }) => isOf(invitation))
  await way?.take(account, code, parts)
  return way?.done
}

/** Whoever is invited and has no account makes one with the invitation, and has none if somebody else was faster. */
async function takeUpAnew(form: URLSearchParams, code: string, parts: FamilyParts) {
  const account = await newcomer(form, parts)
  try {
    return { account, done: await takeUp(account, code, parts) }
  } catch (error) {
    // Whoever was given a person before it failed must not lose the account that keeps them.
    if ((await parts.record.patientsOf(account.id)).length === 0) await parts.accounts.takeBack(account)
    throw error
  }
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
    const { account, done } =
      known === undefined
        ? await takeUpAnew(form, code, parts)
        : { account: known, done: await takeUp(known, code, parts) }
    await parts.throttle.forgive(...network)
    const headers = known === undefined ? (await parts.browsers.logIn(request, account, {})).headers : {}
    return redirectResponse(`${paths.account}?done=${done}`, headers)
  } catch (error) {
    if (!isProblem(error, 'unprocessable') && !isProblem(error, 'conflict')) throw error
    return show(browser, code, parts, error)
  }
}
