import type { Problem } from '#kernel'
import { faultAnswer, faultNote, html, pageResponse, type WebResponse } from '#web'
import { appsChoice } from './apps-choice.ts'

/** The page on which somebody with a one-time address chooses a password. */
export function resetPage(options: {
  csrf: string
  headers: Readonly<Record<string, string>>
  code: string
  name: string
  /** Whether there are logins elsewhere that could be kept. */
  hasProviders: boolean
  problem?: Problem | undefined
}): WebResponse {
  const fault = faultAnswer(options.problem)
  return pageResponse({
    title: 'Choose a password',
    status: fault.status,
    headers: { ...options.headers, ...fault.headers },
    content: html`
${faultNote(options.problem)}
<p>You log in as <strong>${options.name}</strong>. Choose a password; this page works once.</p>
<form method="post" action="/account/reset">
<input type="hidden" name="csrf" value="${options.csrf}">
<input type="hidden" name="code" value="${options.code}">
<input type="hidden" name="username" autocomplete="username" value="${options.name}">
<label class="field" for="password">Password, 12 characters or more</label>
<input type="password" id="password" name="password" autocomplete="new-password" required minlength="12" maxlength="256" aria-describedby="hint">
<p id="hint" class="quiet">Several words in a row are easy to remember and hard to guess.</p>
<label class="field" for="again">The password once more</label>
<input type="password" id="again" name="again" autocomplete="new-password" required maxlength="256">
${appsChoice(options)}
<p><button type="submit">Set the password</button></p>
</form>`,
  })
}
