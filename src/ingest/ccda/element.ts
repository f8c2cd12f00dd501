import { rowName } from '../outcome.ts'

/**
 * An element of a document: its local name, and what stands in it in its order. Whoever makes use of it says so; what has a value
 * and nobody used is told in the report.
 */
export class CdaElement {
  readonly name: string
  /** By local name, but for `xsi:type`. */
  readonly attributes: Readonly<Record<string, string>>
  readonly content: (string | CdaElement)[] = []
  #used = false

  constructor(name: string, attributes: Readonly<Record<string, string>> = {}) {
    this.name = name
    this.attributes = attributes
  }

  get children(): readonly CdaElement[] {
    return this.content.filter(one => typeof one !== 'string')
  }

  /** An attribute without the blanks around it; `undefined` when it is absent or says nothing. */
  attribute(name: string): string | undefined {
    const value = this.attributes[name]?.trim()
    return value === '' ? undefined : value
  }

  all(...names: readonly string[]): readonly CdaElement[] {
    return this.children.filter(({ name }) => names.includes(name))
  }

  /** The first of the elements that a path of names leads to: `participantRole.playingEntity.code`. */
  find(path: string): CdaElement | undefined {
    return this.at(path)[0]
  }

  /** All elements that a path of names leads to. */
  at(path: string): readonly CdaElement[] {
    let found: readonly CdaElement[] = [this]
    for (const name of path.split('.')) found = found.flatMap(one => one.all(name))
    return found
  }

  get nullFlavor(): string | undefined {
    return this.attribute('nullFlavor')
  }

  /** Whether it is an instance of a template, whatever its version. */
  is(...templates: readonly string[]): boolean {
    return this.all('templateId').some(({ attributes }) => templates.includes(attributes.root ?? ''))
  }

  /** Its own value was made use of; `all`: whatever stands in it, too. */
  use(what: 'own' | 'all' = 'own'): this {
    this.#used = true
    if (what === 'all') for (const child of this.children) child.use('all')
    return this
  }

  get isUsed(): boolean {
    return this.#used
  }
}

/** All text of an element, in its order, with single blanks. Characters beyond `longestText` are left out. */
export function textOf(element: CdaElement | undefined): string {
  if (element === undefined) return ''
  const parts: string[] = []
  gather(element, parts, { left: longestText })
  return parts.join(' ').replace(/\s+/g, ' ').trim()
}

/** What stands in an element itself, whole and as it is: a file in base64. */
export function ownTextOf({ content }: CdaElement): string {
  return content.filter(one => typeof one === 'string').join('')
}

/** A narrative that an entry points to is a few lines; the whole of a long one is in the document. */
const longestText = 20_000

function gather(element: CdaElement, parts: string[], room: { left: number }): void {
  if (element.name === 'br') parts.push('\n')
  for (const one of element.content) {
    if (room.left <= 0) return
    if (typeof one !== 'string') gather(one, parts, room)
    else {
      parts.push(one.slice(0, room.left))
      room.left -= one.length
    }
  }
}

/** Attributes that say how an element is built and not what it says. */
const structural: ReadonlySet<string> = new Set([
  'classCode',
  'moodCode',
  'typeCode',
  'determinerCode',
  'contextControlCode',
  'contextConductionInd',
  'inversionInd',
  'independentInd',
  'nullFlavor',
  'xsi:type',
  'schemaLocation',
  'ID',
  'use',
  'displayable',
  'styleCode',
  'institutionSpecified',
  'operator',
])
const structuralElements: ReadonlySet<string> = new Set(['templateId', 'realmCode', 'typeId'])

/** Places of what has a value and was not used: the last names that lead to each, `act.author.time`. */
export function unreadIn(element: CdaElement): readonly string[] {
  const places = new Set<string>()
  visit(element, [], places)
  return [...places]
}

const namesTold = 4

function visit(element: CdaElement, above: readonly string[], places: Set<string>): void {
  if (structuralElements.has(element.name)) return
  const path = [...above, rowName(element.name)]
  if (!element.isUsed && saysSomething(element)) places.add(rowName(path.slice(-namesTold).join('.')))
  for (const child of element.children) visit(child, path, places)
}

function saysSomething({ attributes, content }: CdaElement): boolean {
  if (content.some(one => typeof one === 'string')) return true
  return Object.entries(attributes).some(([name, value]) => {
    if (name === 'negationInd') return value === 'true'
    return !structural.has(name) && !name.startsWith('xmlns') && value.trim() !== ''
  })
}
