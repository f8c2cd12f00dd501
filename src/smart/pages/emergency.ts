import { faultAnswer, faultNote, html, type Markup, pageResponse, type WebResponse } from '#web'
import { waitDays } from '../family/as-what.ts'
import type { Emergency } from '../family/emergencies.ts'
import { emergencyDays, type Stage, wordsOfEmergency } from '../family/emergency.ts'
import type { Contact, KeptPerson, MayAsk } from '../family/view.ts'
import { type Invited, memberFields, newcomerFields } from './invitation.ts'
import { lastDay, mayWords, roleChoice } from './roles.ts'

/** A moment as it is written on pages, UTC. */
function moment(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ', ')} (UTC)`
}

/** The page that shows the address to pass on, this once. */
export function newContactPage({
  url,
  ...wanted
}: { readonly url: string } & Pick<Emergency, 'as' | 'waitMs'>): WebResponse {
  return pageResponse({
    title: 'The address to pass on',
    content: html`
<p>Whoever opens this address and accepts sees nothing of the person by that, but may ask to keep them in an emergency. It works once, for
three days, and is shown <strong>only this once</strong>: pass it on in private.</p>
<p class="secret"><code>${url}</code></p>
<p class="note">They keep the person ${wordsOfEmergency(wanted)}. When they ask, your account page says so: there you say no.</p>
<p><a href="/account">Go to my account</a></p>`,
  })
}

/** The page that such an address leads to. */
export function contactPage(view: Invited & Pick<Emergency, 'waitMs'>): WebResponse {
  const { from, name, as, account, problem } = view
  const fault = faultAnswer(problem)
  return pageResponse({
    title: 'For an emergency',
    status: fault.status,
    headers: { ...view.headers, ...fault.headers },
    content: html`
${faultNote(problem)}
<p><strong>${from}</strong> names you as somebody who can keep the health data of <strong>${name}</strong> in an emergency.</p>
<p>You see nothing by that. You may ask on your account page, and keep ${name} for ${emergencyDays} days, ${wordsOfEmergency(view, 'you')}. You can then ${mayWords[as.role]}.</p>
${account === undefined ? newcomerFields(view) : memberFields(view, account, 'Be there in an emergency')}`,
  })
}

function hiddenFields(csrf: string, patient: string): Markup {
  return html`<input type="hidden" name="csrf" value="${csrf}"><input type="hidden" name="patient" value="${patient}">`
}

function askedNote({ id, name }: KeptPerson, contact: Contact, stage: Stage, csrf: string): Markup {
  if (stage.is === 'quiet') return html``
  const when =
    stage.is === 'waiting'
      ? html`If nobody says no before <strong>${moment(stage.opensAtMs)}</strong>, they can.`
      : html`Nobody has said no, so they can at any moment until ${moment(stage.untilMs)}.`
  return html`<form method="post" action="/account/emergencies/refuse" class="note">
<p><strong>${contact.name}</strong> has asked to keep ${name} in an emergency, ${wordsOfEmergency(contact)}. ${when}</p>
${hiddenFields(csrf, id)}
<p><button type="submit" name="contact" value="${contact.account}">Say no</button></p>
</form>`
}

/** What was asked for of a person, to whoever may say no. */
export function askedNotes(person: KeptPerson, csrf: string): Markup {
  return html`${person.contacts.map(each => askedNote(person, each, each.stage, csrf))}`
}

function contactEntry({ id, name }: KeptPerson, contact: Contact, csrf: string): Markup {
  return html`<li><form method="post" action="/account/emergencies/end">
<strong>${contact.name}</strong> may ask to keep ${name} in an emergency, ${wordsOfEmergency(contact)}.
${hiddenFields(csrf, id)}
<button type="submit" name="contact" value="${contact.account}" class="plain">End that</button>
</form></li>`
}

const waitWords = (days: number) => `${days} ${days === 1 ? 'day' : 'days'}`

/** The part of a person's entry with which their owner says who may ask. */
export function contactFields(person: KeptPerson, csrf: string): Markup {
  const { id, name, contacts } = person
  return html`${contacts.length > 0 && html`<ul>${contacts.map(each => contactEntry(person, each, csrf))}</ul>`}
<details><summary>Name somebody for an emergency of ${name}</summary>
<form method="post" action="/account/emergencies">
${hiddenFields(csrf, id)}
<p>You get an address to pass on. Whoever accepts sees nothing by that. When they ask, this page says so, and you or ${name} can say no; if nobody does in
time, they keep ${name} for ${emergencyDays} days, and you can end that at any moment.</p>
<label class="field" for="wait-${id}">For how long can you say no?</label>
<select id="wait-${id}" name="wait">${waitDays.map(days => html`<option value="${days}"${days === 7 && html` selected`}>${waitWords(days)}</option>`)}</select>
${roleChoice(undefined)}
<label class="field" for="emergency-current-${id}">Your password</label>
<input type="password" id="emergency-current-${id}" name="current" autocomplete="current-password" required maxlength="256">
<p><button type="submit" class="plain">Make the address</button></p>
</form></details>`
}

function stageFields({ patient, name, stage }: MayAsk, csrf: string): Markup {
  if (stage.is === 'waiting')
    return html`<p>You have asked. If nobody says no, you can from ${moment(stage.opensAtMs)} on.</p>`
  if (stage.is === 'open')
    return html`<form method="post" action="/account/emergencies/open">${hiddenFields(csrf, patient)}
<p>You have asked, and nobody has said no. You can until ${moment(stage.untilMs)}.</p>
<p><button type="submit">Keep ${name} for ${emergencyDays} days</button></p></form>`
  return html`<details><summary>Ask to keep ${name}</summary>
<form method="post" action="/account/emergencies/ask">${hiddenFields(csrf, patient)}
<label class="field" for="ask-current-${patient}">Your password</label>
<input type="password" id="ask-current-${patient}" name="current" autocomplete="current-password" required maxlength="256">
<p><button type="submit" class="plain">Ask</button></p></form></details>`
}

function mayAskEntry(each: MayAsk, account: string, csrf: string): Markup {
  return html`<li><strong>${each.by}</strong> has named you for an emergency of ${each.name}: you may ask to keep them ${wordsOfEmergency(each, 'you')}.
${each.keptUntilMs === undefined ? stageFields(each, csrf) : html`<p>You keep ${each.name} until ${lastDay(each.keptUntilMs)}.</p>`}
<form method="post" action="/account/emergencies/end">${hiddenFields(csrf, each.patient)}
<button type="submit" name="contact" value="${account}" class="plain">I do not want to be there for that any more</button>
</form></li>`
}

/** Whom an account may ask to keep. */
export function mayAskFields(all: readonly MayAsk[], account: string, csrf: string): Markup {
  if (all.length === 0) return html``
  return html`<h2>In an emergency</h2>
<ul>${all.map(each => mayAskEntry(each, account, csrf))}</ul>`
}
