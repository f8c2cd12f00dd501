import type { Problem } from '#kernel'
import { faultAnswer, faultNote, html, type Markup, pageResponse, type WebResponse } from '#web'
import type { Client } from '../clients/clients.ts'
import type { Offer } from '../consent/choices.ts'
import type { Person } from '../consent/people.ts'
import type { ScopeRequest } from '../scopes.ts'
import { wordsOfTarget } from './target.ts'
import { deeds, durations, wordsOfSelf, wordsOfTerm } from './words.ts'

export interface ConsentView {
  readonly csrf: string
  /** The sealed authorize request. */
  readonly request: string
  readonly client: Client
  readonly redirectUri: string
  readonly accountName: string
  readonly scopes: ScopeRequest
  readonly offers: readonly Offer[]
  /** Undefined when no patient must be chosen. */
  readonly people?: readonly Person[]
  /** All whose data the account keeps. */
  readonly everybody: readonly Person[]
  /** Offered for `fhirUser`: which of the people is the one who sits here. */
  readonly selves?: readonly Person[]
  readonly self?: string
  readonly problem?: Problem
}

function label(person: Person): string {
  return person.birthDate === undefined ? person.name : `${person.name}, born ${person.birthDate}`
}

function peopleFields(people: readonly Person[] | undefined): Markup {
  if (people === undefined) return html``
  if (people.length === 0)
    return html`<p class="note">Your account keeps nobody's data yet, so there is nothing to share. Add a person on your
<a href="/account">account page</a> first.</p>`
  return html`<fieldset><legend>Whose data?</legend>
${people.map(person => html`<label><input type="radio" name="patient" value="${person.id}" required${people.length === 1 && html` checked`}>${label(person)}</label>`)}
</fieldset>`
}

function deedFields(offer: Offer): readonly Markup[] {
  const asked = deeds.filter(deed => deed.verbs.some(verb => offer.term.verbs.has(verb)))
  return asked.map(
    deed =>
      html`<label><input type="checkbox" name="${offer.deedField}" value="${deed.name}" checked>may ${deed.words} it</label>`,
  )
}

function choiceFields(offer: Offer): Markup {
  if (offer.choices.length === 0) return html``
  return html`<details><summary>Share only some of it</summary><div class="inner">
<label><input type="checkbox" name="${offer.onlyField}" value="limit">Only what I tick here:</label>
${offer.choices.map(choice => html`<label class="inner"><input type="checkbox" name="${offer.onlyField}" value="${choice.term.text}">${choice.label}</label>`)}
</div></details>`
}

const reach: Readonly<Record<string, string>> = {
  patient: '',
  user: ' – of everybody in your account',
  system: '',
}

/** Who "everybody in your account" is today. */
function everybody(view: ConsentView): Markup {
  const reachesAll = view.offers.some(offer => offer.term.level === 'user')
  if (!reachesAll || view.everybody.length === 0) return html``
  const names = view.everybody.map((person, at) => html`${at > 0 && ', '}<strong>${person.name}</strong>`)
  return html`<p class="note">The app asks for data of everybody in your account: today ${names}, what you keep for your household as a whole, and people whom you add later.</p>`
}

function offerFields(offer: Offer): Markup {
  return html`<fieldset><legend>${wordsOfTerm(offer.term)}${reach[offer.term.level]}</legend>
${deedFields(offer)}${choiceFields(offer)}</fieldset>`
}

function selfFields(view: ConsentView): Markup {
  if (view.selves === undefined) return html``
  return html`<fieldset><legend>The app asks who you are. Which of these people are you?</legend>
<p>It then knows which of them you are, and may read ${wordsOfSelf} of that person – now and in earlier versions –, nothing else.</p>
${view.selves.map(person => html`<label><input type="radio" name="self" value="${person.id}"${person.id === view.self && html` checked`}>${label(person)}</label>`)}
<label><input type="radio" name="self" value=""${view.self === undefined && html` checked`}>I do not want to say</label>
</fieldset>`
}

function durationFields(scopes: ScopeRequest): Markup {
  if (!scopes.words.has('offline_access'))
    return html`<p>The app keeps this access for <strong>one hour</strong>. Then it has to ask you again.</p>`
  return html`<label class="field" for="duration">For how long?</label>
<select id="duration" name="duration">
${durations.map(each => html`<option value="${each.name}"${each.name === 'half-year' && html` selected`}>${each.words}</option>`)}
</select>
<p class="note">The app asks to keep its access while you are not using it, so it can fetch new data in the background.
You can end that at any time on your <a href="/account">account page</a>.</p>`
}

/**
 * The redirect after the form may lead on to further addresses of the app, and browsers hold each against the policy. A policy has no
 * word for an IPv6 address, so that a browser would not go to `http://[::1]`: there the scheme stands.
 *
 * @see https://www.w3.org/TR/CSP3/#grammardef-host-part
 */
function formTargets(redirectUri: string): readonly string[] {
  const { protocol, origin, hostname } = new URL(redirectUri)
  if (protocol === 'https:') return ['https:']
  return ['https:', origin === 'null' || hostname.startsWith('[') ? protocol : origin]
}

/** The page on which a person decides what an app gets. */
export function consentPage(view: ConsentView): WebResponse {
  const nothing = view.people?.length === 0
  return pageResponse({
    title: 'An app asks for access',
    ...faultAnswer(view.problem),
    formTargets: formTargets(view.redirectUri),
    content: html`
${faultNote(view.problem)}
<p>The app <strong>${view.client.name}</strong> asks for access to health data that <strong>${view.accountName}</strong> keeps here.
${view.client.isOwn === true ? html`It is the page on which this server's own interface can be tried, and the access stays in your browser.` : html`It will be reached ${wordsOfTarget(view.redirectUri)}, and there you are sent whatever you decide. Nobody has checked who made this app.`}</p>
<form method="post" action="/auth/consent">
<input type="hidden" name="csrf" value="${view.csrf}">
<input type="hidden" name="request" value="${view.request}">
${peopleFields(view.people)}
${view.offers.length > 0 && html`<h2>What may it do?</h2><p>Untick whatever you do not want.</p>`}
${everybody(view)}${view.offers.map(offerFields)}
${view.scopes.words.has('openid') && html`<p>The app learns that you logged in here, and recognises you when you come back.</p>`}
${selfFields(view)}
${durationFields(view.scopes)}
<p>${!nothing && html`<button type="submit" name="decision" value="allow">Allow</button>`}
<button type="submit" name="decision" value="deny" class="plain" formnovalidate>Do not allow</button></p>
</form>`,
  })
}
