import { printJson, type Resource } from '#fhir'
import type { Steps } from '#kernel'
import { isOlder, stampsOf, type Version, withStampsOf } from '../fhir/versions.ts'
import { type Node, settled } from '../hl7v2/drafts.ts'
import { asVitalSign, withUnknowns } from '../measures/vital-signs.ts'
import { type Outcome, rowName, type WriteMode } from '../outcome.ts'
import type { FhirContext } from '../read-context.ts'
import { reasonTexts } from '../reasons.ts'
import { type Around, absence, conceptOf, identifiersOf, referredText, timeOf } from './data-types.ts'
import { type CdaElement, unreadIn } from './element.ts'
import { partyOf } from './people.ts'
import type { Section } from './read-document.ts'
import { ccdaTables, type EntryRow, type SectionRow, sectionRow } from './tables.ts'

/** What is known of a document while its entries are mapped. */
export interface DocumentFacts {
  readonly context: FhirContext
  /** For times that carry no offset. */
  readonly zone: string
  /** When the document was written, an instant. */
  readonly version: Version
  readonly saidMs: number | undefined
  /** Which facts have which id in this document: what lies about a number is told apart. */
  readonly ids: Map<string, string>
  /** Whoever is described once and named by number afterwards. */
  readonly people: Map<string, CdaElement>
  /** Places that were told. */
  readonly told: Set<string>
}

/** How a resource is kept under its id. */
export interface Keeping {
  readonly mode?: WriteMode
  /** Instead of the ids of the element. */
  readonly identity?: readonly string[]
  /** What is kept of the version that stands. Pure. */
  readonly keeping?: (stored: Resource, anew: Resource) => Resource
}

type Mapped = Extract<Outcome, { kind: 'mapped' }>

/** Elements that tell two facts apart where their numbers do not. */
const factual = [
  'code',
  'type',
  'medicationCodeableConcept',
  'medicationReference',
  'vaccineCode',
  'effectiveDateTime',
  'effectivePeriod',
  'occurrenceDateTime',
  'performedDateTime',
  'performedPeriod',
  'onsetDateTime',
  'period',
  'relationship',
  'description',
] as const

/** Maps a clinical statement; gives `Type/id` of what it became. */
export type Dispatch = (scene: Scene, statement: CdaElement) => Steps<string | undefined>

/** One entry while it is mapped. The first resource that it gives stands for its row. */
export class Scene implements Around {
  readonly facts: DocumentFacts
  readonly section: Section | undefined
  readonly sectionRow: SectionRow | undefined
  readonly zone: string
  readonly outcomes: Outcome[] = []
  readonly #row: string
  readonly #dispatch: Dispatch
  readonly #rejected: Extract<Outcome, { kind: 'rejected' }>[] = []
  #hasRow = false

  constructor(facts: DocumentFacts, section: Section | undefined, row: string, dispatch: Dispatch) {
    this.facts = facts
    this.section = section
    this.sectionRow = section && sectionRow(section.element)
    this.zone = facts.zone
    this.#row = row
    this.#dispatch = dispatch
  }

  get row(): string {
    return this.#row
  }

  get subject(): { readonly reference: string } {
    return this.facts.context.subject
  }

