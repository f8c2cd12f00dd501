import type { Grant } from '#access'
import { containedIn, isResourceType, parseReference, parseStored, printJson, type Resource } from '#fhir'
import { giveWay, isProblem, Problem, spend } from '#kernel'
import type { Stored } from '#record'
import { evaluateOnItems } from '../fhirpath/evaluator.ts'
import { textsOf } from './check.ts'
import { type Chosen, choose } from './chosen.ts'
import type { Question } from './document.ts'
import { at, type Path } from './faults.ts'
import { type Field, fieldOf, isOfType, type Position, resourcePosition, typeNameOf } from './fields.ts'
import { Output } from './output.ts'
import { type Connection, connected, listed, type Searcher, searchOf } from './searching.ts'

type Tree = { readonly [name: string]: unknown }

/** What fields are taken from. */
export interface Focus {
  readonly position: Position
  readonly tree: Tree
  /** The resource in which it lies, where `#id` is looked for. */
  readonly root: Tree
}

/** One value of a field: a scalar, or what fields are taken from. */
type Item = { readonly scalar: unknown } | Focus

interface Resolved {
  readonly type: string
  readonly items: readonly Item[]
  readonly isList: boolean
  readonly showsEmpty?: boolean
}

/** How the fields of a selection are named and put together in the answer. */
interface Into {
  readonly output: Output
  /** Appended to each name, by slices that are flattened. */
  readonly suffix: string
  /** Under a list that is flattened everything becomes a list. */
  readonly asLists: boolean
  readonly path: Path
}

/** The resource of a root, if its position is one that is kept. */
export function focusOf(resource: Resource): Focus {
  const tree = resource as Tree
  return { position: resourcePosition(resource.resourceType, true), tree, root: tree }
}

/** Answers one question, which was checked. */
export class Execution {
  private readonly question: Question
  private readonly by: Searcher
  /** What was read, so that a resource that many refer to is read once. */
  private readonly read = new Map<string, Promise<Resource>>()
  private readonly chosen = new Map<unknown, Map<string, readonly Chosen[]>>()

  constructor(question: Question, by: Searcher) {
    this.question = question
    this.by = by
  }

  /**
   * The object that `data` holds.
   *
   * @throws Problem `unprocessable` · `graphql.reference-unresolved`, `graphql.types-differ`, `graphql.not-single`; `not-found`, `gone`,
   *   `forbidden`, `too-costly`
   */
  async run(focus: Focus): Promise<object> {
    const { operation } = this.question
    const output = new Output()
    const fields = this.fieldsOf(operation, [operation.selectionSet], focus.position)
    await this.select(focus, fields, { output, suffix: '', asLists: false, path: [] })
    return output.toObject()
  }

  private fieldsOf(owner: unknown, sets: Chosen['sets'], position: Position): readonly Chosen[] {
    const known = this.chosen.get(owner) ?? new Map<string, readonly Chosen[]>()
    this.chosen.set(owner, known)
    const name = typeNameOf(position)
    const fields = known.get(name) ?? choose(sets, position, this.question)
    known.set(name, fields)
    return fields
  }

  private async select(focus: Focus, fields: readonly Chosen[], into: Into): Promise<void> {
    const pause = giveWay()
    if (pause !== undefined) await pause
    for (const chosen of fields) {
      const field = fieldOf(focus.position, chosen.name)
      if (field === undefined) continue
      const path = [...into.path, chosen.key]
      try {
        await this.complete(focus, field, chosen, { ...into, path })
      } catch (error) {
        throw isProblem(error) ? at({ loc: chosen.node.loc, path }, error) : error
      }
    }
  }

