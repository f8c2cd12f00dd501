import type { Keeping } from '#access'
import type { Problem } from '#kernel'
import { faultAnswer, faultNote, html, type Markup, pageResponse, type WebResponse } from '#web'
import { wordsForInvited, wordsOfKeeping } from './roles.ts'

/** The page that shows the address of an invitation, this once. */
export function newInvitationPage({ url, as }: { readonly url: string; readonly as: Keeping }): WebResponse {
  return pageResponse({
    title: 'Your invitation',
    content: html`
<p>Whoever opens this address can keep the person together with you. It works once, for three days, and is shown <strong>only this
once</strong>: pass it on in private.</p>
<p class="secret"><code>${url}</code></p>
<p class="note">They keep the person ${wordsOfKeeping(as)}.</p>
<p><a href="/account">Go to my account</a></p>`,
  })
}

/** What a page shows to somebody who came by an address that was passed on. */
export interface Invited {
  readonly csrf: string
  readonly headers: Readonly<Record<string, string>>
  readonly code: string
  /** Who invites, and to keep whom. */
  readonly from: string
  readonly name: string
  readonly as: Keeping
  /** The name of who is logged in. */
  readonly account?: string | undefined
  readonly problem?: Problem | undefined
}

/** The page that an invitation leads to. */
export function invitationPage(view: Invited): WebResponse {
  const fault = faultAnswer(view.problem)
  return pageResponse({
    title: 'An invitation',
    status: fault.status,
    headers: { ...view.headers, ...fault.headers },
    content: html`
${faultNote(view.problem)}
<p><strong>${view.from}</strong> invites you to keep the health data of <strong>${view.name}</strong> together.</p>
${wordsForInvited(view.as)}
${view.account === undefined ? newcomerFields(view) : memberFields(view, view.account, `Keep ${view.name} too`)}`,
  })
}

/** For whoever is logged in; `does` is what the button says. */
export function memberFields({ csrf, code }: Pick<Invited, 'csrf' | 'code'>, account: string, does: string): Markup {
  return html`<p>You are logged in as <strong>${account}</strong>.</p>
<form method="post" action="/account/invitation">
<input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="code" value="${code}">
<p><button type="submit">${does}</button></p>
</form>
<p><a href="/account">Not now; go to my account</a></p>`
}

/** For whoever has no account, or is not logged in. */
export function newcomerFields({ csrf, code }: Pick<Invited, 'csrf' | 'code'>): Markup {
  return html`<p>If you have an account here, <a href="/auth/login">log in</a> and then open this address once more. Else make one:</p>
<form method="post" action="/account/invitation">
<input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="code" value="${code}">
<label class="field" for="name">The name you log in with</label>
<input type="text" id="name" name="name" autocomplete="username" autocapitalize="none" required maxlength="200">
<label class="field" for="password">Password, 12 characters or more</label>
<input type="password" id="password" name="password" autocomplete="new-password" required minlength="12" maxlength="256" aria-describedby="hint">
<p id="hint" class="quiet">Several words in a row are easy to remember and hard to guess.</p>
<label class="field" for="again">The password once more</label>
<input type="password" id="again" name="again" autocomplete="new-password" required maxlength="256">
<p><button type="submit">Make the account</button></p>
</form>`
}
