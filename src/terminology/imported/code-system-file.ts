import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { spend } from '#kernel'
import type { CodingFact, ConceptProperty, Designation } from '../definitions.ts'
import type { CodeSystem, Concept } from '../systems/code-system.ts'
import type { ImportedHead } from './layout.ts'

/** What a question to the file takes, in values compared. */
const workOfQuestion = 300

const questions = {
  byCode: 'SELECT id, code, display, definition, inactive, abstract FROM concept WHERE code = ?',
  byCaselessCode: 'SELECT id, code, display, definition, inactive, abstract FROM concept WHERE code = ? COLLATE NOCASE',
  all: 'SELECT id, code, display, definition, inactive, abstract FROM concept ORDER BY id',
  parents: 'SELECT code FROM link JOIN concept ON id = above WHERE below = ? ORDER BY id',
  children: 'SELECT code FROM link JOIN concept ON id = below WHERE above = ? ORDER BY id',
  designations: 'SELECT language, use, value FROM designation WHERE concept = ? ORDER BY rowid',
  properties: 'SELECT code, value FROM property WHERE concept = ? ORDER BY rowid',
  isBelow: `WITH RECURSIVE up (id) AS (SELECT above FROM link WHERE below = (SELECT id FROM concept WHERE code = ?1)
      UNION SELECT above FROM link JOIN up ON below = up.id)
    SELECT 1 FROM up WHERE id = (SELECT id FROM concept WHERE code = ?2)`,
  below: `WITH RECURSIVE down (id) AS (SELECT below FROM link WHERE above = (SELECT id FROM concept WHERE code = ?)
      UNION SELECT below FROM link JOIN down ON above = down.id)
    SELECT concept.id, code, display, definition, inactive, abstract FROM down JOIN concept ON concept.id = down.id
    ORDER BY concept.id`,
  words: `SELECT id, code, display, definition, inactive, abstract FROM word JOIN concept ON id = word.rowid
    WHERE word MATCH ? ORDER BY id`,
} as const

type Question = keyof typeof questions

/** A row as SQLite tells it. */
type Row = ReturnType<StatementSync['iterate']> extends Iterable<infer R> ? R : never

const textIn = (row: Row, column: string): string => String(row[column])
const textOrNone = (row: Row, column: string): string | undefined =>
  row[column] === null ? undefined : String(row[column])

/** A code system in a file of a shelf: each question reads what it needs; a file is never changed once it has its name. */
export class CodeSystemFile implements CodeSystem {
  readonly url: string
  readonly version: string
  readonly name: string
  readonly isCaseSensitive: boolean
  readonly isComplete = true
  readonly isSubsumptive = true
  readonly properties: ReadonlySet<string>
  readonly #types: ImportedHead['properties']
  readonly #database: DatabaseSync
  readonly #statements = new Map<Question, StatementSync>()

  constructor(path: string, { url, version, name, properties, isCaseSensitive }: ImportedHead) {
    this.url = url
    this.version = version
    this.name = name
    this.isCaseSensitive = isCaseSensitive
    this.properties = new Set(Object.keys(properties))
    this.#types = properties
    this.#database = new DatabaseSync(path, { readOnly: true })
  }

  find(code: string): Concept | undefined {
    const [row] = this.#ask(this.isCaseSensitive ? 'byCode' : 'byCaselessCode', code)
    return row === undefined ? undefined : this.#concept(row)
  }

  /** All of them, read as they are asked for. */
  get concepts(): Iterable<Concept> {
    return this.#listed('all')
  }

  isBelow(below: string, above: string): boolean {
    return this.#ask('isBelow', below, above).length > 0
  }

  conceptsBelow(code: string): Iterable<Concept> {
    return this.#listed('below', code)
  }

  /** Words are put in quotation marks, so that nothing of them is taken for a question in the language of the index. */
  conceptsNamed(words: readonly string[]): Iterable<Concept> {
    return this.#listed('words', words.map(word => `"${word.replaceAll('"', '""')}"*`).join(' '))
  }

  close(): void {
    this.#database.close()
  }

  *#listed(question: Question, ...values: readonly string[]): Generator<Concept> {
    // Each list has a statement of its own: two of them may be gone through at the same time.
    for (const row of this.#database.prepare(questions[question]).iterate(...values)) {
      spend('work', workOfQuestion)
      yield this.#concept(row)
    }
  }

  #ask(question: Question, ...values: readonly (string | number)[]): readonly Row[] {
    spend('work', workOfQuestion)
    const known = this.#statements.get(question)
    const statement = known ?? this.#database.prepare(questions[question])
    if (known === undefined) this.#statements.set(question, statement)
    return statement.all(...values)
  }

  /** What lies in other tables is read when it is asked for: most questions are about the code alone. */
  #concept(row: Row): Concept {
    const id = Number(row.id)
    const codesOf = (question: Question) => this.#ask(question, id).map(each => textIn(each, 'code'))
    const file = this
    return {
      code: textIn(row, 'code'),
      display: textOrNone(row, 'display'),
      definition: textOrNone(row, 'definition'),
      isInactive: row.inactive === 1,
      isAbstract: row.abstract === 1,
      get parents() {
        return codesOf('parents')
      },
      get children() {
        return codesOf('children')
      },
      get designations() {
        return file.#ask('designations', id).map(designationOf)
      },
      get properties() {
        return file.#ask('properties', id).map(each => file.#property(each))
      },
    }
  }

  #property(row: Row): ConceptProperty {
    const [code, value] = [textIn(row, 'code'), textIn(row, 'value')]
    return this.#types[code] === 'code' ? { code, valueCode: value } : { code, valueString: value }
  }
}

function designationOf(row: Row): Designation {
  const [language, use] = [textOrNone(row, 'language'), textOrNone(row, 'use')]
  return {
    ...(language === undefined ? {} : { language }),
    ...(use === undefined ? {} : { use: codingOf(use) }),
    value: textIn(row, 'value'),
  }
}

/** A text, or `system|code|display`. */
function codingOf(use: string): CodingFact {
  const [system, code, display] = use.split('|')
  return code === undefined ? { display: use } : { system, code, ...(display === undefined ? {} : { display }) }
}
