import type { Problem } from '#kernel'
import { faultAnswer, faultNote, html, type Markup, pageResponse, type WebResponse } from '#web'
import type { Ceremony } from '../accounts/passkey-ceremonies.ts'
import type { Passkey } from '../accounts/passkeys.ts'
import { passkeyScript } from './passkey-script.ts'
import { codeField, passwordField } from './second-factor.ts'

/** What the account page shows of passkeys. */
export interface PasskeysView {
  /** Where they can be made and used; undefined where browsers allow none. */
  readonly host: string | undefined
  readonly passkeys: readonly Passkey[]
  /** Whether a code is asked for beside the password. */
  readonly hasFactor: boolean
}

const kinds = {
  get: { action: '/auth/login/passkey', button: 'Log in with a passkey', again: '/auth/login' },
  create: { action: '/account/passkeys/confirm', button: 'Make the passkey', again: undefined },
} as const

/** A form that the script fills in and sends; it is hidden until that runs. `request` waits for the login. */
export function ceremonyForm(options: {
  readonly ceremony: Ceremony
  readonly kind: keyof typeof kinds
  readonly csrf: string
  readonly request?: string | undefined
}): Markup {
  const { ceremony, kind, csrf, request } = options
  const { action, button, again } = kinds[kind]
  const query = request === undefined ? '' : `?request=${encodeURIComponent(request)}`
  return html`<form method="post" action="${action}" data-passkey="${kind}" data-options="${JSON.stringify(ceremony.options)}"${again !== undefined && html` data-again="${again}${query}"`} hidden>
<input type="hidden" name="csrf" value="${csrf}">
<input type="hidden" name="setup" value="${ceremony.sealed}">
<input type="hidden" name="response" value="">
${request !== undefined && html`<input type="hidden" name="request" value="${request}">`}
<p class="error" role="alert" data-fault hidden></p>
<p><button type="submit" class="plain">${button}</button></p>
</form>`
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

function entry({ id, name, addedAtMs, usedAtMs, copiedAtMs, ...passkey }: Passkey, csrf: string, host: string): Markup {
  const copied =
    copiedAtMs !== undefined &&
    html`<p class="error" role="alert">On ${day(copiedAtMs)} it came with a count that had been counted before: somebody may have copied it. End it, and make a new one.</p>`
  const stray =
    passkey.host !== host && html`<p class="note">It was made at <code>${passkey.host}</code> and works only there.</p>`
  return html`<fieldset><legend>${name}</legend>
${copied}${stray}<p>Since ${day(addedAtMs)}, ${usedAtMs === undefined ? 'not used yet' : html`last used on ${day(usedAtMs)}`}.</p>
<details><summary>Call it something else</summary>
<form method="post" action="/account/passkeys/name">
<input type="hidden" name="csrf" value="${csrf}">
<label class="field" for="passkey-name-${id}">What you call it</label>
<input type="text" id="passkey-name-${id}" name="name" value="${name}" required maxlength="60">
<p><button type="submit" name="passkey" value="${id}" class="plain">Keep this name</button></p>
</form></details>
<form method="post" action="/account/passkeys/end">
<input type="hidden" name="csrf" value="${csrf}">
<button type="submit" name="passkey" value="${id}" class="plain">End the passkey ${name}</button>
</form></fieldset>`
}

function offer({ hasFactor }: PasskeysView, csrf: string): Markup {
  return html`<details><summary>Add a passkey</summary>
<form method="post" action="/account/passkeys">
<input type="hidden" name="csrf" value="${csrf}">
<label class="field" for="passkey-name">What you call it, such as the device that it is on</label>
<input type="text" id="passkey-name" name="name" required maxlength="60">
${passwordField('passkey-current')}${hasFactor && codeField('passkey-code', 'A code from your phone, or one from your paper')}
<p><button type="submit" class="plain">Go on</button></p>
</form></details>`
}

/** The part of the account page about passkeys. */
export function passkeyFields(view: PasskeysView, csrf: string): Markup {
  const { host, passkeys } = view
  return html`<h2>Passkeys</h2>
<p>A passkey on your phone, computer or security key logs you in with a finger, a face or a PIN, in place of password and code. Your password
goes on working.</p>
${passkeys.map(passkey => entry(passkey, csrf, host ?? ''))}
${host === undefined ? html`<p>Browsers make passkeys only where a server has a name and is reached by https.</p>` : offer(view, csrf)}`
}

/** The page that asks the browser for a new passkey. */
export function newPasskeyPage(options: {
  readonly csrf: string
  readonly ceremony: Ceremony
  readonly problem?: Problem | undefined
}): WebResponse {
  const { csrf, ceremony, problem } = options
  return pageResponse({
    title: 'A passkey',
    ...faultAnswer(problem),
    script: passkeyScript,
    content: html`
${faultNote(problem)}
<p>Your browser asks now on which device the passkey is to be kept. Whoever can unlock that device can log in here.</p>
${ceremonyForm({ ceremony, kind: 'create', csrf })}
<p class="note" data-without-passkeys>This browser knows no passkeys, or runs no scripts here.</p>
<p><a href="/account">Not now; go to my account</a></p>`,
  })
}
