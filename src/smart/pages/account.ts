import type { Term } from '#access'
import type { Problem } from '#kernel'
import { faultAnswer, faultNote, html, type Markup, pageResponse, type WebResponse } from '#web'
import type { Account } from '../accounts/accounts.ts'
import type { SessionSummary } from '../accounts/browsers.ts'
import type { SecondFactor } from '../accounts/second-factors.ts'
import type { Person } from '../consent/people.ts'
import type { Deletion } from '../deletion/deletions.ts'
import type { Family } from '../family/view.ts'
import { parseScopeRequest } from '../scopes.ts'
import type { Permission } from '../token/permissions.ts'
import { appsChoice } from './apps-choice.ts'
import { deletionLink, deletionNote } from './deletion.ts'
import { familyFields } from './family.ts'
import { type PasskeysView, passkeyFields } from './passkeys.ts'
import { type LinksView, linkFields } from './providers.ts'
import { factorFields } from './second-factor.ts'
import { sessionFields } from './sessions.ts'
import { wordsOfDeeds, wordsOfSelf, wordsOfTerm } from './words.ts'

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

function termsList(terms: readonly Term[]): Markup {
  return html`<ul>${terms.map(term => html`<li>${wordsOfTerm(term)}: ${wordsOfDeeds(term)}</li>`)}</ul>`
}

/** `patient/` scopes reach the one person they were given for. */
function reachOfPatientTerms(terms: readonly Term[], person: Person | undefined): Markup {
  if (terms.length === 0) return html``
  if (person === undefined) return html`<p>Nothing any more: you no longer keep the person it was given for.</p>`
  return html`<p>Data of <strong>${person.name}</strong>:</p>${termsList(terms)}`
}

/** `user/` scopes reach everybody in the account, and are looked up anew with each request. */
function reachOfUserTerms(terms: readonly Term[], people: readonly Person[]): Markup {
  if (terms.length === 0) return html``
  const names = people.map((person, at) => html`${at > 0 && ', '}<strong>${person.name}</strong>`)
  return html`<p>Data of everybody in your account${people.length > 0 && html` – today ${names}`} –, what you keep for your household as a whole,
and whatever belongs to people whom you add later:</p>${termsList(terms)}`
}

function reachOfSelf(permission: Permission, people: readonly Person[]): Markup {
  const self = people.find(({ id }) => permission.fhirUser === `Patient/${id}`)
  if (self === undefined) return html``
  return html`<p>It knows that you are <strong>${self.name}</strong>, and may read the personal details of that person: ${wordsOfSelf}.</p>`
}

function permissionEntry(permission: Permission, people: readonly Person[], csrf: string): Markup {
  const { terms } = parseScopeRequest(permission.scope)
  const ofLevel = (level: Term['level']) => terms.filter(term => term.level === level)
  const person = people.find(({ id }) => id === permission.patient)
  return html`<fieldset><legend>${permission.clientName}</legend>
<p>Since ${day(permission.createdAtMs)}, until ${day(permission.expiresAtMs)}${permission.offline && html`, also while you are away`}.</p>
${reachOfPatientTerms(ofLevel('patient'), person)}${reachOfUserTerms(ofLevel('user'), people)}${reachOfSelf(permission, people)}
<form method="post" action="/account/revoke">
<input type="hidden" name="csrf" value="${csrf}">
<button type="submit" name="permission" value="${permission.id}" class="plain">End the access of ${permission.clientName}</button>
</form></fieldset>`
}

/** How things stand with the recovery code, for the owner of the server; nothing where that is not known. */
export type RecoveryState = 'none' | 'untried' | 'tried'

const recoveryWords: Readonly<Record<RecoveryState, string>> = {
  none: 'There is no recovery code yet. If the keys on this computer are lost, so is everything here.',
  untried:
    'Nobody has typed the recovery code back yet. It may have been noted wrongly; make a new one if you do not have it.',
  tried: 'You have a recovery code, and it was tried.',
}

