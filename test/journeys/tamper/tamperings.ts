/** What somebody who has the files may do to them, and what must come of it. */
import { bytesOf, columnOf, dataFile, type Estate, keysFile, tamper } from './estate.ts'

/** What `verify` must name. */
export interface Named {
  readonly kind: string
  readonly compartment?: string
  readonly seq?: number
}

export interface Tampering {
  readonly name: string
  apply(estate: Estate): readonly Named[]
  /** Versions that must not open any more: 500 and no content. */
  broken?(estate: Estate): readonly string[]
  /** Versions that look as if they had never been. */
  missing?(estate: Estate): readonly string[]
  /** Those of whose records nothing can be reached any more. Everybody else's can be read and written as before. */
  readonly silences?: readonly ('anna' | 'bert')[]
}

const sealedAt = (estate: Estate, id: number) =>
  bytesOf(dataFile(estate.home), 'SELECT sealed FROM entries WHERE id = ?', id)
const setSealed = 'UPDATE entries SET sealed = ? WHERE id = ?'

function swapSealed(estate: Estate, one: readonly [string, number], other: readonly [string, number]): Named[] {
  const [a, b] = [estate.rowOf(...one), estate.rowOf(...other)]
  const [sealedA, sealedB] = [sealedAt(estate, a.id), sealedAt(estate, b.id)]
  tamper(dataFile(estate.home), [setSealed, sealedB, a.id], [setSealed, sealedA, b.id])
  return [a, b].map(({ compartment, seq }) => ({ kind: 'entry-broken', compartment, seq }))
}

/** Exchanges a column of two rows. */
function swapColumn(estate: Estate, column: 'locator' | 'version', one: number, other: number): void {
  const database = dataFile(estate.home)
  const [a, b] = [one, other].map(id => columnOf(database, `SELECT ${column} FROM entries WHERE id = ?`, id))
  const set = `UPDATE entries SET ${column} = ? WHERE id = ?`
  tamper(database, [set, b ?? '', one], [set, a ?? '', other])
}

function flip(bytes: Buffer, at: number): Buffer {
  const flipped = Buffer.from(bytes)
  flipped[at] = (flipped[at] ?? 0) ^ 0x40
  return flipped
}

const first = ({ observations }: { observations: readonly string[] }, at = 0): string => observations[at] ?? ''