  private async complete(focus: Focus, field: Field, chosen: Chosen, into: Into): Promise<void> {
    const { how, key, node } = chosen
    const resolved = await this.resolve(focus, field, chosen)
    const items = how.first ? resolved.items.slice(0, 1) : resolved.items
    const suffixes = await suffixesOf(items, chosen, into.suffix, this.by.grant)
    if (how.flatten) return this.flatten(items, suffixes, resolved.isList || into.asLists, chosen, into)
    const isList = !how.singleton && (resolved.isList || into.asLists || how.slice !== undefined)
    const place = { loc: node.loc, path: into.path }
    const put = (suffix: string, values: readonly unknown[]) => {
      const { type, showsEmpty = false } = resolved
      into.output.add({ key: key + suffix, type, values, isList, showsEmpty: showsEmpty && isList }, place)
    }
    if (how.slice === undefined) return put(into.suffix, await this.shown(items, chosen, into.path))
    for (const [at, item] of items.entries()) put(suffixes[at] ?? '', await this.shown([item], chosen, into.path))
  }

  /** The children of a field stand in its place. */
  private async flatten(
    items: readonly Item[],
    suffixes: readonly string[],
    asLists: boolean,
    chosen: Chosen,
    into: Into,
  ): Promise<void> {
    for (const [at, item] of items.entries()) {
      if ('scalar' in item) continue
      const fields = this.fieldsOf(chosen, chosen.sets, item.position)
      await this.select(item, fields, { ...into, suffix: suffixes[at] ?? '', asLists })
    }
  }

  private async shown(items: readonly Item[], chosen: Chosen, path: Path): Promise<readonly unknown[]> {
    const values: unknown[] = []
    for (const item of items)
      values.push('scalar' in item ? charged(item.scalar) : await this.object(item, chosen, path))
    return values
  }

  private async object(focus: Focus, chosen: Chosen, path: Path): Promise<object> {
    spend('answered', chosen.key.length + 2)
    const output = new Output()
    const fields = this.fieldsOf(chosen, chosen.sets, focus.position)
    await this.select(focus, fields, { output, suffix: '', asLists: false, path })
    return output.toObject()
  }

  private resolve(focus: Focus, field: Field, chosen: Chosen): Promise<Resolved> | Resolved {
    switch (field.kind) {
      case 'typename':
        return scalar('string', typeNameOf(focus.position))
      case 'scalar':
        return { type: field.type, isList: field.isList, items: scalarsIn(focus.tree[field.name]) }
      case 'element':
        return this.elements(focus, field, chosen)
      case 'inner':
        return this.inner(focus, field, chosen)
      case 'target':
        return this.target(focus, chosen)
      case 'read':
        return this.named(field.type, chosen)
      case 'list':
        return this.list(focus, field, chosen)
      case 'connection':
        return this.connection(focus, field, chosen)
      case 'edges':
        return {
          type: 'edge',
          isList: true,
          showsEmpty: true,
          items: fociIn(focus.tree.edges, focus, () => ({ kind: 'edge', type: field.type })),
        }
      case 'node':
        return { type: field.type, isList: false, items: [focusOf(focus.tree.resource as Resource)] }
    }
  }

  private async elements(focus: Focus, field: Field & { readonly kind: 'element' }, chosen: Chosen): Promise<Resolved> {
    const { name, shape, isList, targets } = field
    const all = fociIn(focus.tree[name], focus, () => ({ kind: 'element', shape, stored: false, targets }))
    return {
      type: shape.type + shape.path,
      isList,
      items: await within(all, chosen, [shape.type, shape.path], this.by.grant),
    }
  }

  private async inner(
    focus: Focus,
    { name, isList }: Field & { readonly kind: 'inner' },
    chosen: Chosen,
  ): Promise<Resolved> {
    const all = fociIn(focus.tree[name], focus, tree => positionOf(tree, false))
    return { type: 'Resource', isList, items: await within(all, chosen, ['Resource', ''], this.by.grant) }
  }

