import type { Problem } from '#kernel'
import { faultAnswer, faultNote, html, type Markup, pageResponse, type WebResponse } from '#web'
import type { Deletion } from '../deletion/deletions.ts'
import type { DeletionView, FatedPerson } from '../deletion/view.ts'
import { day } from './roles.ts'

const dayMs = 24 * 60 * 60_000

/** How long it waits, in whole days where it is that long. */
function wordsOfWait(ms: number): string {
  const days = Math.round(ms / dayMs)
  if (days >= 1) return days === 1 ? 'a day' : `${days} days`
  return 'less than a day'
}

function erasedFields({ id, name }: FatedPerson): Markup {
  return html`<li><strong>${name}</strong>: nobody else could decide about them. <strong>All that is kept of ${name} is erased</strong>, by destroying the
key that it is encrypted with; nothing brings it back, not even a backup of the data. Whoever else sees ${name} or adds to it loses that as well. If that is not what you want,
<a href="/account">give ${name} to somebody, or invite a guardian</a> without a last day first.
<label><input type="checkbox" name="erase" value="${id}" required>Erase everything of ${name}</label></li>`
}

function givenFields({ id, name, heirs }: FatedPerson): Markup {
  return html`<li><strong>${name}</strong> stays. Only your account leaves, and a guardian keeps ${name} in their own right from then on:
<label class="field" for="heir-${id}">Who keeps ${name} in your place</label>
<select id="heir-${id}" name="heir">${heirs.map(({ account, name: heir }, at) => html`<option value="${id} ${account}"${at === 0 && html` selected`}>${heir}</option>`)}</select></li>`
}

function fateEntry(person: FatedPerson): Markup {
  if (person.kind === 'given') return givenFields(person)
  if (person.kind === 'stays')
    return html`<li><strong>${person.name}</strong> stays with whoever else keeps them. Only your account leaves; what you wrote stays.</li>`
  return erasedFields(person)
}

function lastNote({ isLast, isOwner }: DeletionView): Markup {
  if (isLast)
    return html`<p class="note">Yours is the only account here. Once it is deleted nobody can log in. This server cannot be claimed by an address again, whoever
has one: whoever runs it makes new accounts, by a command on its computer.</p>`
  if (!isOwner) return html``
  return html`<p class="note">Yours is the account that claimed this server. Nobody sees the recovery code on these pages once it is deleted; the code that you have
on paper goes on opening the keys of everybody here until whoever runs this server makes another one, by a command on its computer. Pass it on or destroy it.</p>`
}

/** The page that says what deleting an account does, and asks. */
export function deletionPage(view: {
  readonly csrf: string
  readonly deletion: DeletionView
  readonly hasFactor: boolean
  readonly problem?: Problem | undefined
}): WebResponse {
  const { csrf, deletion, hasFactor, problem } = view
  const wait = wordsOfWait(deletion.waitMs)
  return pageResponse({
    title: 'Delete your account',
    ...faultAnswer(problem),
    content: html`
${faultNote(problem)}
<p>Your account is deleted in <strong>${wait}</strong>. Until then you can log in and take that back. At once every other browser is logged out, every app loses its
access, and nobody new can be added.</p>
<p>Would you like to take your data along? Let an app read them first, for example <a href="/docs/">the page about the API</a>: <code>Patient/…/$everything</code> gives all that is
kept of a person, <code>$export</code> all of everybody. Afterwards there is nothing left to take.</p>
<form method="post" action="/account/delete">
<input type="hidden" name="csrf" value="${csrf}">
<h2>What becomes of whom</h2>
${deletion.people.length === 0 ? html`<p>You keep nobody.</p>` : html`<ul>${deletion.people.map(fateEntry)}</ul>`}
<p>What you keep for your household as a whole is erased. Links that you gave away, your invitations, notifications and imports end. What you entered of
doctors, places and definitions that others use stays. It stays written down, for whoever runs this server, that there was this account and what it did.</p>
${lastNote(deletion)}
<h2>Are you sure?</h2>
<label class="field" for="delete-current">Your password</label>
<input type="password" id="delete-current" name="current" autocomplete="current-password" required maxlength="256">
${
  hasFactor &&
  html`<label class="field" for="delete-code">A code from your phone, or one from your paper</label>
<input type="text" id="delete-code" name="code" autocomplete="one-time-code" autocapitalize="none" spellcheck="false" required maxlength="100">`
}
<p><button type="submit">Delete my account in ${wait}</button></p>
</form>
<p><a href="/account">No; go to my account</a></p>`,
  })
}

/** At the end of the account page: the way to the page that asks. */
export const deletionLink: Markup = html`<h2>Delete this account</h2>
<p><a href="/account/delete">What deleting it would do</a>: you are asked before anything is done.</p>`

/** At the top of the account page, as long as it waits. */
export function deletionNote({ dueAtMs, isPutOff, isBegun }: Deletion, csrf: string): Markup {
  if (isBegun === true) return html`<p class="note" role="status">This account is being deleted.</p>`
  return html`<form method="post" action="/account/delete/take-back" class="note" role="status">
<p>${
    isPutOff === true &&
    html`The day had come, but it was not said what becomes of somebody whom you keep: <a href="/account/delete">say it</a>. `
  }<strong>This account is deleted on ${day(dueAtMs)}.</strong> Nobody can be added until then. You can see <a href="/account/delete">what becomes of whom</a>, and take it back.</p>
<input type="hidden" name="csrf" value="${csrf}">
<p><button type="submit">Keep my account</button></p></form>`
}
