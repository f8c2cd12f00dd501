import type { Problem } from '#kernel'
import { faultPage, html, type WebResponse } from '#web'
import { wordsOfTarget } from './target.ts'

/**
 * The page in place of a redirect to an app that nobody here has let in. It says nothing that the app says of itself, so that
 * it cannot be made to speak for it.
 */
export function strayPage(view: { redirectUri: string; uri: string; problem: Problem }): WebResponse {
  return faultPage(view.problem, {
    status: 400,
    below: html`
<p>An app sent you here with a request that this server does not grant. It is reached ${wordsOfTarget(view.redirectUri)}. Nobody
here has ever let it in, and nobody has checked who made it, so you were not sent there.</p>
<p><a href="${view.uri}" rel="noreferrer">Go there all the same</a> only if you know it. It is no part of this server: do not type a
password of this server there.</p>`,
  })
}
