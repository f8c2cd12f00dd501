import { renderSVG } from 'uqr'
import type { Problem } from '#kernel'
import { faultAnswer, faultNote, html, Markup, pageResponse, type WebResponse } from '#web'
import type { Proposal, SecondFactor } from '../accounts/second-factors.ts'

export const codeField = (id: string, label: string): Markup => html`
<label class="field" for="${id}">${label}</label>
<input type="text" id="${id}" name="code" autocomplete="one-time-code" autocapitalize="none" spellcheck="false" required maxlength="100">`

export const passwordField = (id: string): Markup => html`
<label class="field" for="${id}">Your password</label>
<input type="password" id="${id}" name="current" autocomplete="current-password" required maxlength="256">`

function offer(csrf: string): Markup {
  return html`<p>Your password alone opens this account. With a second step, whoever learns it still needs your phone.</p>
<details><summary>Ask for a code from my phone as well</summary>
<form method="post" action="/account/second-factor">
<input type="hidden" name="csrf" value="${csrf}">${passwordField('factor-current')}
<p><button type="submit" class="plain">Go on</button></p>
</form></details>`
}

function standing(factor: SecondFactor, csrf: string): Markup {
  const few = factor.codesLeft < 3
  return html`<p>Since ${new Date(factor.sinceMs).toISOString().slice(0, 10)} logging in takes a code from your phone, or one from your paper.</p>
<p${few && html` class="note"`}>${factor.codesLeft} of the codes on paper are left.</p>
<details><summary>Ten new codes for paper</summary>
<form method="post" action="/account/second-factor/codes">
<input type="hidden" name="csrf" value="${csrf}">${codeField('codes-code', 'A code from your phone, or one from your paper')}
<p>Those that are left are worth nothing from then on.</p>
<p><button type="submit" class="plain">Make ten new codes</button></p>
</form></details>
<details><summary>Log in by password alone again</summary>
<form method="post" action="/account/second-factor/remove">
<input type="hidden" name="csrf" value="${csrf}">${passwordField('remove-current')}${codeField('remove-code', 'A code from your phone, or one from your paper')}
<p><button type="submit" class="plain">Take the second step away</button></p>
</form></details>`
}

/** The part of the account page about the second step of a login. */
export function factorFields(factor: SecondFactor | undefined, csrf: string): Markup {
  return html`<h2>Second step</h2>
${factor === undefined ? offer(csrf) : standing(factor, csrf)}`
}

/** The page with the picture for the phone, and the field for its first code. */
export function proposalPage(options: {
  readonly csrf: string
  readonly proposal: Proposal
  readonly problem?: Problem | undefined
}): WebResponse {
  const { csrf, proposal, problem } = options
  // Drawn here: nobody outside is told the secret, and the page needs neither script nor picture.
  const picture = renderSVG(proposal.uri, { ecc: 'M', border: 4, pixelSize: 5 })
  return pageResponse({
    title: 'A second step',
    ...faultAnswer(problem),
    content: html`
${faultNote(problem)}
<p>Scan this with an app for one-time codes on your phone.</p>
<p role="img" aria-label="A QR code with the key below">${new Markup(picture)}</p>
<p>Or type the key in: <code>${proposal.secret.replaceAll(/(.{4})(?=.)/g, '$1 ')}</code></p>
<form method="post" action="/account/second-factor/confirm">
<input type="hidden" name="csrf" value="${csrf}">
<input type="hidden" name="setup" value="${proposal.sealed}">
${codeField('code', 'The six digits that the app shows now')}
<p>From then on every other browser is logged out, and logging in takes such a code.</p>
<p><button type="submit">This is my code</button></p>
</form>
<p><a href="/account">Not now; go to my account</a></p>`,
  })
}

/** The page that shows the codes for paper, this once. */
export function paperCodesPage(options: {
  readonly codes: readonly string[]
  readonly headers?: Readonly<Record<string, string | string[]>>
}): WebResponse {
  return pageResponse({
    title: 'Ten codes for paper',
    headers: options.headers ?? {},
    content: html`
<p>Should your phone be lost, each of these opens your account once, together with your password.</p>
<ol class="secret">${options.codes.map(code => html`<li><code>${code}</code></li>`)}</ol>
<p class="note">Write them on paper or print this page. They are shown <strong>only this once</strong>. Without phone and paper only the
administrator of this server can help you.</p>
<p><a href="/account">I have them; go to my account</a></p>`,
  })
}