  private async target(focus: Focus, { args }: Chosen): Promise<Resolved> {
    const types = args.get('type')
    const wanted = types === undefined ? undefined : textsOf(types)
    const none = { type: 'Resource', isList: false, items: [] }
    const found = await this.referred(focus, wanted)
    if (found === 'other') return none
    if (found !== undefined) return { ...none, items: [found] }
    if (args.get('optional') === true) return none
    throw new Problem(
      'unprocessable',
      'graphql.reference-unresolved',
      'A reference leads to nothing within reach. With resource(optional: true) it is left out.',
    )
  }

  /** What a reference leads to; `other` where that is of another type than is wanted, undefined where it leads nowhere. */
  private async referred(
    { tree, root }: Focus,
    wanted: readonly string[] | undefined,
  ): Promise<Focus | 'other' | undefined> {
    const { reference } = tree
    if (typeof reference !== 'string') return undefined
    const { kind, type = '', id = '' } = parseReference(reference, this.by.baseUrl)
    if (kind === 'fragment') return withinOf(id, root, wanted)
    if (kind !== 'local') return undefined
    if (wanted?.includes(type) === false) return 'other'
    try {
      return focusOf(await this.resource(type, id))
    } catch (error) {
      if (isProblem(error, 'not-found') || isProblem(error, 'gone') || isProblem(error, 'forbidden')) return undefined
      throw error
    }
  }

  private resource(type: string, id: string): Promise<Resource> {
    const name = `${type}/${id}`
    const reading = this.read.get(name) ?? this.by.reader.read(type, id).then(({ json }) => parseStored(json))
    this.read.set(name, reading)
    return reading
  }

  private async named(type: string, { args }: Chosen): Promise<Resolved> {
    return { type, isList: false, items: [focusOf(await this.resource(type, String(args.get('id'))))] }
  }

  private async list(focus: Focus, field: Field & { readonly kind: 'list' }, chosen: Chosen): Promise<Resolved> {
    const { type, isReverse } = field
    const search = searchOf(chosen, type, isReverse ? nameOf(focus.tree) : undefined, this.by)
    const found = await foundOf(await listed(search, chosen, this.by))
    return { type, isList: true, showsEmpty: true, items: await matching(found, chosen, type, this.by.grant) }
  }

  private async connection(
    focus: Focus,
    field: Field & { readonly kind: 'connection' },
    chosen: Chosen,
  ): Promise<Resolved> {
    const { type, isReverse } = field
    const search = searchOf(chosen, type, isReverse ? nameOf(focus.tree) : undefined, this.by)
    const position = { kind: 'connection', type } as const
    const isCounted = this.fieldsOf(chosen, chosen.sets, position).some(({ name }) => name === 'count')
    const found = await connected(search, chosen, this.by, isCounted)
    const matches = await matching(await foundOf(found.page.matches), chosen, type, this.by.grant)
    return { type: 'connection', isList: false, items: [{ position, tree: connectionTree(found, matches), root: {} }] }
  }
}

function connectionTree({ page, offset, size }: Connection, matches: readonly Focus[]): Tree {
  const { total: count, first, previous, next } = page
  const edges = matches.map(({ tree }) => ({ mode: 'match', resource: tree }))
  return withoutUndefined({ count, offset, pagesize: size, first, previous, next, edges })
}

function withoutUndefined(tree: Tree): Tree {
  return Object.fromEntries(Object.entries(tree).filter(([, value]) => value !== undefined))
}

/** To take elements from them they are parsed: others have their turn in between. */
async function foundOf(matches: readonly Stored[]): Promise<readonly Focus[]> {
  const found: Focus[] = []
  for (const { json } of matches) {
    found.push(focusOf(await parseStored(json)))
    const pause = giveWay()
    if (pause !== undefined) await pause
  }
  return found
}

function nameOf({ resourceType, id }: Tree): string {
  return `${String(resourceType)}/${String(id)}`
}