export const tamperings: readonly Tampering[] = [
  {
    name: 'one byte of a sealed entry is flipped',
    apply: estate => {
      const { id, compartment, seq } = estate.rowOf(first(estate.anna), 3)
      tamper(dataFile(estate.home), [setSealed, flip(sealedAt(estate, id), 60), id])
      return [{ kind: 'entry-broken', compartment, seq }]
    },
    broken: ({ anna }) => [first(anna)],
  },
  {
    name: 'the content of two patients is swapped',
    apply: estate => swapSealed(estate, [first(estate.anna), 3], [first(estate.bert), 3]),
    broken: ({ anna, bert }) => [first(anna), first(bert)],
  },
  {
    name: 'the content of two resources is swapped',
    apply: estate => swapSealed(estate, [first(estate.anna), 3], [first(estate.anna, 1), 3]),
    broken: ({ anna }) => [first(anna), first(anna, 1)],
  },
  {
    name: 'the content of two versions is swapped',
    apply: estate => swapSealed(estate, [first(estate.anna), 1], [first(estate.anna), 3]),
    broken: ({ anna }) => [first(anna), `${first(anna)}/_history/1`],
  },
  {
    name: 'the names of two rows are swapped',
    apply: estate => {
      const [a, b] = [estate.rowOf(first(estate.anna), 3), estate.rowOf(first(estate.anna, 1), 3)]
      swapColumn(estate, 'locator', a.id, b.id)
      return [a, b].map(({ compartment, seq }) => ({ kind: 'entry-broken', compartment, seq }))
    },
    missing: ({ anna }) => [first(anna), first(anna, 1)],
  },
  {
    name: 'the version numbers of two rows are swapped',
    apply: estate => {
      const [a, b] = [estate.rowOf(first(estate.anna), 2), estate.rowOf(first(estate.anna), 3)]
      swapColumn(estate, 'version', a.id, b.id)
      return [a, b].map(({ compartment, seq }) => ({ kind: 'entry-broken', compartment, seq }))
    },
    broken: ({ anna }) => [first(anna)],
  },
  {
    name: 'two rows change their places in the ledger',
    apply: estate => {
      const [a, b] = [estate.rowOf(first(estate.anna), 3), estate.rowOf(first(estate.anna, 1), 3)]
      const move = 'UPDATE entries SET id = ? WHERE id = ?'
      tamper(dataFile(estate.home), [move, -1, a.id], [move, a.id, b.id], [move, b.id, -1])
      return [a, b].map(({ compartment, seq }) => ({ kind: 'entry-broken', compartment, seq }))
    },
    missing: ({ anna }) => [first(anna), first(anna, 1)],
  },
  {
    name: 'the newest row is replaced by an older one of the same resource',
    apply: estate => {
      const [old, now] = [estate.rowOf(first(estate.anna), 1), estate.rowOf(first(estate.anna), 3)]
      tamper(dataFile(estate.home), [setSealed, sealedAt(estate, old.id), now.id])
      return [{ kind: 'entry-broken', compartment: now.compartment, seq: now.seq }]
    },
    broken: ({ anna }) => [first(anna)],
  },
  {
    name: 'the newest row is an old one, version number and all',
    apply: estate => {
      const [old, now] = [estate.rowOf(first(estate.anna), 1), estate.rowOf(first(estate.anna), 3)]
      tamper(
        dataFile(estate.home),
        [setSealed, sealedAt(estate, old.id), now.id],
        ['UPDATE entries SET version = 1 WHERE id = ?', now.id],
      )
      return [{ kind: 'entry-broken', compartment: now.compartment, seq: now.seq }]
    },
    broken: ({ anna }) => [first(anna)],
  },
  {
    name: 'a row in the middle is deleted',
    apply: estate => {
      const { id, compartment, seq } = estate.rowOf(first(estate.anna), 3)
      tamper(dataFile(estate.home), ['DELETE FROM entries WHERE id = ?', id])
      return [{ kind: 'entry-missing', compartment, seq }]
    },
    missing: ({ anna }) => [first(anna)],
  },
  {
    name: 'the end of a ledger is deleted',
    apply: estate => {
      const { id, compartment, seq } = estate.rowOf(first(estate.anna, 3), 3)
      const gone = 'entry >= ?'
      tamper(
        dataFile(estate.home),
        ['DELETE FROM entries WHERE id = ?', id],
        [`DELETE FROM newest WHERE ${gone} AND entry < ?`, id, id + 1],
        ['INSERT INTO newest SELECT bucket, entry FROM superseded WHERE entry = ?', id - 1],
        ['DELETE FROM superseded WHERE entry = ?', id - 1],
      )
      return [{ kind: 'rolled-back', compartment, seq }]
    },
    // What may be an older state is not served at all.
    broken: ({ anna }) => [first(anna), `Patient/${anna.patient}`],
    silences: ['anna'],
  },
  {
    name: 'the ids of two compartments are swapped',
    apply: estate => {
      const { anna, bert } = estate
      const [a, b] = [anna, bert].map(({ compartment }) => Buffer.from(compartment, 'hex')) as [Buffer, Buffer]
      const rename = 'UPDATE compartments SET id = ? WHERE id = ?'
      tamper(dataFile(estate.home), [rename, Buffer.alloc(16), a], [rename, a, b], [rename, b, Buffer.alloc(16)])
      return [anna, bert].map(({ compartment }) => ({ kind: 'entry-broken', compartment, seq: 1 }))
    },
    broken: ({ anna, bert }) => [...anna.observations, ...bert.observations],
    silences: ['anna', 'bert'],
  },
  {
    name: 'the wrapped keys of two patients are swapped',
    apply: estate => {
      const { anna, bert } = estate
      const rename = 'UPDATE keys SET owner = ? WHERE owner = ?'
      tamper(
        keysFile(estate.home),
        [rename, 'x', anna.compartment],
        [rename, anna.compartment, bert.compartment],
        [rename, bert.compartment, 'x'],
      )
      return [anna, bert].map(({ compartment }) => ({ kind: 'key-broken', compartment }))
    },
    broken: ({ anna, bert }) => [first(anna), first(bert), `Patient/${anna.patient}`],
    silences: ['anna', 'bert'],
  },
  {
    name: 'one byte of a wrapped key is flipped',
    apply: estate => {
      const { compartment } = estate.anna
      const wrapped = bytesOf(keysFile(estate.home), 'SELECT wrapped FROM keys WHERE owner = ?', compartment)
      tamper(keysFile(estate.home), ['UPDATE keys SET wrapped = ? WHERE owner = ?', flip(wrapped, 9), compartment])
      return [{ kind: 'key-broken', compartment }]
    },
    broken: ({ anna }) => [first(anna), `Patient/${anna.patient}`],
    silences: ['anna'],
  },
  {
    name: 'a wrapped key is removed',
    apply: estate => {
      const { compartment } = estate.anna
      tamper(keysFile(estate.home), ['DELETE FROM keys WHERE owner = ?', compartment])
      return [{ kind: 'key-missing', compartment }]
    },
    silences: ['anna'],
  },
  {
    name: 'one byte of an index segment is flipped',
    apply: estate => {
      const sealed = bytesOf(dataFile(estate.home), 'SELECT sealed FROM segments')
      tamper(dataFile(estate.home), ['UPDATE segments SET sealed = ? WHERE sealed = ?', flip(sealed, 500), sealed])
      return [{ kind: 'segment-broken', compartment: estate.anna.compartment, seq: 1 }]
    },
  },
  {
    name: 'an index segment is given to another patient',
    apply: estate => {
      const { anna, bert } = estate
      const numberOf = '(SELECT number FROM compartments WHERE id = ?)'
      const [hers = '', his = ''] = [anna, bert].map(
        ({ compartment }) => `${numberOf.replace('?', `x'${compartment}'`)} * 268435456`,
      )
      const within = (from: string) => `id > ${from} AND id < ${from} + 268435456`
      const give = `UPDATE segments SET id = id - ${hers} + ${his} WHERE ${within(hers)}`
      tamper(dataFile(estate.home), [`DELETE FROM segments WHERE ${within(his)}`], [give])
      return [{ kind: 'segment-broken', compartment: bert.compartment, seq: 1 }]
    },
    silences: ['bert'],
  },
  {
    name: 'one byte of the document that says whose a compartment is is flipped',
    apply: estate => {
      const { key, sealed } = registrationOf(estate)
      tamper(dataFile(estate.home), ['UPDATE documents SET sealed = ? WHERE key = ?', flip(sealed, 50), key])
      return [{ kind: 'document-broken' }, { kind: 'document-missing', compartment: estate.anna.compartment }]
    },
    silences: ['anna'],
    missing: ({ anna }) => [first(anna)],
  },
  {
    name: 'the document that says whose a compartment is is deleted',
    apply: estate => {
      tamper(dataFile(estate.home), ['DELETE FROM documents WHERE key = ?', registrationOf(estate).key])
      return [{ kind: 'document-missing', compartment: estate.anna.compartment }]
    },
    silences: ['anna'],
  },
]

function registrationOf(estate: Estate): { key: Buffer; sealed: Buffer } {
  const key = Buffer.from(estate.registrationKey, 'hex')
  const database = dataFile(estate.home)
  return {
    key,
    sealed: bytesOf(database, 'SELECT sealed FROM documents WHERE hex(key) = ?', estate.registrationKey.toUpperCase()),
  }
}
