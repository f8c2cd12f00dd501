import { isProblem } from '#kernel'
import { redirectResponse, type WebRequest, type WebResponse } from '#web'
import { type Account, actorOf } from '../accounts/accounts.ts'
import { single } from '../form.ts'
import { paperCodesPage, proposalPage } from '../pages/second-factor.ts'
import { type Parts, paths } from '../parts.ts'
import { checkCode, checkTyped } from './login.ts'
import { readPosted } from './posted.ts'

type FactorParts = Pick<Parts, 'browsers' | 'accounts' | 'throttle' | 'record' | 'log' | 'secondFactors'>

/** What people can do again and better; anything else is the server's. */
function isTheirs(error: unknown): boolean {
  return isProblem(error) && error.kind !== 'fault'
}

const failed = () => redirectResponse(`${paths.account}?done=factor-failed`)

function auditReset(account: Account, detail: string, { record }: Pick<Parts, 'record'>): void {
  record.audit({ action: 'reset', outcome: 'success', actor: actorOf(account), detail })
}

/** POST `/account/second-factor`: after the password a key for the phone, which is the account's only once a code of it was typed. */
export async function proposeFactor(request: WebRequest, parts: FactorParts): Promise<WebResponse> {
  const posted = await readPosted(request, parts)
  if (posted === undefined) return redirectResponse(paths.login)
  const { form, browser, account } = posted
  // Who has one changes it by taking it away first, with a code: a password alone must not replace it.
  if ((await parts.secondFactors.of(account.id)) !== undefined) return redirectResponse(paths.account)
  try {
    await checkTyped(request, { name: account.name, password: single(form, 'current') ?? '' }, parts)
  } catch (error) {
    if (!isTheirs(error)) throw error
    return failed()
  }
  return proposalPage({ csrf: browser.csrf, proposal: parts.secondFactors.propose(account) })
}

/** POST `/account/second-factor/confirm`: takes the key, ends every other session, and shows the codes for paper. */
export async function acceptFactor(request: WebRequest, parts: FactorParts): Promise<WebResponse> {
  const posted = await readPosted(request, parts)
  if (posted === undefined) return redirectResponse(paths.login)
  const { form, browser, login, account } = posted
  const [sealed, code] = [single(form, 'setup'), single(form, 'code') ?? '']
  try {
    const { id, codes } = await parts.secondFactors.accept(account, sealed, code)
    auditReset(account, 'a second step was added; every other browser was logged out', parts)
    await parts.browsers.logOutEverywhere(account.id)
    const { headers } = await parts.browsers.logIn(request, account, { ...login.shown, factor: id })
    return paperCodesPage({ codes, headers })
  } catch (error) {
    const proposal = isProblem(error, 'unprocessable') ? parts.secondFactors.again(account, sealed) : undefined
    if (proposal === undefined || !isProblem(error)) throw error
    return proposalPage({ csrf: browser.csrf, proposal, problem: error })
  }
}

/** POST `/account/second-factor/codes`: ten new codes for paper, after a code. */
export async function renewPaperCodes(request: WebRequest, parts: FactorParts): Promise<WebResponse> {
  const posted = await readPosted(request, parts)
  if (posted === undefined) return redirectResponse(paths.login)
  const { form, account } = posted
  try {
    await checkCode(request, { account, code: single(form, 'code') ?? '' }, parts)
  } catch (error) {
    if (!isTheirs(error)) throw error
    return failed()
  }
  const renewed = await parts.secondFactors.renewCodes(account.id)
  if (renewed === undefined) return redirectResponse(paths.account)
  auditReset(account, 'new codes for paper', parts)
  return paperCodesPage({ codes: renewed.codes })
}

/** POST `/account/second-factor/remove`: back to the password alone, after it and a code. */
export async function removeFactor(request: WebRequest, parts: FactorParts): Promise<WebResponse> {
  const posted = await readPosted(request, parts)
  if (posted === undefined) return redirectResponse(paths.login)
  const { form, login, account } = posted
  try {
    await checkTyped(request, { name: account.name, password: single(form, 'current') ?? '' }, parts)
    await checkCode(request, { account, code: single(form, 'code') ?? '' }, parts)
  } catch (error) {
    if (!isTheirs(error)) throw error
    return failed()
  }
  await parts.secondFactors.remove(account.id)
  auditReset(account, 'the second step was taken away', parts)
  await parts.browsers.logOutEverywhere(account.id)
  const { headers } = await parts.browsers.logIn(request, account, { ...login.shown, factor: undefined })
  return redirectResponse(`${paths.account}?done=factor-removed`, headers)
}
