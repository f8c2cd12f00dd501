import type { Problem } from '#kernel'
import { faultAnswer, faultNote, html, pageResponse, type WebResponse } from '#web'
import type { Ceremony } from '../accounts/passkey-ceremonies.ts'
import type { Provider } from '../accounts/providers.ts'
import { passkeyScript } from './passkey-script.ts'
import { ceremonyForm } from './passkeys.ts'
import { providerForms } from './providers.ts'

/** The login page. `request` is a sealed authorize request on its way to consent, or absent. */
export function loginPage(options: {
  csrf: string
  headers: Readonly<Record<string, string>>
  request?: string | undefined
  /** False while nobody can log in at all. */
  isClaimed?: boolean | undefined
  /** The question for a passkey, where those can be had. */
  ceremony?: Ceremony | undefined
  /** Where one can log in beside here. */
  providers: readonly Pick<Provider, 'n' | 'label'>[]
  problem?: Problem | undefined
}): WebResponse {
  const fault = faultAnswer(options.problem)
  const { ceremony, request } = options
  return pageResponse({
    title: 'Log in',
    script: ceremony === undefined ? undefined : passkeyScript,
    status: fault.status,
    headers: { ...options.headers, ...fault.headers },
    content: html`
${faultNote(options.problem)}
${options.isClaimed === false && html`<p class="note">Nobody owns this server yet, so nobody can log in. It shows the address at which it gets its owner where it was started.</p>`}
${options.request !== undefined && html`<p>An app asks for access to health data that you keep here. Log in to see which app and what it asks for.</p>`}
<form method="post" action="/auth/login">
<input type="hidden" name="csrf" value="${options.csrf}">
${options.request !== undefined && html`<input type="hidden" name="request" value="${options.request}">`}
<label class="field" for="name">Name</label>
<input type="text" id="name" name="name" autocomplete="username" autocapitalize="none" required maxlength="200">
<label class="field" for="password">Password</label>
<input type="password" id="password" name="password" autocomplete="current-password" required maxlength="256">
<p><button type="submit">Log in</button></p>
</form>
${ceremony !== undefined && ceremonyForm({ ceremony, kind: 'get', csrf: options.csrf, request })}
${providerForms(options.providers, options.csrf, request)}`,
  })
}

/** The page that asks for the code of the second factor. `half` is the sealed first half of the login. */
export function codePage(options: {
  csrf: string
  headers: Readonly<Record<string, string>>
  half: string
  request?: string | undefined
  problem?: Problem | undefined
}): WebResponse {
  const fault = faultAnswer(options.problem)
  return pageResponse({
    title: 'Your code',
    status: fault.status,
    headers: { ...options.headers, ...fault.headers },
    content: html`
${faultNote(options.problem)}
<form method="post" action="/auth/login/code">
<input type="hidden" name="csrf" value="${options.csrf}">
<input type="hidden" name="half" value="${options.half}">
${options.request !== undefined && html`<input type="hidden" name="request" value="${options.request}">`}
<label class="field" for="code">Six digits from the app on your phone, or a code from your paper</label>
<input type="text" id="code" name="code" inputmode="text" autocomplete="one-time-code" autocapitalize="none" spellcheck="false" required maxlength="100">
<p><button type="submit">Log in</button></p>
</form>
<p><a href="/auth/login">Log in as somebody else</a></p>`,
  })
}
