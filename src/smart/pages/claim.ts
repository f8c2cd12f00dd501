import type { Problem } from '#kernel'
import { faultAnswer, faultNote, html, pageResponse, type WebResponse } from '#web'

/** The page on which the first account of a new server is made. */
export function claimPage(options: {
  csrf: string
  headers: Readonly<Record<string, string>>
  code: string
  /** What was typed before. */
  name?: string | undefined
  problem?: Problem | undefined
}): WebResponse {
  const fault = faultAnswer(options.problem)
  return pageResponse({
    title: 'Claim this server',
    status: fault.status,
    headers: { ...options.headers, ...fault.headers },
    content: html`
${faultNote(options.problem)}
<p>This server has no owner yet. Choose a name and a password, and it is yours. This page works once.</p>
<form method="post" action="/claim">
<input type="hidden" name="csrf" value="${options.csrf}">
<input type="hidden" name="code" value="${options.code}">
<label class="field" for="name">Your name</label>
<input type="text" id="name" name="name" autocomplete="username" required maxlength="80"${options.name !== undefined && html` value="${options.name}"`}>
<label class="field" for="password">Password, 12 characters or more</label>
<input type="password" id="password" name="password" autocomplete="new-password" required minlength="12" maxlength="256" aria-describedby="hint">
<p id="hint" class="quiet">Several words in a row are easy to remember and hard to guess.</p>
<label class="field" for="again">The password once more</label>
<input type="password" id="again" name="again" autocomplete="new-password" required maxlength="256">
<p><button type="submit">Claim this server</button></p>
</form>`,
  })
}
