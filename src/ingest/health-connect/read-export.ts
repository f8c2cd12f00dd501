import { appendAll, giveWay, Problem } from '#kernel'
import { type Outcome, rowName } from '../outcome.ts'
import type { ReadContext } from '../read-context.ts'
import { ForeignDatabase, type Opening, type Row, type Table } from './database.ts'
import { type ConnectContext, mapChild, mapRecord, mapSample, rejected } from './map-record.ts'
import { checkMedical, readMedical } from './medical.ts'
import { ConnectSources } from './sources.ts'
import { type ChildType, connectTables, type RecordType } from './tables.ts'

/** Records whose children are looked for at once: each time the table of the children is read. */
const recordsAtOnce = 2000
/** Characters of what these say; their notes may be long. */
const charactersAtOnce = 4 * 1024 ** 2
/** Children of one record, and of all that are looked for at once; a night has some fifty. */
const [mostChildren, childrenAtOnce] = [2000, 100_000]

const medicalTable = 'medical_resource_table'

/**
 * Looks through an export of Health Connect for whom it is about, and gives what its records become. The database is open until the
 * outcomes are read or given up.
 *
 * @throws Problem `unsupported-media` · `ingest.database-unknown`; as `ForeignDatabase`, `checkMedical`
 */
export async function openExport(opening: Unopened, context: ReadContext): Promise<AsyncIterable<readonly Outcome[]>> {
  await using owned = new AsyncDisposableStack()
  const database = owned.adopt(await openDatabase(opening, context), one => one.close())
  if (!isExport(database))
    throw new Problem('unsupported-media', 'ingest.database-unknown', 'The database is no export of Health Connect.')
  if (!context.forced) await checkMedical(database, context)
  return new Outcomes(owned.move(), readExport(database, context))
}

/**
 * Looks through a database for whom it is about, and closes it again.
 *
 * @returns whether it is an export of Health Connect
 * @throws  Problem as `ForeignDatabase`, `checkMedical`
 */
export async function checkExport(opening: Unopened, context: ReadContext): Promise<boolean> {
  await using owned = new AsyncDisposableStack()
  const database = owned.adopt(await openDatabase(opening, context), one => one.close())
  if (!isExport(database)) return false
  if (!context.forced) await checkMedical(database, context)
  return true
}

type Unopened = Pick<Opening, 'sizeBytes' | 'open'>

function openDatabase(opening: Unopened, context: ReadContext): Promise<ForeignDatabase> {
  return ForeignDatabase.open({
    ...opening,
    inMemory: context.limits.databaseInMemory,
    plainFile: bytes => context.plainFile(bytes),
  })
}

/** Outcomes with what has to be closed when nobody reads them any more. */
class Outcomes implements AsyncIterable<readonly Outcome[]> {
  readonly #owned: AsyncDisposableStack
  readonly #outcomes: AsyncIterable<readonly Outcome[]>

  constructor(owned: AsyncDisposableStack, outcomes: AsyncIterable<readonly Outcome[]>) {
    this.#owned = owned
    this.#outcomes = outcomes
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly Outcome[], void, void> {
    await using _owned = this.#owned
    yield* this.#outcomes
  }
}

function isExport({ tables }: ForeignDatabase): boolean {
  return tables.has('application_info_table') && connectTables().types.some(({ table }) => tables.has(table))
}

async function* readExport(
  database: ForeignDatabase,
  read: ReadContext,
): AsyncGenerator<readonly Outcome[], void, void> {
  const context: ConnectContext = { ...read, sources: new ConnectSources(database, read) }
  const seen = new Set([medicalTable])
  for (const type of connectTables().types) {
    for (const name of tablesOf(type)) seen.add(name)
    const table = database.tables.get(type.table)
    if (table === undefined) continue
    const outcomes = readType(database, type, table, context)
    for await (const some of inTurns(outcomes)) yield [...context.sources.take(), ...some]
  }
  yield* readMedical(database, read)
  yield othersOf(database, seen)
}

function tablesOf({ table, series, children }: RecordType): readonly string[] {
  return [table, ...(series === undefined ? [] : [series.table]), ...children.map(child => child.table)]
}

/** What is in tables that no mapping knows. */
function othersOf(database: ForeignDatabase, seen: ReadonlySet<string>): Outcome[] {
  const outcomes: Outcome[] = []
  for (const table of database.tables.values()) {
    if (seen.has(table.name) || connectTables().passed.has(table.name)) continue
    const rows = database.count(table)
    if (rows > 0) outcomes.push({ kind: 'unmapped', row: rowName(table.name), rows })
  }
  return outcomes
}

const gatherSize = 100

/** Some outcomes at a time, between which others have their turn. */
async function* inTurns(outcomes: Iterable<readonly Outcome[]>): AsyncGenerator<readonly Outcome[], void, void> {
  let gathered: Outcome[] = []
  for (const some of outcomes) {
    appendAll(gathered, some)
    const pause = giveWay()
    if (pause === undefined && gathered.length < gatherSize) continue
    if (pause !== undefined) await pause
    yield gathered
    gathered = []
  }
  yield gathered
}

function readType(
  database: ForeignDatabase,
  type: RecordType,
  table: Table,
  context: ConnectContext,
): Iterable<readonly Outcome[]> {
  if (type.series !== undefined) return readSeries(database, type, table, context)
  return type.children.length > 0
    ? readSessions(database, type, table, context)
    : readRecords(database, type, table, context)
}

function* readRecords(
  database: ForeignDatabase,
  type: RecordType,
  table: Table,
  context: ConnectContext,
): Generator<readonly Outcome[], void, void> {
  for (const row of database.rows(table)) yield mapRecord(type, row, context)
}

/** A record of a series is its samples; one that has none says nothing. */
function* readSeries(
  database: ForeignDatabase,
  type: RecordType,
  table: Table,
  context: ConnectContext,
): Generator<readonly Outcome[], void, void> {
  const { series, measure } = type
  const samples = series && database.tables.get(series.table)
  const told = new Ids()
  let record: Row | undefined
  if (samples !== undefined)
    for (const sample of database.rows(samples)) {
      const key = parentOf(sample)
      if (key !== record?.id) record = key === undefined ? undefined : database.row(table, key)
      if (record === undefined) yield [rejected(measure.name, 'element-missing', `${measure.name}.parent_key`)]
      else yield mapSample(type, record, sample, context)
      if (record !== undefined) told.add(record.id)
    }
  for (const { id } of database.rows(table))
    yield told.has(id) ? [] : [rejected(measure.name, 'value-missing', `${measure.name}.samples`)]
}

function parentOf(row: Row): number | undefined {
  const key = row.cells.get('parent_key')
  return typeof key === 'number' ? key : undefined
}

/** Row ids up to 100 million, a bit each; others are taken for told. */
class Ids {
  #bits = new Uint8Array(1024)

