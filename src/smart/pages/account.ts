import type { Problem } from '#kernel'
import type { Account } from '../accounts/accounts.ts'
import type { Person } from '../consent/people.ts'
import { parseScopeRequest } from '../scopes.ts'
import type { Permission } from '../token/permissions.ts'
import type { WebResponse } from '../web.ts'
import { html, type Markup } from './html.ts'
import { pageResponse } from './layout.ts'
import { faultAnswer, faultNote } from './login.ts'
import { wordsOfDeeds, wordsOfTerm } from './words.ts'

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

function permissionEntry(permission: Permission, people: readonly Person[], csrf: string): Markup {
  const person = people.find(({ id }) => id === permission.patient)
  return html`<fieldset><legend>${permission.clientName}</legend>
<p>${person !== undefined && html`Data of <strong>${person.name}</strong>. `}Since ${day(permission.createdAtMs)}, until ${day(permission.expiresAtMs)}${permission.offline && html`, also while you are away`}.</p>
<ul>${parseScopeRequest(permission.scope).terms.map(term => html`<li>${wordsOfTerm(term)}: ${wordsOfDeeds(term)}</li>`)}</ul>
<form method="post" action="/account/revoke">
<input type="hidden" name="csrf" value="${csrf}">
<button type="submit" name="permission" value="${permission.id}" class="plain">End the access of ${permission.clientName}</button>
</form></fieldset>`
}

/** The page on which a person sees and ends what they allowed; `management_endpoint` of SMART's configuration. */
export function accountPage(view: {
  csrf: string
  account: Account
  permissions: readonly Permission[]
  people: readonly Person[]
  problem?: Problem | undefined
  done?: string | undefined
}): WebResponse {
  return pageResponse({
    title: 'Your account',
    ...faultAnswer(view.problem),
    content: html`
${faultNote(view.problem)}${view.done !== undefined && html`<p class="note" role="status">${view.done}</p>`}
<p>You are logged in as <strong>${view.account.name}</strong>.</p>
<h2>People whose data you keep</h2>
${view.people.length === 0 ? html`<p>Nobody yet.</p>` : html`<ul>${view.people.map(person => html`<li>${person.name}${person.birthDate !== undefined && `, born ${person.birthDate}`}</li>`)}</ul>`}
<details${view.people.length === 0 && html` open`}><summary>Add a person</summary>
<form method="post" action="/account/people">
<input type="hidden" name="csrf" value="${view.csrf}">
<label class="field" for="given">Given names</label>
<input type="text" id="given" name="given" required maxlength="100">
<label class="field" for="family">Family name</label>
<input type="text" id="family" name="family" required maxlength="100">
<label class="field" for="birthdate">Birth date</label>
<input type="date" id="birthdate" name="birthdate">
<p><button type="submit">Add</button></p>
</form></details>
<p class="quiet">For commands on the host: this account is <code>${view.account.id}</code>.</p>
<h2>Apps with access</h2>
${view.permissions.length === 0 ? html`<p>No app has access.</p>` : view.permissions.map(each => permissionEntry(each, view.people, view.csrf))}
<h2>Password</h2>
<form method="post" action="/account/password">
<input type="hidden" name="csrf" value="${view.csrf}">
<label class="field" for="current">Password now</label>
<input type="password" id="current" name="current" autocomplete="current-password" required maxlength="256">
<label class="field" for="password">New password, 12 characters or more</label>
<input type="password" id="password" name="password" autocomplete="new-password" required minlength="12" maxlength="256">
<p><button type="submit">Change the password</button></p>
</form>
<form method="post" action="/auth/logout"><input type="hidden" name="csrf" value="${view.csrf}">
<p><button type="submit" class="plain">Log out</button></p></form>`,
  })
}
