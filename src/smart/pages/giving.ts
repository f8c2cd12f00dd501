import type { Keeping } from '#access'
import { faultAnswer, faultNote, html, type Markup, pageResponse, type WebResponse } from '#web'
import type { KeptPerson } from '../family/view.ts'
import { type Invited, memberFields, newcomerFields } from './invitation.ts'
import { lastDay, mayWords, ofGiver, roleFields, wordsOfKeeping } from './roles.ts'

/** What becomes of who gives a person away, told to them. */
export function wordsForGiver(keeps: Keeping | undefined): string {
  if (keeps === undefined) return 'Once they accept, you keep nothing of this person.'
  return `Once they accept, you keep this person by their invitation, ${wordsOfKeeping(keeps)}.`
}

const untilThen = (keeps: Keeping | undefined) =>
  keeps?.untilMs !== undefined && html` This ends by itself after <strong>${lastDay(keeps.untilMs)}</strong>.`

/** Told to an owner around the day on which somebody comes of age. */
function ofAgeNote({ name, ofAgeOn }: KeptPerson): Markup {
  if (ofAgeOn === undefined) return html``
  return html`<p class="note">18 years: ${name} reaches them on <strong>${ofAgeOn}</strong>. From then on what is kept here is ${name}’s own to decide
about. You can give it over: ${name} gets an account and keeps it in their own right, and you keep what you both agree on.</p>`
}

/** The part of a person's entry with which their owner gives them away. */
export function giveFields(person: KeptPerson, csrf: string): Markup {
  const { id, name } = person
  return html`${ofAgeNote(person)}
<details><summary>Give ${name} to somebody, or to ${name}</summary>
<form method="post" action="/account/people/give">
<input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="patient" value="${id}">
<p>You get an address to pass on, good once and for three days. Whoever accepts keeps ${name} in their own right, in your place: they ${mayWords.owner}.
They then say who else keeps ${name}, also whether you do. <strong>You cannot take that back</strong>; until they accept, you can take the address back.</p>
<p>Links that you gave away for ${name} and invitations that you made end then. Whoever else keeps ${name} goes on as before.</p>
${roleFields(`give-${id}`, undefined, ofGiver)}
<label class="field" for="give-current-${id}">Your password</label>
<input type="password" id="give-current-${id}" name="current" autocomplete="current-password" required maxlength="256">
<p><button type="submit" class="plain">Make the address</button></p>
</form></details>`
}

/** The page that shows the address of an offer, this once. */
export function newGiftPage({
  url,
  keeps,
}: {
  readonly url: string
  readonly keeps: Keeping | undefined
}): WebResponse {
  return pageResponse({
    title: 'The address to pass on',
    content: html`
<p>Whoever opens this address and accepts keeps the person in their own right, in your place. It works once, for three days, and is shown
<strong>only this once</strong>: pass it on in private, to nobody else.</p>
<p class="secret"><code>${url}</code></p>
<p class="note">${wordsForGiver(keeps)} Until then nothing changes, and you can take the address back on your account page.</p>
<p><a href="/account">Go to my account</a></p>`,
  })
}

function wordsForReceiver(from: string, name: string, keeps: Keeping | undefined): Markup {
  const rest =
    keeps === undefined
      ? html`<strong>${from}</strong> keeps nothing of ${name} from then on.`
      : html`<strong>${from}</strong> goes on keeping ${name} by your invitation, ${wordsOfKeeping(keeps)}.${untilThen(keeps)}`
  return html`<p>If you accept, you keep ${name} in your own right: you can ${mayWords.owner}.</p>
<p>${rest} Whoever else keeps ${name} goes on as before; your account page shows them, and there you change or end it.</p>`
}

/** The page that an offer leads to. */
export function giftPage(view: Omit<Invited, 'as'> & { readonly keeps: Keeping | undefined }): WebResponse {
  const { from, name, keeps, account, problem } = view
  const fault = faultAnswer(problem)
  return pageResponse({
    title: 'Somebody is given to you',
    status: fault.status,
    headers: { ...view.headers, ...fault.headers },
    content: html`
${faultNote(problem)}
<p><strong>${from}</strong> gives you what is kept here of <strong>${name}</strong>.</p>
${wordsForReceiver(from, name, keeps)}
${account === undefined ? newcomerFields(view) : memberFields(view, account, `Accept: ${name} is mine to keep`)}`,
  })
}
