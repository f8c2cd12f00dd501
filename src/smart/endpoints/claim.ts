import { isProblem, Problem } from '#kernel'
import { redirectResponse, type WebRequest, type WebResponse } from '#web'
import { actorOf } from '../accounts/accounts.ts'
import { networkCount } from '../accounts/throttle.ts'
import { readForm, single } from '../form.ts'
import { claimPage } from '../pages/claim.ts'
import { newRecoveryPage } from '../pages/recovery.ts'
import { type Parts, paths } from '../parts.ts'

type ClaimParts = Pick<Parts, 'browsers' | 'claim' | 'throttle' | 'record' | 'recovery'>

/** GET `/claim?code=…`. */
export async function showClaim(request: WebRequest, { browsers, claim }: ClaimParts): Promise<WebResponse> {
  const code = single(request.query, 'code') ?? ''
  await claim.check(code)
  const { csrf, headers } = await browsers.load(request)
  return claimPage({ csrf, headers, code })
}

async function makeOwner(form: URLSearchParams, code: string, { claim }: Pick<ClaimParts, 'claim'>) {
  const password = single(form, 'password') ?? ''
  if (password !== single(form, 'again'))
    throw new Problem('unprocessable', 'smart.passwords-differ', 'The two passwords are not the same.')
  return claim.use(code, { name: single(form, 'name') ?? '', password })
}

/** POST `/claim`: makes the first account and logs it in. */
export async function useClaim(request: WebRequest, parts: ClaimParts): Promise<WebResponse> {
  const form = await readForm(request)
  const browser = await parts.browsers.load(request)
  parts.browsers.checkForm(request, browser, form)
  const code = single(form, 'code') ?? ''
  const network = networkCount(request.remoteAddress)
  await parts.throttle.admit(...network)
  try {
    const owner = await makeOwner(form, code, parts)
    await parts.throttle.forgive(...network)
    parts.record.audit({ action: 'claim', outcome: 'success', actor: actorOf(owner) })
    const { headers, csrf } = await parts.browsers.logIn(request, owner, {})
    if (parts.recovery === undefined) return redirectResponse(paths.account, headers)
    return newRecoveryPage({ csrf, headers, code: await parts.recovery.make() })
  } catch (error) {
    if (isProblem(error, 'forbidden')) parts.record.audit({ action: 'claim', outcome: 'failure' })
    if (!isProblem(error, 'unprocessable')) throw error
    return claimPage({ csrf: browser.csrf, headers: browser.headers, code, name: single(form, 'name'), problem: error })
  }
}
