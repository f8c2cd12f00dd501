import type { Steps } from '#kernel'
import type { Place } from '../expressions/elements.ts'
import { parseExpression } from '../expressions/parse.ts'
import type { ElementPath, PathStep, Statement } from '../expressions/paths.ts'
import { elementPaths, statementOf } from '../expressions/paths.ts'
import { printToken } from '../kinds/entries.ts'
import { componentsOf, type SearchParameter, searchParametersOf } from '../parameters.ts'
import type { Cell, Source, SourceKind, Storage } from './cell.ts'
import { type WrittenKind, writeInSteps, writers } from './values.ts'

/** A source as one parameter sees it: `patient` is `subject` where it points to a Patient. */
export interface SourceUse {
  readonly index: number
  readonly resolves: string | undefined
}

/** One focus of a composite, e.g. `Observation.component`, and where each component finds its values. */
export interface CompositeFocus {
  readonly components: readonly CompositeComponent[]
}

export interface CompositeComponent {
  readonly kind: Exclude<WrittenKind, 'position'>
  readonly uses: readonly SourceUse[]
  /** Whether its values must lie in the same element (`component[1]`) as those of the other bound components. */
  readonly bound: boolean
}

type Reader = (value: unknown, cell: Cell, group: number) => void

/** What one top-level JSON key contributes. */
export interface KeyReader {
  readonly source: Source
  readonly read: (value: unknown, cell: Cell) => void
  /** The same, a value at a time. */
  readonly readInSteps: (value: unknown, cell: Cell) => Steps<void>
}

/** How resources of one type become rows; made once per type, at the first resource or query. */
export interface Plan {
  readonly type: string
  readonly sources: readonly Source[]
  readonly sourceByKey: ReadonlyMap<string, Source>
  readonly byKey: ReadonlyMap<string, readonly KeyReader[]>
  readonly statements: readonly { readonly source: Source; readonly holds: (resource: object) => boolean }[]
  readonly uses: ReadonlyMap<string, readonly SourceUse[]>
  readonly composites: ReadonlyMap<string, readonly CompositeFocus[]>
  /** Sources that hold references, the one for references beyond all parameters included. */
  readonly references: readonly number[]
  readonly otherReferences: Source
  /** Has a value in rows that lie in other compartments too. */
  readonly shared: Source
  /** Of rows in the commons: the account that made the resource. */
  readonly creator: Source
  /** Of rows in households: the ids of the Patients whose they are. */
  readonly named: Source
  /** The words of the narrative, and those of everything else. */
  readonly narrative: Source
  readonly content: Source
}

interface Node {
  readonly [element: string]: unknown
}

function passes(step: PathStep, element: unknown, index: number): boolean {
  if (step.index !== undefined && step.index !== index) return false
  if (step.filter === undefined) return true
  return typeof element === 'object' && element !== null && (element as Node)[step.filter.name] === step.filter.value
}

function each(value: unknown, step: PathStep, use: (element: unknown, index: number) => void): void {
  if (!Array.isArray(value)) {
    if (passes(step, value, 0)) use(value, 0)
    return
  }
  // Lists of primitives have null where an element has only extensions.
  for (let i = 0; i < value.length; i++) if (value[i] !== null && passes(step, value[i], i)) use(value[i], i)
}

function* eachInSteps(
  value: unknown,
  step: PathStep,
  use: (element: unknown, index: number) => Steps<void>,
): Steps<void> {
  for (const [index, element] of Array.isArray(value) ? value.entries() : [[0, value] as const]) {
    yield
    if ((element !== null || !Array.isArray(value)) && passes(step, element, index)) yield* use(element, index)
  }
}

/** Reads the rest of a path below an element that lies at `place`. */
function below(steps: readonly PathStep[], at: number, place: Place, kind: WrittenKind): Reader {
  const step = steps[at]
  const { write } = writers[kind]
  if (step === undefined) return (value, cell, group) => write(value, place, cell, group)
  const branches = step.places.map(next => ({ key: next.key, read: below(steps, at + 1, next, kind) }))
  return (value, cell, group) => {
    if (typeof value !== 'object' || value === null) return
    for (const { key, read } of branches) {
      const child = (value as Node)[key]
      if (child !== undefined) each(child, step, element => read(element, cell, group))
    }
  }
}

