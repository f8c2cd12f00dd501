import type { WebRequest } from '#web'
import type { Account } from '../accounts/accounts.ts'
import type { Browser, Login } from '../accounts/browsers.ts'
import { readForm } from '../form.ts'
import type { Parts } from '../parts.ts'

/** A form of somebody who is logged in. */
export interface Posted {
  readonly form: URLSearchParams
  readonly browser: Browser
  readonly login: Login
  readonly account: Account
}

/**
 * The form of a page of ours; undefined when nobody is logged in any more.
 *
 * @throws Problem `forbidden` · `smart.form-forged`
 */
export async function readPosted(
  request: WebRequest,
  { browsers }: Pick<Parts, 'browsers'>,
): Promise<Posted | undefined> {
  const form = await readForm(request)
  const browser = await browsers.load(request)
  browsers.checkForm(request, browser, form)
  const { login } = browser
  return login === undefined ? undefined : { form, browser, login, account: login.account }
}
