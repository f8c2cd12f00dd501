import { html, type Markup } from '#web'
import { wordsOfEmergency } from '../family/emergency.ts'
import type { Family, Guardian, KeptPerson, Leaving } from '../family/view.ts'
import { askedNotes, contactFields, mayAskFields } from './emergency.ts'
import { giveFields, wordsForGiver } from './giving.ts'
import { day, lastDay, roleFields, wordsOfKeeping } from './roles.ts'

function guardianEntry(person: KeptPerson, guardian: Guardian, csrf: string): Markup {
  return html`<li><form method="post" action="/account/guardians/end">
<strong>${guardian.name}</strong> keeps ${person.name} too, since ${day(guardian.sinceMs)}, ${wordsOfKeeping(guardian.as)}.
<input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="patient" value="${person.id}">
<button type="submit" name="guardian" value="${guardian.account}" class="plain">End that</button>
</form>
<details><summary>Change what ${guardian.name} may do</summary>
<form method="post" action="/account/guardians/change">
<input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="patient" value="${person.id}">
<input type="hidden" name="guardian" value="${guardian.account}">
${roleFields(`${guardian.account}-${person.id}`, guardian.as)}
<p>It counts at once, also for apps that have access. If anything is taken away, links that ${guardian.name} gave away end.</p>
<p><button type="submit" class="plain">Change it</button></p>
</form></details></li>`
}

function ownFields(person: KeptPerson, csrf: string): Markup {
  return html`${person.guardians.length > 0 && html`<ul>${person.guardians.map(each => guardianEntry(person, each, csrf))}</ul>`}
<details><summary>Keep ${person.name} together with somebody</summary>
<form method="post" action="/account/invitations">
<input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="patient" value="${person.id}">
<p>You get an address to pass on.</p>
${roleFields(person.id, undefined)}
<label class="field" for="invite-${person.id}">Your password</label>
<input type="password" id="invite-${person.id}" name="current" autocomplete="current-password" required maxlength="256">
<p><button type="submit" class="plain">Make an invitation</button></p>
</form></details>
${contactFields(person, csrf)}
${giveFields(person, csrf)}`
}

const wordsOfLeaving: Readonly<Record<Leaving['becomes'], (name: string) => string>> = {
  mine: name => `You then keep ${name} in your own right.`,
  anothers: name => `Somebody else then keeps ${name} in their own right, and you go on as now.`,
  erased: name =>
    `All that is kept of ${name} is erased then. Whoever should keep ${name} has to be made a guardian, or be given them, before that.`,
}

function leavingNote(by: string, name: string, leaving: Leaving | undefined): Markup {
  if (leaving === undefined) return html``
  return html`<p class="note">The account of <strong>${by}</strong> is deleted on ${day(leaving.atMs)}. ${wordsOfLeaving[leaving.becomes](name)}</p>`
}

function guardedFields(
  person: KeptPerson,
  { by, as, leaving }: NonNullable<KeptPerson['invited']>,
  account: string,
  csrf: string,
): Markup {
  return html`<p>By invitation of <strong>${by}</strong>, ${wordsOfKeeping(as)}.</p>
${leavingNote(by, person.name, leaving)}
${as.untilMs !== undefined && html`<p class="note">After ${lastDay(as.untilMs)} you keep ${person.name} no more; apps and links that you let in or gave away for this person end with that.</p>`}
<details><summary>Stop keeping ${person.name}</summary>
<form method="post" action="/account/guardians/end">
<input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="patient" value="${person.id}">
<p>What you wrote stays with ${person.name}. Apps that you let in for this person lose their access, and links that you gave away end.</p>
<p><button type="submit" name="guardian" value="${account}" class="plain">Stop keeping ${person.name}</button></p>
</form></details>`
}

function personEntry(person: KeptPerson, account: string, csrf: string): Markup {
  return html`<li>${person.name}${person.birthDate !== undefined && `, born ${person.birthDate}`}
${askedNotes(person, csrf)}
${person.invited === undefined ? ownFields(person, csrf) : guardedFields(person, person.invited, account, csrf)}</li>`
}

function wordsOfInvitation(
  name: string,
  { as = { role: 'guardian' }, gives, emergency }: Pick<Family['invitations'][number], 'as' | 'gives' | 'emergency'>,
): string {
  if (emergency !== undefined)
    return `Somebody is invited to keep ${name} in an emergency, ${wordsOfEmergency({ as, ...emergency })}. The invitation`
  if (gives === undefined) return `Somebody is invited to keep ${name} ${wordsOfKeeping(as)}. The invitation`
  return `${name} is offered to somebody who is to keep them in their own right. ${wordsForGiver(gives.keeps)} The offer`
}

function invitationEntry(
  { id, name, expiresAtMs, ...invitation }: Family['invitations'][number],
  csrf: string,
): Markup {
  const offered = wordsOfInvitation(name, invitation)
  return html`<li><form method="post" action="/account/invitations/withdraw">
${offered} is good until ${day(expiresAtMs)}.
<input type="hidden" name="csrf" value="${csrf}">
<button type="submit" name="invitation" value="${id}" class="plain">Take it back</button>
</form></li>`
}

/** The people of an account, each with whoever else keeps them. */
export function familyFields({ people, invitations, mayAsk }: Family, account: string, csrf: string): Markup {
  if (people.length === 0) return html`<p>Nobody yet.</p>${mayAskFields(mayAsk, account, csrf)}`
  return html`<ul>${people.map(person => personEntry(person, account, csrf))}</ul>
${invitations.length > 0 && html`<ul>${invitations.map(each => invitationEntry(each, csrf))}</ul>`}
${mayAskFields(mayAsk, account, csrf)}`
}