  add(id: number): void {
    if (!(id >= 0 && id < 100_000_000)) return
    if (id >> 3 >= this.#bits.length) {
      const larger = new Uint8Array(Math.max(this.#bits.length * 2, (id >> 3) + 1))
      larger.set(this.#bits)
      this.#bits = larger
    }
    this.#bits[id >> 3] = (this.#bits[id >> 3] ?? 0) | (1 << (id & 7))
  }

  has(id: number): boolean {
    return !(id >= 0 && id < 100_000_000) || ((this.#bits[id >> 3] ?? 0) & (1 << (id & 7))) !== 0
  }
}

/** Records with children: some at a time, for which the tables of the children are looked through. */
function* readSessions(
  database: ForeignDatabase,
  type: RecordType,
  table: Table,
  context: ConnectContext,
): Generator<readonly Outcome[], void, void> {
  let some = new Map<number, Row>()
  let characters = 0
  for (const row of database.rows(table)) {
    some.set(row.id, row)
    characters += lengthOf(row)
    if (some.size < recordsAtOnce && characters < charactersAtOnce) continue
    yield* readSome(database, type, some, context)
    some = new Map()
    characters = 0
  }
  yield* readSome(database, type, some, context)
  yield* orphansOf(database, type, table)
}

function lengthOf({ cells }: Row): number {
  return cells.values().reduce<number>((sum, cell) => sum + (typeof cell === 'number' ? 0 : cell.length), 0)
}

interface Parts {
  readonly components: object[]
  readonly members: string[]
  rows: number
}

function* readSome(
  database: ForeignDatabase,
  type: RecordType,
  records: ReadonlyMap<number, Row>,
  context: ConnectContext,
): Generator<readonly Outcome[], void, void> {
  const parts = new Map<number, Parts>()
  let held = 0
  for (const child of type.children)
    for (const part of childrenIn(database, child)) {
      const record = records.get(parentOf(part) ?? Number.NaN)
      if (record === undefined) {
        yield []
        continue
      }
      const own = parts.get(record.id) ?? { components: [], members: [], rows: 1 }
      parts.set(record.id, own)
      const count = own.components.length + own.members.length
      const isRoom = count < mostChildren && held < childrenAtOnce
      if (!isRoom && child.as === 'component') {
        yield [{ kind: 'unmapped', row: rowName(child.table) }]
        continue
      }
      const { outcomes, component, member } = mapChild(type, child, { record, part }, context)
      if (isRoom && member !== undefined) own.members.push(member)
      if (component !== undefined) {
        own.components.push(component)
        own.rows += 1
      }
      held += 1
      yield outcomes
    }
  for (const record of records.values()) yield mapRecord(type, record, context, partsOf(parts.get(record.id)))
}

function partsOf(parts: Parts | undefined) {
  if (parts === undefined) return { element: {}, rows: 1 }
  const { components, members, rows } = parts
  return {
    element: {
      ...(components.length === 0 ? {} : { component: components }),
      ...(members.length === 0 ? {} : { hasMember: members.map(reference => ({ reference })) }),
    },
    rows,
  }
}

function* childrenIn(database: ForeignDatabase, { table }: ChildType): Generator<Row, void, void> {
  const found = database.tables.get(table)
  if (found !== undefined) yield* database.rows(found)
}

/** Children of a record that is not there. */
function* orphansOf(
  database: ForeignDatabase,
  { children }: RecordType,
  table: Table,
): Generator<readonly Outcome[], void, void> {
  for (const child of children) {
    const { name } = child.measure
    for (const part of childrenIn(database, child)) {
      const key = parentOf(part)
      const isOrphan = key === undefined || database.row(table, key) === undefined
      yield isOrphan ? [rejected(name, 'element-missing', `${name}.parent_key`)] : []
    }
  }
}
