import { isProblem, Problem } from '#kernel'
import { redirectResponse, type WebRequest, type WebResponse } from '#web'
import type { Account } from '../accounts/accounts.ts'
import { networkCount } from '../accounts/throttle.ts'
import { single } from '../form.ts'
import { newRecoveryPage, tryRecoveryPage } from '../pages/recovery.ts'
import { type Parts, paths, type Recovery } from '../parts.ts'
import { checkTyped } from './login.ts'
import { readPosted } from './posted.ts'

type RecoveryParts = Pick<Parts, 'browsers' | 'accounts' | 'recovery' | 'throttle' | 'record' | 'log'>
type Posted = {
  readonly form: URLSearchParams
  readonly csrf: string
  readonly owner: Account
  readonly recovery: Recovery
}

/** The form of the owner; undefined for everybody else, who has nothing to recover. */
async function readOwners(request: WebRequest, parts: RecoveryParts): Promise<Posted | undefined> {
  const posted = await readPosted(request, parts)
  const { recovery } = parts
  if (posted?.account.isOwner !== true || recovery === undefined) return undefined
  return { form: posted.form, csrf: posted.browser.csrf, owner: posted.account, recovery }
}

/** POST `/account/recovery`: a new code in place of the old one, after the password. */
export async function renewRecovery(request: WebRequest, parts: RecoveryParts): Promise<WebResponse> {
  const posted = await readOwners(request, parts)
  if (posted === undefined) return redirectResponse(paths.account)
  const { form, csrf, owner, recovery } = posted
  try {
    await checkTyped(request, { name: owner.name, password: single(form, 'current') ?? '' }, parts)
  } catch (error) {
    if (!isProblem(error) || error.kind === 'fault') throw error
    return redirectResponse(`${paths.account}?done=recovery-failed`)
  }
  return newRecoveryPage({ csrf, code: await recovery.make() })
}

/** POST `/account/recovery/try`: whether the code on the paper is the right one. */
export async function tryRecovery(request: WebRequest, parts: RecoveryParts): Promise<WebResponse> {
  const posted = await readOwners(request, parts)
  if (posted === undefined) return redirectResponse(paths.account)
  const network = networkCount(request.remoteAddress)
  await parts.throttle.admit(...network)
  if (!(await posted.recovery.check(single(posted.form, 'code') ?? ''))) {
    const problem = new Problem('unprocessable', 'smart.recovery-wrong', 'This is not the code that opens this server.')
    return tryRecoveryPage({ csrf: posted.csrf, problem })
  }
  await parts.throttle.forgive(...network)
  return redirectResponse(`${paths.account}?done=recovery`)
}
