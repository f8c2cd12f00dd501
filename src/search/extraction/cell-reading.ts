import type { Resource } from '#fhir'
import type { Steps } from '#kernel'
import { plain } from '../kinds/entries.ts'
import { printSentences } from '../words/entry.ts'
import { narrativeLanguage, xhtml } from '../words/narrative.ts'
import { isRead, isReadable } from '../words/readable.ts'
import { type Language, languageOf } from '../words/stems.ts'
import { TextReading, TextsReading } from '../words/text-reading.ts'
import { Cell, type Source } from './cell.ts'
import { type KeyReader, type Plan, planOf, truthEntry } from './plan.ts'

/** What the index keeps of a version beside what it says itself. */
export interface OwnMarks {
  /** Whether the same version lies in other compartments too, so that an answer must not show it twice. */
  readonly shared?: boolean | undefined
  /** The account that made the resource, where that decides who sees it. */
  readonly creator?: string | undefined
  /** Ids of the Patients whose a household's row is: it is seen by whoever reaches all of them. */
  readonly named?: readonly string[] | undefined
}

/** What of a resource is read: a question that asks for no words needs none. */
export interface Reads {
  readonly words: boolean
}

type Cells = (Cell | undefined)[]

function cellOf(cells: Cells, source: Source): Cell {
  let cell = cells[source.index]
  if (cell === undefined) cells[source.index] = cell = new Cell(source)
  return cell
}

const noReaders: readonly KeyReader[] = []

/**
 * Reads the values of one resource into cells. Whoever reads a large one says how much of it is read in one go, and goes on; a small
 * one is read at once, without anything that would keep the place.
 */
export class CellReading {
  readonly #resource: Resource
  readonly #plan: Plan
  readonly #own: OwnMarks
  readonly #cells: Cells = []
  readonly #keys: readonly string[]
  readonly #reads: Reads
  /** The element, and which of its readers is to read it next, or is reading it. */
  #key = 0
  #reader = 0
  #reading: Reading | undefined
  #walk: Walk | undefined
  #others: OtherReferences | undefined
  #words: WordsReading | undefined

  constructor(resource: Resource, own: OwnMarks, reads: Reads) {
    this.#reads = reads
    this.#resource = resource
    this.#plan = planOf(resource.resourceType)
    this.#own = own
    this.#keys = Object.keys(resource)
  }

  /**
   * @param most  so much is read in one go: elements of a list, nodes, texts
   * @returns whether all is read
   */
  goOn(most: number): boolean {
    return this.#readElements(most) && this.#goThrough(most) && this.#addOthers(most) && this.#addWords(most)
  }

  /** To be called once all is read. */
  take(): readonly Cell[] {
    const { shared, creator, named = [] } = this.#own
    for (const patient of named) cellOf(this.#cells, this.#plan.named).pushText(patient, 0)
    if (creator !== undefined) cellOf(this.#cells, this.#plan.creator).pushText(creator, 0)
    if (shared === true) cellOf(this.#cells, this.#plan.shared).pushText(truthEntry(true), 0)
    return this.#cells.filter(cell => cell !== undefined)
  }

  #readElements(most: number): boolean {
    for (; this.#key < this.#keys.length; this.#key++) {
      const key = this.#keys[this.#key] as string
      const value = this.#resource[key]
      if (value === null || value === undefined) continue
      const readers = this.#plan.byKey.get(key) ?? noReaders
      for (; this.#reader < readers.length; this.#reader++)
        if (!this.#read(readers[this.#reader] as KeyReader, value, most)) return false
      this.#reader = 0
    }
    return true
  }

  /** An element, or the next part of one that may have many values. @returns whether it has been read */
  #read(reader: KeyReader, value: unknown, most: number): boolean {
    if (most === Number.POSITIVE_INFINITY || typeof value !== 'object') {
      const cell = this.#cellFor(reader)
      reader.read(value, cell)
      this.#put(cell)
      return true
    }
    this.#reading ??= begunWith(this.#cellFor(reader), reader, value)
    const { cell, steps } = this.#reading
    for (let left = most; left > 0; left--) {
      if (steps.next().done !== true) continue
      this.#put(cell)
      this.#reading = undefined
      return true
    }
    return false
  }

  #cellFor({ source }: KeyReader): Cell {
    return this.#cells[source.index] ?? new Cell(source)
  }

  #put(cell: Cell): void {
    if (cell.count > 0) this.#cells[cell.source.index] = cell
  }

  #goThrough(most: number): boolean {
    if (this.#walk === undefined) {
      addStatements(this.#resource, this.#cells, this.#plan)
      this.#walk = new Walk(this.#resource, this.#reads)
    }
    return this.#walk.goOn(most)
  }

  #addOthers(most: number): boolean {
    this.#others ??= new OtherReferences(this.#walk?.references ?? [], this.#cells, this.#plan)
    return this.#others.goOn(most)
  }

