import type { Problem } from '#kernel'
import { faultAnswer, faultNote, html, type Markup, pageResponse, type WebResponse } from '#web'
import type { Family, Guardian, KeptPerson } from '../family/view.ts'

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

const mayWords =
  'They see, add and change all that is kept of this person, as you do, and let apps in. They cannot invite others, take you off, erase the person, or merge them with another.'

function guardianEntry(person: KeptPerson, guardian: Guardian, csrf: string): Markup {
  return html`<li><form method="post" action="/account/guardians/end">
<strong>${guardian.name}</strong> keeps ${person.name} too, since ${day(guardian.sinceMs)}.
<input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="patient" value="${person.id}">
<button type="submit" name="guardian" value="${guardian.account}" class="plain">End that</button>
</form></li>`
}

function ownFields(person: KeptPerson, csrf: string): Markup {
  return html`${person.guardians.length > 0 && html`<ul>${person.guardians.map(each => guardianEntry(person, each, csrf))}</ul>`}
<details><summary>Keep ${person.name} together with somebody</summary>
<form method="post" action="/account/invitations">
<input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="patient" value="${person.id}">
<p>You get an address to pass on. ${mayWords}</p>
<label class="field" for="invite-${person.id}">Your password</label>
<input type="password" id="invite-${person.id}" name="current" autocomplete="current-password" required maxlength="256">
<p><button type="submit" class="plain">Make an invitation</button></p>
</form></details>`
}

function guardedFields(person: KeptPerson, account: string, csrf: string): Markup {
  return html`<p>By invitation of <strong>${person.invitedBy ?? ''}</strong>.</p>
<details><summary>Stop keeping ${person.name}</summary>
<form method="post" action="/account/guardians/end">
<input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="patient" value="${person.id}">
<p>What you wrote stays with ${person.name}. Apps that you let in for this person lose their access, and links that you gave away end.</p>
<p><button type="submit" name="guardian" value="${account}" class="plain">Stop keeping ${person.name}</button></p>
</form></details>`
}

function personEntry(person: KeptPerson, account: string, csrf: string): Markup {
  return html`<li>${person.name}${person.birthDate !== undefined && `, born ${person.birthDate}`}
${person.invitedBy === undefined ? ownFields(person, csrf) : guardedFields(person, account, csrf)}</li>`
}

function invitationEntry({ id, name, expiresAtMs }: Family['invitations'][number], csrf: string): Markup {
  return html`<li><form method="post" action="/account/invitations/withdraw">
Somebody is invited to keep ${name}, until ${day(expiresAtMs)}.
<input type="hidden" name="csrf" value="${csrf}">
<button type="submit" name="invitation" value="${id}" class="plain">Take it back</button>
</form></li>`
}

/** The people of an account, each with whoever else keeps them. */
export function familyFields({ people, invitations }: Family, account: string, csrf: string): Markup {
  if (people.length === 0) return html`<p>Nobody yet.</p>`
  return html`<ul>${people.map(person => personEntry(person, account, csrf))}</ul>
${invitations.length > 0 && html`<ul>${invitations.map(each => invitationEntry(each, csrf))}</ul>`}`
}

/** The page that shows the address of an invitation, this once. */
export function newInvitationPage({ url }: { readonly url: string }): WebResponse {
  return pageResponse({
    title: 'Your invitation',
    content: html`
<p>Whoever opens this address can keep the person together with you. It works once, for three days, and is shown <strong>only this
once</strong>: pass it on in private.</p>
<p class="secret"><code>${url}</code></p>
<p class="note">${mayWords}</p>
<p><a href="/account">Go to my account</a></p>`,
  })
}

interface Invited {
  readonly csrf: string
  readonly headers: Readonly<Record<string, string>>
  readonly code: string
  /** Who invites, and to keep whom. */
  readonly from: string
  readonly name: string
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
${view.account === undefined ? newcomerFields(view) : memberFields(view, view.account)}`,
  })
}

function memberFields({ csrf, code, name }: Invited, account: string): Markup {
  return html`<p>You are logged in as <strong>${account}</strong>.</p>
<form method="post" action="/account/invitation">
<input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="code" value="${code}">
<p><button type="submit">Keep ${name} too</button></p>
</form>
<p><a href="/account">Not now; go to my account</a></p>`
}

function newcomerFields({ csrf, code }: Invited): Markup {
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
