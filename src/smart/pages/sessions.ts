import Bowser from 'bowser'
import { html, type Markup } from '#web'
import type { SessionSummary } from '../accounts/browsers.ts'

function time(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}

/** What a browser called itself, in words; it may have said anything. */
function wordsOfAgent(agent: string | undefined): string {
  const { browser, os } = Bowser.parse(agent === undefined || agent === '' ? 'nothing' : agent)
  const [what, where] = [browser.name, os.name]
  if (what === undefined || what === '') return 'An unknown browser'
  return where === undefined || where === '' ? what : `${what} on ${where}`
}

function entry(session: SessionSummary, own: string, csrf: string): Markup {
  const isOwn = session.id === own
  return html`<fieldset><legend>${wordsOfAgent(session.agent)}${isOwn && ' (this one)'}</legend>
<p>Since ${time(session.startedAtMs)}, last used about ${time(session.seenAtMs)}${session.network !== undefined && html`, begun from <code>${session.network}</code>`}.</p>
${
  !isOwn &&
  html`<form method="post" action="/account/sessions">
<input type="hidden" name="csrf" value="${csrf}">
<button type="submit" name="session" value="${session.id}" class="plain">Log this browser out</button>
</form>`
}</fieldset>`
}

/** The browsers in which an account is logged in, each with its end. */
export function sessionFields(sessions: readonly SessionSummary[], own: string, csrf: string): Markup {
  return html`<h2>Browsers that are logged in</h2>
${sessions.map(session => entry(session, own, csrf))}
${
  sessions.length > 1 &&
  html`<form method="post" action="/account/sessions">
<input type="hidden" name="csrf" value="${csrf}">
<p><button type="submit" name="session" value="others" class="plain">Log all other browsers out</button></p>
</form>`
}`
}
