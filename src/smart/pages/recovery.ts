import type { Problem } from '#kernel'
import { faultAnswer, faultNote, html, type Markup, pageResponse, type WebResponse } from '#web'

const typeBack = (csrf: string): Markup => html`
<form method="post" action="/account/recovery/try">
<input type="hidden" name="csrf" value="${csrf}">
<label class="field" for="code">Type the code from your paper</label>
<input type="text" id="code" name="code" autocomplete="off" autocapitalize="characters" spellcheck="false" required maxlength="200">
<p><button type="submit">This is my code</button></p>
</form>
<p><a href="/account">Not now; go to my account</a></p>`

/** The page that shows a new recovery code, this once. */
export function newRecoveryPage(options: {
  csrf: string
  code: string
  headers?: Readonly<Record<string, string | string[]>>
}): WebResponse {
  return pageResponse({
    title: 'Your recovery code',
    headers: options.headers ?? {},
    content: html`
<p>Everything here is encrypted, and the keys lie on this computer. Should the key file or its passphrase be lost, this code is
the only way back to the data. Whoever has it together with a copy of the files can read everything.</p>
<p class="secret"><code>${options.code}</code></p>
<p class="note">Write it on paper now and keep it where you keep passports. It is shown <strong>only this once</strong>.</p>
<h2>Try it</h2>
<p>A code with a slip of the pen opens nothing. Type it in from the paper, so that you know it is right.</p>
${typeBack(options.csrf)}`,
  })
}

/** The page on which the code is typed once more, after it did not fit. */
export function tryRecoveryPage(options: { csrf: string; problem?: Problem | undefined }): WebResponse {
  return pageResponse({
    title: 'Try your recovery code',
    ...faultAnswer(options.problem),
    content: html`
${faultNote(options.problem)}
<p>Compare it with your paper. If it cannot be made out, ask for a new code on your account page; the old one then ends.</p>
${typeBack(options.csrf)}`,
  })
}