  /**
   * Keeps a resource under the numbers of an element.
   *
   * @param elements  with drafts for what is contained
   * @returns         `Type/id`; undefined when it would not be valid
   */
  keep(type: string, element: CdaElement, elements: Node, keeping: Keeping = {}): string | undefined {
    const { context, version, saidMs } = this.facts
    const whole = settled({ identifier: identifiersOf(element), ...elements })
    const id = this.#idOf(type, element, whole, keeping)
    const stamps = stampsOf(version)
    const meta = { source: context.source, ...(stamps.length === 0 ? {} : { extension: stamps }) }
    const said: Resource = { resourceType: type, id, meta, ...whole }
    const resource = { ...(type === 'Observation' ? withUnknowns(asVitalSign(said)) : said), id }
    const { resource: valid, left } = context.validPart?.(resource) ?? { resource, left: [] }
    for (const place of left) this.warn(`${this.#row}: ${place} would not be valid FHIR R4 and was left out.`)
    if (valid === undefined) {
      this.reject('not-valid', type)
      return undefined
    }
    this.#push({
      kind: 'mapped',
      row: this.#row,
      resource: { ...valid, id },
      mode: keeping.mode ?? 'upsert',
      ...(keeping.mode === 'merge' ? {} : { over: overOf(version, keeping.keeping) }),
      isValid: true,
      saidMs,
    })
    return `${type}/${id}`
  }

  /** Pushes what became of the entry; only the first counts as its row. */
  #push(outcome: Mapped): void {
    this.outcomes.push(this.#hasRow ? { ...outcome, rows: 0 } : outcome)
    this.#hasRow = true
  }

  /** A change to what is there already. */
  amend(outcome: Extract<Outcome, { kind: 'amend' }>): void {
    const { saidMs } = this.facts
    this.outcomes.push({ ...outcome, row: this.#row, saidMs, ...(this.#hasRow ? { rows: 0 } : {}) })
    this.#hasRow = true
  }

  /** Nothing came of the entry, or of a part of it. */
  reject(reason: Extract<Outcome, { kind: 'rejected' }>['reason'], expression: string): void {
    this.#rejected.push({ kind: 'rejected', row: this.#row, reason, expression })
  }

  warn(text: string): void {
    this.outcomes.push({ kind: 'warning', text })
  }

  /** The row that the entry is, if nothing came of it, and what of it nothing has read. */
  finish(entry: CdaElement): readonly Outcome[] {
    const [first, ...others] = this.#rejected
    const parts = this.#hasRow ? this.#rejected : others
    if (!this.#hasRow) this.outcomes.push(first ?? { kind: 'unmapped', row: this.#row })
    for (const { reason, expression } of parts)
      this.warn(`${this.#row}: of a part of it nothing was taken, ${expression}: ${reasonTexts[reason]}`)
    if (this.#hasRow) for (const place of unreadIn(entry)) this.tellUnread(place)
    return this.outcomes
  }

  /** Each place once: a document may have it in every entry. */
  tellUnread(place: string): void {
    const { told } = this.facts
    if (told.has(place) || told.size >= mostPlaces) return
    told.add(place)
    this.outcomes.push({ kind: 'unread', place, location: place })
  }

  #idOf(type: string, element: CdaElement, whole: Node, { identity, mode }: Keeping): string {
    const { context, ids } = this.facts
    const { fingerprint } = context
    const facts = printJson(factual.map(name => whole[name] ?? null))
    const number = identity ?? numberOf(element)
    if (number === undefined) return fingerprint('cda', type, 'facts', printJson(whole))
    const own = type === 'Observation' ? [printJson(whole.code ?? null)] : []
    const id = fingerprint('cda', type, ...number, ...own)
    const known = ids.get(id)
    if (known === undefined && ids.size < mostIds) ids.set(id, facts)
    // Documents that give two things one number are met; what is said of one thing twice is one.
    const isOther = known !== undefined && known !== facts && mode !== 'merge' && identity === undefined
    return isOther ? fingerprint('cda', type, ...number, ...own, facts) : id
  }

  /** Author of an element: the last one, and the first time. One that is a number alone stands for whoever had it before. */
  authorOf(element: CdaElement): { readonly who: ReturnType<typeof partyOf>; readonly at: string | undefined } {
    const authors = element.all('author')
    const times = authors.flatMap(author => timeOf(author.find('time'), this) ?? [])
    const parties = authors.map(author => this.party(author.find('assignedAuthor')))
    return { who: parties.findLast(one => one !== undefined), at: times.toSorted()[0] }
  }

  /** Author of a statement, else of the concern in which it stands; another author of that stays unread. */
  authorWithin(element: CdaElement, concern: CdaElement | undefined): ReturnType<Scene['authorOf']> {
    const own = this.authorOf(element)
    if (concern === undefined) return own
    if (own.who === undefined || own.at === undefined) {
      const { who, at } = this.authorOf(concern)
      return { who: own.who ?? who, at: own.at ?? at }
    }
    const numbers = new Set(element.at('author.assignedAuthor').map(keyOfRole))
    for (const author of concern.all('author'))
      if (author.at('assignedAuthor').every(one => numbers.has(keyOfRole(one)))) author.use('all')
    return own
  }

  /** Whoever has a role; see `partyOf`. */
  party(role: CdaElement | undefined): ReturnType<typeof partyOf> {
    const known = role && this.#knownAs(role)
    if (known === undefined) return partyOf(role, this)
    role?.use('all')
    return partyOf(known, this)
  }

  /** The description of whoever is only a number here. */
  #knownAs(role: CdaElement): CdaElement | undefined {
    const { people } = this.facts
    const key = keyOfRole(role)
    if (key === undefined) return undefined
    if (!isDescribed(role)) return people.get(key)
    notePerson(people, role)
    return undefined
  }

  /** Parties of the performers, and of whoever else is named so. */
  performersOf(element: CdaElement): readonly NonNullable<ReturnType<typeof partyOf>>[] {
    return element.all('performer').flatMap(performer => this.party(performer.find('assignedEntity')) ?? [])
  }

  /** The text of an entry as its narrative. */
  narrative(element: CdaElement): Node {
    const text = referredText(element.find('text'), this)
    return text === undefined ? {} : { text: narrativeOfText(text) }
  }

  /** Comments on an element, as notes. */
  notesOf(element: CdaElement): Node {
    const comments = nested(element).filter(isComment)
    const note = comments.flatMap(comment => {
      const text = referredText(comment.find('text'), this)
      const { at } = this.authorOf(comment)
      comment.find('code')?.use('all')
      useStatus(comment)
      return text === undefined ? [] : [{ text, ...(at === undefined ? {} : { time: at }) }]
    })
    return note.length === 0 ? {} : { note }
  }

  /** Maps a statement by itself; gives `Type/id`. */
  map(statement: CdaElement): Steps<string | undefined> {
    return this.#dispatch(this, statement)
  }

  /**
   * Maps what is nested in a statement and was not made a part of it, as entries of their own.
   *
   * @returns `Type/id` of each
   */
  *rest(statement: CdaElement, parts: readonly CdaElement[] = []): Steps<readonly string[]> {
    const known = new Set(parts)
    const others = nested(statement).filter(one => !known.has(one) && !one.is(commentTemplate))
    const found = yield* eachOf(others, one => this.map(one))
    return found.filter(one => one !== undefined)
  }

  /** A code, or that there is none. */
  codeOrAbsence(element: CdaElement | undefined): Node {
    const concept = conceptOf(element, this)
    return (concept ?? absence(element?.nullFlavor)) as Node
  }
}

/** Does one after the other, each in its steps. */
export function* eachOf<T, R>(all: readonly T[], work: (one: T) => Steps<R>): Steps<R[]> {
  const results: R[] = []
  for (const one of all) results.push(yield* work(one))
  return results
}

const mostPeople = 10_000
/** Beyond these a document that gives two things one number is not found out. */
const mostIds = 500_000
const mostPlaces = 1000
const commentTemplate = '2.16.840.1.113883.10.20.22.4.64'
const commentCode = '48767-8'

function overOf(version: Version, keeping: Keeping['keeping']): NonNullable<Mapped['over']> {
  return (stored, anew) => {
    if (isOlder(version, stored)) return undefined
    return withStampsOf(stored, keeping === undefined ? anew : keeping(stored, anew))
  }
}

/** A number that is one thing's: a root without an extension may be that of a whole house, unless it is a UUID; without a root it may be anybody's. */
function numberOf(element: CdaElement): readonly string[] | undefined {
  for (const id of element.all('id')) {
    const [root = '', extension] = [id.attribute('root'), id.attribute('extension')]
    if (extension !== undefined && root !== '') return [root, extension]
    if (/^[0-9a-f-]{36}$/i.test(root)) return [root.toLowerCase(), '']
  }
  return undefined
}

/** Remembers whoever is described with a number: the first description counts. */
export function notePerson(people: Map<string, CdaElement>, role: CdaElement): void {
  const key = keyOfRole(role)
  if (key !== undefined && isDescribed(role) && !people.has(key) && people.size < mostPeople) people.set(key, role)
}

function keyOfRole(role: CdaElement): string | undefined {
  return role
    .all('id')
    .map(keyOfId)
    .find(one => one !== undefined)
}

function isDescribed(role: CdaElement): boolean {
  return role.children.some(({ name }) => /Person$|Device$|Organization$/.test(name))
}

function keyOfId(id: CdaElement): string | undefined {
  const [root, extension] = [id.attribute('root'), id.attribute('extension')]
  // The root of a register is everybody's, and one whose number is not known is nobody's.
  const isNobodys = id.nullFlavor !== undefined || (extension === undefined && ccdaTables().registers.has(root ?? ''))
  return root === undefined || isNobodys ? undefined : `${root} ${extension ?? ''}`
}

/** Words on what they stand in. */
export function isComment(element: CdaElement): boolean {
  return element.is(commentTemplate) || codeOf(element) === commentCode
}

export function codeOf(element: CdaElement): string | undefined {
  return element.find('code')?.attribute('code')
}

/** Clinical statements that an element leads to, in entryRelationships and components. */
export function nested(element: CdaElement): readonly CdaElement[] {
  return element.all('entryRelationship', 'component').flatMap(one => one.children.filter(isStatement))
}

const statements: ReadonlySet<string> = new Set([
  'act',
  'encounter',
  'observation',
  'observationMedia',
  'organizer',
  'procedure',
  'regionOfInterest',
  'substanceAdministration',
  'supply',
])

export function isStatement({ name }: CdaElement): boolean {
  return statements.has(name)
}

/** A subject that is named is somebody else than the patient of the header: a relative, a fetus, a donor. */
export function namesSubject(element: CdaElement): boolean {
  return element.find('subject')?.children.some(({ name }) => name !== 'templateId') === true
}

/** Whether a statement says something, and says it of the patient. */
export function isOfPatient(statement: CdaElement): boolean {
  return statement.nullFlavor === undefined && !namesSubject(statement)
}

/** What is nested, by a template or by its code. What is denied, or said of somebody else, is no part of what it stands in. */
export function nestedOf(element: CdaElement, template: string, code?: string): readonly CdaElement[] {
  const isIt = (one: CdaElement) => one.is(template) || (code !== undefined && codeOf(one) === code)
  return nested(element).filter(one => isIt(one) && isOfPatient(one) && one.attributes.negationInd !== 'true')
}

/** What every template has fixed says nothing more: its status, its time and its code are those of what it is nested in. */
export function useStatus(element: CdaElement): void {
  for (const name of ['statusCode', 'id']) for (const one of element.all(name)) one.use()
}

/** Text as a narrative: https://hl7.org/fhir/R4/narrative.html */
export function narrativeOfText(text: string): Node {
  const escaped = text.replace(/[&<>"]/g, sign => `&#${sign.charCodeAt(0)};`)
  return { status: 'additional', div: `<div xmlns="http://www.w3.org/1999/xhtml"><p>${escaped}</p></div>` }
}

/** The name of a row: what its section and its template are called. */
export function rowOf(statement: CdaElement | undefined, row: EntryRow | undefined, section: SectionRow | undefined) {
  const words = row?.text ?? (section === undefined ? '' : `${section.text} `) + (statement?.name ?? 'entry')
  return rowName(words.replace(/[^A-Za-z0-9]+/g, '-'))
}