/** What is written of elements of one kind at one place, into which cell, and for which element of a backbone. */
interface Writing {
  readonly place: Place
  readonly kind: WrittenKind
  readonly cell: Cell
  readonly group: number
}

function* belowInSteps(steps: readonly PathStep[], at: number, value: unknown, writing: Writing): Steps<void> {
  const { place, kind, cell, group } = writing
  const step = steps[at]
  if (step === undefined) return yield* writeInSteps(kind, value, { place, cell, group })
  if (typeof value !== 'object' || value === null) return
  for (const next of step.places) {
    const child = (value as Node)[next.key]
    const use = (element: unknown) => belowInSteps(steps, at + 1, element, { ...writing, place: next })
    if (child !== undefined) yield* eachInSteps(child, step, use)
  }
}

function fromTop(path: ElementPath, place: Place, kind: WrittenKind, grouped: boolean): Omit<KeyReader, 'source'> {
  const [first] = path.steps as [PathStep]
  const read = below(path.steps, 1, place, kind)
  return {
    read: (value, cell) => each(value, first, (element, at) => read(element, cell, grouped ? at : 0)),
    readInSteps: (value, cell) =>
      eachInSteps(value, first, (element, at) =>
        belowInSteps(path.steps, 1, element, { place, kind, cell, group: grouped ? at : 0 }),
      ),
  }
}

function valuesAt(node: unknown, steps: readonly PathStep[]): readonly unknown[] {
  const [step, ...rest] = steps
  if (step === undefined) return [node]
  const found: unknown[] = []
  for (const place of step.places) {
    const child = (node as Node)[place.key]
    if (child !== undefined) each(child, step, element => found.push(...valuesAt(element, rest)))
  }
  return found
}

function truthOf(statement: Statement): (resource: object) => boolean {
  return resource =>
    statement.exists.every(path => valuesAt(resource, path.steps).length > 0) &&
    statement.differs.every(({ path, value }) => valuesAt(resource, path.steps).every(found => String(found) !== value))
}

const urlTypes: ReadonlySet<string> = new Set(['canonical', 'uri'])

/** Whether a path leads to URLs instead of References. */
function isCanonical({ steps }: ElementPath): boolean {
  const places = steps.at(-1)?.places ?? []
  return places.length > 0 && places.every(({ type }) => urlTypes.has(type))
}

const own: ReadonlySet<string> = new Set(['_id', '_lastUpdated'])

class PlanBuilder {
  readonly type: string
  readonly #sources = new Map<string, Source>()
  readonly #byKey = new Map<string, KeyReader[]>()
  readonly #focusKeys: ReadonlySet<string>
  readonly #uses = new Map<string, readonly SourceUse[]>()
  readonly #composites = new Map<string, readonly CompositeFocus[]>()
  readonly #statements: { source: Source; holds: (resource: object) => boolean }[] = []
  readonly #references: number[] = []

  constructor(type: string, parameters: readonly SearchParameter[]) {
    this.type = type
    this.#focusKeys = focusKeys(type, parameters)
  }

  #source(key: string, kind: SourceKind, { grouped = false, canonical = false } = {}): Source {
    const known = this.#sources.get(key)
    if (known !== undefined) return known
    const source = { key, index: this.#sources.size, kind, storage: storageOf(kind), grouped, canonical }
    this.#sources.set(key, source)
    if (kind === 'reference') this.#references.push(source.index)
    return source
  }

