import { isProblem, Problem } from '#kernel'
import { redirectResponse, type WebRequest, type WebResponse } from '#web'
import { networkOf } from '../accounts/networks.ts'
import { readForm, single } from '../form.ts'
import { resetPage } from '../pages/reset.ts'
import { type Parts, paths } from '../parts.ts'
import { endApps } from './account.ts'

type ResetParts = Pick<Parts, 'browsers' | 'resets' | 'permissions' | 'throttle' | 'record'>

/** GET `/account/reset?code=…`. */
export async function showReset(request: WebRequest, { browsers, resets }: ResetParts): Promise<WebResponse> {
  const code = single(request.query, 'code') ?? ''
  const { name } = await resets.check(code)
  const { csrf, headers } = await browsers.load(request)
  return resetPage({ csrf, headers, code, name })
}

async function setPassword(form: URLSearchParams, code: string, { resets }: Pick<ResetParts, 'resets'>) {
  const password = single(form, 'password') ?? ''
  if (password !== single(form, 'again'))
    throw new Problem('unprocessable', 'smart.passwords-differ', 'The two passwords are not the same.')
  return resets.use(code, password)
}

/** POST `/account/reset`: sets the password, ends the apps' access unless that was unticked, and logs the account in. */
export async function useReset(request: WebRequest, parts: ResetParts): Promise<WebResponse> {
  const form = await readForm(request)
  const browser = await parts.browsers.load(request)
  parts.browsers.checkForm(request, browser, form)
  await parts.throttle.admit('address', networkOf(request.remoteAddress))
  const code = single(form, 'code') ?? ''
  const { name } = await parts.resets.check(code)
  try {
    const account = await setPassword(form, code, parts)
    await parts.throttle.forgive('address', networkOf(request.remoteAddress))
    const done = await endApps(form, account, parts)
    const actor = { kind: 'account', id: account.id, display: account.name } as const
    parts.record.audit({ action: 'reset', outcome: 'success', actor, detail: 'a new password' })
    const { headers } = await parts.browsers.logIn(request, account)
    return redirectResponse(`${paths.account}?done=${done}`, headers)
  } catch (error) {
    if (!isProblem(error, 'unprocessable')) throw error
    return resetPage({ csrf: browser.csrf, headers: browser.headers, code, name, problem: error })
  }
}
