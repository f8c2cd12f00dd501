import { isProblem, Problem } from '#kernel'
import type { WebRequest, WebResponse } from '#web'
import { networkCount } from '../accounts/throttle.ts'
import { readForm, single } from '../form.ts'
import { resetPage } from '../pages/reset.ts'
import type { Parts } from '../parts.ts'
import { goOnWith } from './account.ts'

type ResetParts = Pick<
  Parts,
  | 'browsers'
  | 'passkeys'
  | 'links'
  | 'providers'
  | 'resets'
  | 'secondFactors'
  | 'permissions'
  | 'tokens'
  | 'throttle'
  | 'record'
>

/** GET `/account/reset?code=…`. */
export async function showReset(
  request: WebRequest,
  { browsers, resets, providers }: ResetParts,
): Promise<WebResponse> {
  const code = single(request.query, 'code') ?? ''
  const { name } = await resets.check(code)
  const { csrf, headers } = await browsers.load(request)
  return resetPage({ csrf, headers, code, name, hasProviders: providers.length > 0 })
}

async function setPassword(form: URLSearchParams, code: string, { resets }: Pick<ResetParts, 'resets'>) {
  const password = single(form, 'password') ?? ''
  if (password !== single(form, 'again'))
    throw new Problem('unprocessable', 'smart.passwords-differ', 'The two passwords are not the same.')
  return resets.use(code, password)
}

/** POST `/account/reset`: sets the password, ends what was opened before, apps too unless they are to be kept, and logs the account in. */
export async function useReset(request: WebRequest, parts: ResetParts): Promise<WebResponse> {
  const form = await readForm(request)
  const browser = await parts.browsers.load(request)
  parts.browsers.checkForm(request, browser, form)
  await parts.throttle.admit(...networkCount(request.remoteAddress))
  const code = single(form, 'code') ?? ''
  const { name } = await parts.resets.check(code)
  try {
    const account = await setPassword(form, code, parts)
    await parts.throttle.forgive(...networkCount(request.remoteAddress))
    return await goOnWith(account, { request, form }, parts)
  } catch (error) {
    if (!isProblem(error, 'unprocessable')) throw error
    const { csrf, headers } = browser
    return resetPage({ csrf, headers, code, name, hasProviders: parts.providers.length > 0, problem: error })
  }
}