function recoveryFields(state: RecoveryState | undefined, csrf: string): Markup {
  if (state === undefined) return html``
  return html`<h2>Recovery code</h2>
<p${state !== 'tried' && html` class="note"`}>${recoveryWords[state]}</p>
<details><summary>Make a new recovery code</summary>
<form method="post" action="/account/recovery">
<input type="hidden" name="csrf" value="${csrf}">
<p>The old code, if there is one, opens nothing from then on.</p>
<label class="field" for="recovery-current">Your password</label>
<input type="password" id="recovery-current" name="current" autocomplete="current-password" required maxlength="256">
<p><button type="submit" class="plain">Make a new code and show it once</button></p>
</form></details>`
}

/** The page on which a person sees and ends what they allowed; `management_endpoint` of SMART's configuration. */
export function accountPage(view: {
  csrf: string
  account: Account
  permissions: readonly Permission[]
  family: Family
  recovery?: RecoveryState | undefined
  factor: SecondFactor | undefined
  passkeys: PasskeysView
  links: LinksView
  sessions: readonly SessionSummary[]
  /** The id of the session that asks. */
  session: string
  /** How many people it keeps in its own right, and may keep. */
  quota: { readonly used: number; readonly most: number }
  /** That it waits to be deleted. */
  deletion?: Deletion | undefined
  problem?: Problem | undefined
  done?: string | undefined
}): WebResponse {
  return pageResponse({
    title: 'Your account',
    ...faultAnswer(view.problem),
    content: html`
${faultNote(view.problem)}${view.done !== undefined && html`<p class="note" role="status">${view.done}</p>`}
${view.deletion !== undefined && deletionNote(view.deletion, view.csrf)}
<p>You are logged in as <strong>${view.account.name}</strong>.</p>
<h2>People whose data you keep</h2>
${familyFields(view.family, view.account.id, view.csrf)}
${Number.isFinite(view.quota.most) && html`<p class="quiet">You keep ${view.quota.used} in your own right, of ${view.quota.most} at most.</p>`}
<details${view.family.people.length === 0 && html` open`}><summary>Add a person</summary>
<form method="post" action="/account/people">
<input type="hidden" name="csrf" value="${view.csrf}">
<label class="field" for="given">Given names</label>
<input type="text" id="given" name="given" required maxlength="100">
<label class="field" for="family">Family name</label>
<input type="text" id="family" name="family" required maxlength="100">
<label class="field" for="birthdate">Birth date</label>
<input type="date" id="birthdate" name="birthdate" aria-describedby="compared">
<label class="field" for="gender">Sex, as in their medical papers</label>
<select id="gender" name="gender" aria-describedby="compared">
<option value="" selected>not said</option><option value="female">female</option><option value="male">male</option>
<option value="other">other</option><option value="unknown">not known</option>
</select>
<p id="compared" class="quiet">Data that are sent for this person are compared with name, birth date and sex: the more of them are known,
the surer are data of somebody else kept out.</p>
<p><button type="submit">Add</button></p>
</form></details>
<p class="quiet">For commands on the host: this account is <code>${view.account.id}</code>.</p>
<h2>Apps with access</h2>
${view.permissions.length === 0 ? html`<p>No app has access.</p>` : view.permissions.map(each => permissionEntry(each, view.family.people, view.csrf))}
<h2>Password</h2>
<form method="post" action="/account/password">
<input type="hidden" name="csrf" value="${view.csrf}">
<label class="field" for="current">Password now</label>
<input type="password" id="current" name="current" autocomplete="current-password" required maxlength="256">
<label class="field" for="password">New password, 12 characters or more</label>
<input type="password" id="password" name="password" autocomplete="new-password" required minlength="12" maxlength="256">
${appsChoice({ hasProviders: view.links.providers.length + view.links.links.length > 0 })}
<p><button type="submit">Change the password</button></p>
</form>
${factorFields(view.factor, view.csrf)}
${passkeyFields(view.passkeys, view.csrf)}
${linkFields(view.links, view.csrf)}
${sessionFields(view.sessions, view.session, view.csrf)}
${recoveryFields(view.recovery, view.csrf)}
${view.deletion === undefined && deletionLink}
<form method="post" action="/auth/logout"><input type="hidden" name="csrf" value="${view.csrf}">
<p><button type="submit" class="plain">Log out</button></p></form>`,
  })
}
