import { type Keeping, type Role, viewerCategories } from '#access'
import { html, type Markup } from '#web'
import { invitedRoles } from '../family/as-what.ts'

/** A day as it is written on pages, UTC. */
export function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

/** The last day of a keeping, which ends at its end. */
export function lastDay(untilMs: number): string {
  return day(untilMs - 1)
}

/** What somebody may do in a role. */
export const mayWords: Readonly<Record<Role, string>> = {
  owner: 'do everything with what is kept of this person, and share and erase it',
  guardian:
    'see, add and change all that is kept of this person, and let apps in; but not invite others, take anybody off, erase the person, or merge them with another',
  member: 'see all that is kept of this person and add to it; but not change or delete anything',
  viewer: 'see what is chosen, and nothing else',
}

const shortWords: Readonly<Record<Role, string>> = {
  owner: 'in their own right',
  guardian: 'as a guardian, who sees and changes all',
  member: 'as a member, who sees all and adds',
  viewer: 'as a viewer',
}

/** The labels of the kinds that a viewer sees, as one text. */
function labelsOf({ categories = [] }: Keeping): string {
  const labels = categories.flatMap(name => viewerCategories[name]?.label.toLowerCase() ?? [])
  return labels.length === 0 ? 'nothing but who they are' : labels.join('; ')
}

/** As what, what is seen, and until when. */
export function wordsOfKeeping(keeping: Keeping): string {
  const seen = keeping.role === 'viewer' ? `, who sees: ${labelsOf(keeping)}` : ''
  const until = keeping.untilMs === undefined ? '' : `, until ${lastDay(keeping.untilMs)}`
  return `${shortWords[keeping.role]}${seen}${until}`
}

/** For whom it is that is invited. */
export function wordsForInvited(keeping: Keeping): Markup {
  const seen = keeping.role === 'viewer' && html`: ${labelsOf(keeping)}`
  const until =
    keeping.untilMs !== undefined && html` This ends by itself after <strong>${lastDay(keeping.untilMs)}</strong>.`
  return html`<p>You can ${mayWords[keeping.role]}${seen}.${until}</p>`
}

/** Whom the fields of a role are about: what is asked, and how each choice begins. */
interface Asked {
  readonly question: string
  readonly who: string
  /** What it means to keep nothing, where that can be chosen; it is chosen beforehand. */
  readonly nothing?: string
}

const ofInvited: Asked = { question: 'What may they do?', who: 'They' }

/** For who gives a person away: what they keep. */
export const ofGiver: Asked = {
  question: 'What do you keep?',
  who: 'You',
  nothing:
    'Nothing: you see nothing of this person any more, and apps that you let in for this person alone lose their access.',
}

/** Asks as what somebody keeps a person, and until when. `key` makes the ids of fields differ on one page. */
export function roleFields(key: string, now: Keeping | undefined, asked = ofInvited): Markup {
  const until = now?.untilMs === undefined ? '' : lastDay(now.untilMs)
  return html`${roleChoice(now, asked)}
<label class="field" for="until-${key}">The last day of it, if it is to end by itself</label>
<input type="date" id="until-${key}" name="until" value="${until}">`
}

/** Asks as what alone. */
export function roleChoice(now: Keeping | undefined, { question, who, nothing } = ofInvited): Markup {
  const chosen = now?.role ?? (nothing === undefined ? 'member' : undefined)
  const names = now?.role === 'viewer' ? (now.categories ?? []) : []
  return html`<fieldset><legend>${question}</legend>
${nothing !== undefined && html`<label><input type="radio" name="role" value="nothing" required checked>${nothing}</label>`}
${invitedRoles.map(role => html`<label><input type="radio" name="role" value="${role}" required${role === chosen && html` checked`}>${who} ${mayWords[role]}.</label>`)}
</fieldset>
<fieldset><legend>Of who only sees what is chosen: what is it?</legend>
${Object.entries(viewerCategories).map(([name, { label }]) => html`<label><input type="checkbox" name="category" value="${name}"${names.includes(name) && html` checked`}>${label}</label>`)}
</fieldset>`
}