  #addWords(most: number): boolean {
    if (!this.#reads.words) return true
    this.#words ??= new WordsReading(this.#resource, this.#walk?.texts ?? [])
    if (!this.#words.goOn(most * charactersEach)) return false
    this.#words.put(this.#cells, this.#plan)
    return true
  }
}

/** An element that is being read, a value at a time. */
interface Reading {
  readonly cell: Cell
  readonly steps: Steps<void>
}

function begunWith(cell: Cell, { readInSteps }: KeyReader, value: unknown): Reading {
  return { cell, steps: readInSteps(value, cell) }
}

function addStatements(resource: Resource, cells: Cells, plan: Plan): void {
  for (const { source, holds } of plan.statements) cellOf(cells, source).pushText(truthEntry(holds(resource)), 0)
}

/** Goes through a resource for the references in it, and the texts that people read, some nodes at a time. */
class Walk {
  readonly references: string[] = []
  readonly texts: string[] = []
  readonly #nodes: object[]
  readonly #reads: Reads
  #at = 0
  /** Of the list that it is at. */
  #item = 0

  constructor(resource: Resource, reads: Reads) {
    this.#nodes = [resource]
    this.#reads = reads
  }

  /** @returns whether it has been everywhere */
  goOn(nodes: number): boolean {
    for (let left = nodes; left > 0 && this.#at < this.#nodes.length; left--) {
      const node = this.#nodes[this.#at] as object
      if (Array.isArray(node) && !this.#nextItem(node)) continue
      if (!Array.isArray(node)) this.#look(node as { readonly [element: string]: unknown })
      this.#at++
    }
    return this.#at === this.#nodes.length
  }

  /** @returns whether it was the last one */
  #nextItem(list: readonly unknown[]): boolean {
    if (this.#item < list.length) this.#add(list[this.#item++])
    if (this.#item < list.length) return false
    this.#item = 0
    return true
  }

  #look(node: { readonly [element: string]: unknown }): void {
    for (const key in node) {
      const value = node[key]
      if (typeof value === 'object') this.#add(value)
      else if (typeof value !== 'string') continue
      else if (key === 'reference') this.references.push(value)
      else if (this.#reads.words && isRead(key, node) && isReadable(value)) this.texts.push(value)
    }
  }

  #add(value: unknown): void {
    if (typeof value === 'object' && value !== null) this.#nodes.push(value)
    else if (typeof value === 'string' && this.#reads.words && isReadable(value)) this.texts.push(value)
  }
}

/** What is read of a text while one element of a list would be: a few words. */
const charactersEach = 16

/** Reads the words of a resource: those of its narrative, and those of everything else that people read. */
class WordsReading {
  readonly #narrative: TextReading | undefined
  readonly #content: TextsReading
  readonly #languages: { readonly narrative: Language; readonly content: Language }
  #isNarrativeRead = false

  constructor({ text, language }: Resource, texts: readonly string[]) {
    const { div } = (text ?? {}) as { readonly div?: unknown }
    const content = languageOf(language)
    const narrative = typeof div === 'string' ? narrativeLanguage(div, language) : content
    this.#languages = { narrative, content }
    this.#narrative = typeof div === 'string' ? new TextReading(div, narrative, xhtml) : undefined
    this.#content = new TextsReading(texts, content)
  }

  /** @returns whether all are read */
  goOn(characters: number): boolean {
    this.#isNarrativeRead ||= this.#narrative?.goOn(characters) ?? true
    return this.#isNarrativeRead && this.#content.goOn(characters)
  }

  put(cells: Cells, { narrative, content }: Plan): void {
    putWords(cells, narrative, this.#narrative?.sentences ?? [], this.#languages.narrative)
    putWords(cells, content, this.#content.sentences, this.#languages.content)
  }
}

function putWords(cells: Cells, source: Source, sentences: readonly string[], language: Language): void {
  if (sentences.length > 0) cellOf(cells, source).pushText(printSentences(sentences, language), 0)
}

/** From so many references on it takes less to gather what is indexed than to look for each. */
const manyReferences = 16

/** References that no parameter covers still lead to resources that the caller may read. */
class OtherReferences {
  readonly #found: readonly string[]
  readonly #cells: Cells
  readonly #plan: Plan
  readonly #isMany: boolean
  /** What is indexed, where it is gathered. */
  readonly #texts: readonly string[]
  readonly #indexed = new Set<string>()
  #gathered = 0
  #at = 0

  constructor(found: readonly string[], cells: Cells, plan: Plan) {
    this.#found = found
    this.#cells = cells
    this.#plan = plan
    this.#isMany = found.length >= manyReferences
    this.#texts = !this.#isMany ? [] : plan.references.flatMap(index => cells[index]?.texts ?? [])
  }

  /** @returns whether all are added */
  goOn(most: number): boolean {
    return this.#gather(most) && this.#add(most)
  }

  #gather(most: number): boolean {
    const until = Math.min(this.#texts.length, this.#gathered + most)
    for (; this.#gathered < until; this.#gathered++) {
      const text = this.#texts[this.#gathered] as string
      this.#indexed.add(text.split('\u001f', 1)[0] ?? text)
    }
    return until === this.#texts.length
  }

  #add(most: number): boolean {
    const until = Math.min(this.#found.length, this.#at + most)
    for (; this.#at < until; this.#at++) this.#addOne(plain(this.#found[this.#at] as string))
    return until === this.#found.length
  }

  #addOne(text: string): void {
    if (text === '' || text.startsWith('#') || this.#isIndexed(text)) return
    cellOf(this.#cells, this.#plan.otherReferences).pushText(text, 0)
  }

  #isIndexed(text: string): boolean {
    if (this.#isMany) return this.#indexed.has(text)
    return this.#plan.references.some(index =>
      this.#cells[index]?.texts.some(each => each === text || each.startsWith(`${text}\u001f`)),
    )
  }
}
