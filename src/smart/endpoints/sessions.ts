import { redirectResponse, type WebRequest, type WebResponse } from '#web'
import { actorOf } from '../accounts/accounts.ts'
import { single } from '../form.ts'
import { type Parts, paths } from '../parts.ts'
import { readPosted } from './posted.ts'

type SessionParts = Pick<Parts, 'browsers' | 'record'>

/** POST `/account/sessions`: logs another browser of the account out, or with `others` all but this one. */
export async function endSession(request: WebRequest, parts: SessionParts): Promise<WebResponse> {
  const posted = await readPosted(request, parts)
  if (posted === undefined) return redirectResponse(paths.login)
  const { form, login } = posted
  const session = single(form, 'session') ?? ''
  if (session === 'others') await parts.browsers.logOutEverywhere(login.account.id, login.id)
  else await parts.browsers.end(login.account.id, session)
  const detail = session === 'others' ? 'all other browsers, by their owner' : 'a browser, by its owner'
  parts.record.audit({ action: 'logout', outcome: 'success', actor: actorOf(login.account), detail })
  return redirectResponse(`${paths.account}?done=sessions`)
}