function withinOf(id: string, root: Tree, wanted: readonly string[] | undefined): Focus | 'other' | undefined {
  const tree = id === '' ? root : containedIn(root, id)
  const position = tree === undefined ? undefined : positionOf(tree, false)
  if (tree === undefined || position === undefined) return undefined
  return wanted?.some(type => isOfType(position, type)) === false ? 'other' : { position, tree, root }
}

function positionOf({ resourceType }: Tree, stored: boolean): Position | undefined {
  return typeof resourceType === 'string' && isResourceType(resourceType)
    ? resourcePosition(resourceType, stored)
    : undefined
}

function scalar(type: string, value: unknown): Resolved {
  return { type, isList: false, items: [{ scalar: value }] }
}

function scalarsIn(value: unknown): readonly Item[] {
  if (value === undefined) return []
  return Array.isArray(value) ? value.map(each => ({ scalar: each as unknown })) : [{ scalar: value }]
}

function fociIn(value: unknown, around: Focus, positionFor: (tree: Tree) => Position | undefined): readonly Focus[] {
  const trees = Array.isArray(value) ? (value as readonly unknown[]) : [value]
  return trees.flatMap(tree => {
    if (typeof tree !== 'object' || tree === null) return []
    const position = positionFor(tree as Tree)
    return position === undefined ? [] : [{ position, tree: tree as Tree, root: around.root }]
  })
}

/** Those of a list that its arguments leave. @see https://hl7.org/fhir/R4/graphql.html#arguments */
async function within(
  foci: readonly Focus[],
  chosen: Chosen,
  [type, path]: readonly [string, string],
  grant: Grant,
): Promise<readonly Focus[]> {
  const { args } = chosen
  const filters = [...args].filter(([name]) => !ownArguments.has(name))
  const fitting = foci.filter(({ tree }) => filters.every(([name, value]) => isAmong(tree[name], textsOf(value))))
  const found = await matching(fitting, chosen, path === '' ? type : `${type}.${path}`, grant)
  const from = Number(args.get('_offset') ?? 0)
  const count = args.get('_count')
  return found.slice(from, count === undefined ? undefined : from + Number(count))
}

const ownArguments: ReadonlySet<string> = new Set(['fhirpath', '_offset', '_count'])

function isAmong(value: unknown, texts: readonly string[]): boolean {
  const values = Array.isArray(value) ? (value as readonly unknown[]) : [value]
  return values.some(each => each !== undefined && each !== null && texts.includes(String(each)))
}

/** Those for which the argument `fhirpath` is true, where it is given. */
async function matching(
  foci: readonly Focus[],
  { args }: Chosen,
  base: string,
  grant: Grant,
): Promise<readonly Focus[]> {
  const expression = args.get('fhirpath')
  if (typeof expression !== 'string' || foci.length === 0) return foci
  const answers = await evaluateOnItems(expression, base, printJson(foci.map(({ tree }) => tree)), grant)
  return foci.filter((_, at) => answers[at] === true)
}

/** What a slice appends to names, for each of its items. */
async function suffixesOf(
  items: readonly Item[],
  { how }: Chosen,
  suffix: string,
  grant: Grant,
): Promise<readonly string[]> {
  if (how.slice === undefined) return items.map(() => suffix)
  if (how.slice === '$index') return items.map((_, at) => `${suffix}.${at}`)
  const foci = items.flatMap(item => ('scalar' in item ? [] : [item]))
  const [first] = foci
  if (first === undefined) return items.map(() => suffix)
  const answers = await evaluateOnItems(how.slice, baseOf(first), printJson(foci.map(({ tree }) => tree)), grant)
  return answers.map(answer => (answer === undefined ? suffix : `${suffix}.${String(answer)}`))
}

function baseOf({ position }: Focus): string {
  if (position.kind !== 'element') return ''
  const { type, path } = position.shape
  return path === '' ? type : `${type}.${path}`
}

/** What a value adds to the answer; one narrative may be asked for under many names. */
function charged(value: unknown): unknown {
  spend('answered', typeof value === 'string' ? value.length + 3 : 8)
  return value
}