  #use(path: ElementPath, kind: WrittenKind): SourceUse {
    const [first] = path.steps
    const top = first?.places[0]?.key ?? ''
    const grouped = this.#focusKeys.has(top)
    const key = `${kind}:${path.text}`
    const isNew = !this.#sources.has(key)
    const canonical = kind === 'reference' && isCanonical(path)
    const source = this.#source(key, kind, { grouped, canonical })
    if (isNew) for (const place of first?.places ?? []) this.#read(place, source, fromTop(path, place, kind, grouped))
    return { index: source.index, resolves: path.resolves }
  }

  #read(place: Place, source: Source, reader: Omit<KeyReader, 'source'>): void {
    const readers = this.#byKey.get(place.key)
    if (readers === undefined) this.#byKey.set(place.key, [{ source, ...reader }])
    else readers.push({ source, ...reader })
  }

  #paths(paths: readonly ElementPath[], kind: WrittenKind): readonly SourceUse[] {
    return paths.filter(path => path.steps.at(-1)?.places.length !== 0).map(path => this.#use(path, kind))
  }

  #composite(parameter: SearchParameter, expression: string): void {
    const foci = elementPaths(parseExpression(expression), this.type)
    const components = componentsOf(parameter)
    this.#composites.set(
      parameter.name,
      foci.map(focus => ({
        components: components.map(component => {
          const kind = component.parameter.type as CompositeComponent['kind']
          const paths = elementPaths(parseExpression(component.expression), this.type, focus)
          const bound = focus.steps.length > 0 && !paths.some(path => path.absolute)
          return { kind, bound, uses: this.#paths(paths, kind) }
        }),
      })),
    )
  }

  add(parameter: SearchParameter): void {
    const { expression, name, type } = parameter
    if (expression === undefined || own.has(name)) return
    if (type === 'composite') {
      this.#composite(parameter, expression)
      return
    }
    const tree = parseExpression(expression)
    // Of what is special only a place is an element.
    const kind = type === 'special' ? 'position' : type
    const statement = statementOf(tree, this.type)
    if (statement === undefined) this.#uses.set(name, this.#paths(elementPaths(tree, this.type), kind))
    else this.#state(name, kind, statement)
  }

  #state(name: string, kind: WrittenKind, statement: Statement): void {
    const source = this.#source(`${kind}:=${name}`, kind)
    this.#statements.push({ source, holds: truthOf(statement) })
    this.#uses.set(name, [{ index: source.index, resolves: undefined }])
  }

  build(): Plan {
    const otherReferences = this.#source('reference:*', 'reference')
    const shared = this.#source('token:*shared', 'token')
    const creator = this.#source('token:*creator', 'token')
    const named = this.#source('token:*named', 'token')
    const narrative = this.#source('words:*narrative', 'words')
    const content = this.#source('words:*content', 'words')
    this.#uses.set('_text', [wholly(narrative)])
    this.#uses.set('_content', [wholly(narrative), wholly(content)])
    return {
      type: this.type,
      sources: [...this.#sources.values()],
      sourceByKey: this.#sources,
      byKey: this.#byKey,
      statements: this.#statements,
      uses: this.#uses,
      composites: this.#composites,
      references: this.#references,
      otherReferences,
      shared,
      creator,
      named,
      narrative,
      content,
    }
  }
}

function wholly({ index }: Source): SourceUse {
  return { index, resolves: undefined }
}

function storageOf(kind: SourceKind): Storage {
  return kind === 'words' ? 'text' : writers[kind].storage
}

/** The repeating elements that composites of a type look into, e.g. `component`. */
function focusKeys(type: string, parameters: readonly SearchParameter[]): ReadonlySet<string> {
  const keys = new Set<string>()
  for (const { type: kind, expression } of parameters) {
    if (kind !== 'composite' || expression === undefined) continue
    for (const path of elementPaths(parseExpression(expression), type)) {
      const key = path.steps[0]?.places[0]?.key
      if (key !== undefined) keys.add(key)
    }
  }
  return keys
}

const plans = new Map<string, Plan>()

function makePlan(type: string): Plan {
  const parameters = searchParametersOf(type)
  const builder = new PlanBuilder(type, parameters)
  for (const parameter of parameters) builder.add(parameter)
  const plan = builder.build()
  plans.set(type, plan)
  return plan
}

/**
 * The plan of a resource type, from all its search parameters.
 *
 * @throws Problem `fault` · `search.expression-unknown` when a parameter's expression is beyond the compiled subset
 */
export function planOf(type: string): Plan {
  return plans.get(type) ?? makePlan(type)
}

/** The token entry of a true statement such as `deceased`. */
export function truthEntry(holds: boolean): string {
  return printToken({ codings: [{ system: '', code: String(holds), display: '' }], text: '', types: [] })
}
