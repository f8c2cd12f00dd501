import type { Problem } from '#kernel'
import type { WebResponse } from '../web.ts'
import { html, type Markup } from './html.ts'
import { pageResponse } from './layout.ts'

/** Where a fault is said, at the top of a page and read out at once. */
export function faultNote(problem: Problem | undefined): Markup {
  if (problem === undefined) return html``
  const wait = problem.retryAfterSeconds
  return html`<p class="error" role="alert" data-code="${problem.code}">${problem.text}${wait === undefined ? '' : ` Try again in ${wait} seconds.`}</p>`
}

function retryHeaders(problem: Problem | undefined): Readonly<Record<string, string>> {
  return problem?.retryAfterSeconds === undefined ? {} : { 'Retry-After': String(problem.retryAfterSeconds) }
}

const faultStatus: Readonly<Record<string, number>> = { throttled: 429, busy: 503, forbidden: 403, conflict: 409 }

/** Status and headers of a page that says a fault. */
export function faultAnswer(problem: Problem | undefined): {
  status: number
  headers: Readonly<Record<string, string>>
} {
  return {
    status: problem === undefined ? 200 : (faultStatus[problem.kind] ?? 400),
    headers: retryHeaders(problem),
  }
}

/** The login page. `request` is a sealed authorize request on its way to consent, or absent. */
export function loginPage(options: {
  csrf: string
  headers: Readonly<Record<string, string>>
  request?: string | undefined
  problem?: Problem | undefined
}): WebResponse {
  const fault = faultAnswer(options.problem)
  return pageResponse({
    title: 'Log in',
    status: fault.status,
    headers: { ...options.headers, ...fault.headers },
    content: html`
${faultNote(options.problem)}
${options.request !== undefined && html`<p>An app asks for access to health data that you keep here. Log in to see which app and what it asks for.</p>`}
<form method="post" action="/auth/login">
<input type="hidden" name="csrf" value="${options.csrf}">
${options.request !== undefined && html`<input type="hidden" name="request" value="${options.request}">`}
<label class="field" for="name">Name</label>
<input type="text" id="name" name="name" autocomplete="username" autocapitalize="none" required maxlength="200">
<label class="field" for="password">Password</label>
<input type="password" id="password" name="password" autocomplete="current-password" required maxlength="256">
<p><button type="submit">Log in</button></p>
</form>`,
  })
}
