/** One judge per wall: what an import, a file name or a graph does wrong, in words that say where to go. */
import { posix } from 'node:path'
import { builtins, composition, cryptography, dataFolders, mappingsReader, packages, roomPlan } from './plan.ts'
import { type Import, importsOf, placeOf, type SourceFile, unknownSpecifier } from './source.ts'

/** The fault of one import, if it has any. */
export type Judge = (file: SourceFile, one: Import) => string | undefined

/** Faults as `file:line what`, so that a failing check says where to go. */
export function faultsOf(files: readonly SourceFile[], judge: Judge): string[] {
  const faults: string[] = []
  for (const file of files)
    for (const one of importsOf(file)) {
      const fault = judge(file, one)
      if (fault !== undefined) faults.push(`${file.path}:${one.line} ${fault}`)
    }
  return faults
}

export function allowedRooms(place: string): readonly string[] | undefined {
  return roomPlan(place)?.mayImport ?? composition[place]
}

export function isRelative({ specifier }: Import): boolean {
  return specifier.startsWith('.')
}

export function targetOf(file: SourceFile, { specifier }: Import): string {
  return posix.normalize(posix.join(posix.dirname(file.path), specifier))
}

/** Rooms below, and only those the plan names. */
export function judgeRoom(file: SourceFile, { specifier }: Import): string | undefined {
  if (!specifier.startsWith('#')) return undefined
  const room = specifier.slice(1)
  if (room.includes('/')) return `reaches behind the door of ${specifier}`
  if (room === file.place) return `enters its own room through ${specifier}; use a relative import`
  if (allowedRooms(file.place)?.includes(room)) return undefined
  return `imports ${specifier}; ${file.place} may import ${allowedRooms(file.place)?.join(' ') || 'nothing'}`
}

/** Inside the room, or data. */
export function judgeRelative(file: SourceFile, one: Import): string | undefined {
  if (!isRelative(one)) return undefined
  const target = targetOf(file, one)
  if (dataFolders.some(folder => target.startsWith(folder))) return undefined
  if (target.startsWith('mappings/') && file.place === mappingsReader) return undefined
  if (placeOf(target) === file.place) return undefined
  return `leaves its room through ${one.specifier}; only \`#room\` leads elsewhere`
}

/** Packages and builtins. */
export function judgeOutside(file: SourceFile, { specifier }: Import): string | undefined {
  if (specifier.startsWith('#') || specifier.startsWith('.')) return undefined
  if (specifier === unknownSpecifier) return 'imports what only running it would tell'
  if (specifier.startsWith('node:')) return judgeBuiltin(file.place, specifier)
  const name = packageOf(specifier)
  const rooms = packages[name]
  if (rooms === undefined) return `imports ${name}, which has no row in test/house/plan.ts`
  return rooms.includes(file.place) ? undefined : `imports ${name}; only ${rooms.join(' ')} may`
}

function judgeBuiltin(place: string, specifier: string): string | undefined {
  const rooms = builtins[specifier.split('/', 1)[0] ?? specifier]
  if (rooms === undefined || rooms.includes(place)) return undefined
  return `imports ${specifier}; only ${rooms.join(' ') || 'nobody'} may`
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/** Names of node:crypto. */
export function judgeCryptography(file: SourceFile, one: Import): string | undefined {
  if (one.specifier !== 'node:crypto') return undefined
  const forbidden = one.names.filter(({ name, typeOnly }) => !typeOnly && isForbidden(name, file.place))
  return forbidden.length === 0 ? undefined : `uses ${forbidden.map(({ name }) => name).join(', ')} of node:crypto`
}

function isForbidden(name: string, place: string): boolean {
  const rooms = Object.hasOwn(cryptography, name) ? cryptography[name] : undefined
  return rooms !== undefined && !rooms.includes(place)
}

/** The strongly connected parts of a graph that have more than one node. */
export function cyclesOf(graph: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const reach = (from: string) => {
    const seen = new Set<string>()
    const open = [...(graph.get(from) ?? [])]
    for (let next = open.pop(); next !== undefined; next = open.pop())
      if (!seen.has(next)) {
        seen.add(next)
        open.push(...(graph.get(next) ?? []))
      }
    return seen
  }
  const reached = new Map([...graph.keys()].map(node => [node, reach(node)]))
  const inCycle = [...graph.keys()].filter(node => reached.get(node)?.has(node))
  const groups = new Map<string, string[]>()
  for (const node of inCycle) {
    const group = inCycle.filter(other => reached.get(node)?.has(other) && reached.get(other)?.has(node))
    groups.set(group.join(), group)
  }
  return [...groups.values()]
}

/** Mappings are tables: each other, and types of the room that reads them. */
export function judgeMapping(file: SourceFile, one: Import): string | undefined {
  const allowed = isRelative(one)
    ? targetOf(file, one).startsWith('mappings/')
    : one.typeOnly && one.specifier === `#${mappingsReader}`
  return allowed ? undefined : `imports ${one.specifier}`
}

export function roomGraph(files: readonly SourceFile[]): ReadonlyMap<string, ReadonlySet<string>> {
  const graph = new Map<string, Set<string>>()
  for (const file of files) {
    const rooms = graph.get(file.place) ?? new Set<string>()
    for (const { specifier } of importsOf(file)) if (specifier.startsWith('#')) rooms.add(specifier.slice(1))
    graph.set(file.place, rooms)
  }
  return graph
}

/** By value: importing a type loads nothing. */
export function fileGraph(files: readonly SourceFile[]): ReadonlyMap<string, ReadonlySet<string>> {
  const targets = (file: SourceFile) => importsOf(file).filter(one => isRelative(one) && !one.typeOnly)
  return new Map(files.map(file => [file.path, new Set(targets(file).map(one => targetOf(file, one)))]))
}

const vague = /(^|[/-])(utils?|helpers?|common|misc|shared|managers?|services?|impl)([/.-]|$)/
const kebabCase = /^([a-z0-9]+(-[a-z0-9]+)*\/)*[a-z0-9]+(-[a-z0-9]+)*(\.test|\.contract|\.d)?\.ts$/

/** Whether a file is named after one subject. */
export function isWellNamed(path: string): boolean {
  return !vague.test(path) && (!path.endsWith('.ts') || kebabCase.test(path))
}
