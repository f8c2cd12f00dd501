import { readdirSync, readFileSync } from 'node:fs'
import { parse } from 'csv-parse/sync'
import { toConcept } from '../../../src/ingest/hl7v2/codings.ts'

/** The guide's own tables, as they are: https://github.com/HL7/v2-to-fhir at 8c9b414, mappings/. */
const guide = new URL('../../cases/ingest/hl7v2-guide/', import.meta.url)
const mappings = new URL('../../../mappings/hl7v2/', import.meta.url)

interface Row {
  readonly from: string
  readonly to: string
  readonly beside?: object | readonly object[]
  readonly source: string
}

interface Omission {
  /** `PV1[Encounter]`, or `MSH[*]` for all maps of a segment. */
  readonly map: string
  /** The field; all of the map when it is not named. */
  readonly from?: string
  /** The attribute as the guide writes it; all of the field when it is not named. */
  readonly to?: string
  readonly reason: string
}

const read = (name: string) => JSON.parse(readFileSync(new URL(name, mappings), 'utf8'))
const rows: readonly Row[] = [...read('segments.json').maps, ...read('data-types.json').maps].flatMap(map => map.rows)
const { elsewhere, omitted } = read('omitted.json') as { elsewhere: Omission[]; omitted: Omission[] }
const { tables } = read('code-tables.json')

/** A row of a map of the guide: from which field or component, to which attribute, with which constant. */
interface GuideRow {
  readonly map: string
  readonly from: string
  readonly to: string
  readonly constant: string | undefined
}

function csv(path: string): string[][] {
  return parse(readFileSync(new URL(path, guide), 'utf8'), { relax_column_count: true, relax_quotes: true }).map(
    (cells: string[]) => cells.map(cell => cell.trim()),
  )
}

function namesOf(folder: string): readonly string[] {
  return readdirSync(new URL(`${folder}/`, guide)).map(name => name.replace(/\.csv$/, ''))
}

/** Rows that name an attribute; the guide has one for each field, most of which it maps to nothing. */
function guideRows(folder: string): readonly GuideRow[] {
  return namesOf(folder).flatMap(map =>
    csv(`${folder}/${map}.csv`)
      .slice(2)
      .filter(cells => (cells[9] ?? '') !== '')
      .map(cells => ({
        map,
        from: (cells[1] || map.replace(/\[.*$/, '')).replace(/^CWE\./, map.startsWith('CF[') ? 'CF.' : 'CWE.'),
        to: cells[9] ?? '',
        constant: /^"+([^"]+?)\.?"+$/.exec(cells[16] ?? '')?.[1]?.trim(),
      })),
  )
}

/** An attribute without what only the guide's notation has: `performer[2](PractitionerRole.practitioner(Practitioner))`. */
function plainPath(path: string): string {
  return path
    .replace(/=.*$/, '')
    .replace(/[([]\w*\]?[A-Z]?\w*\[?\d*\]?\.(?=\w)/g, '.')
    .replace(/\((\w+)(\[\d+\])?\.+/g, '.')
    .replace(/\([\w|]*(\[\d+\])?\)?/g, '')
    .replace(/\[[^\]]*\]/g, '')
    .replace(/[)\]{}]/g, '')
    .replace(/(^|\.)_/g, '$1')
    .replace(/^\$this\.?|^\./, '')
    .replace(/\.(url|uri)$/, '')
}

function isCovered(row: GuideRow): boolean {
  const source = `v2-to-fhir ${row.map} ${row.from}`
  const ours = rows.filter(one => one.source === source || one.source.startsWith(`${source};`))
  if (row.constant !== undefined) return ours.some(one => JSON.stringify(one).includes(JSON.stringify(row.constant)))
  const wanted = plainPath(row.to)
  const resource = /\[(\w+)/.exec(row.map)?.[1] ?? ''
  return ours
    .flatMap(one => pathsOf(one, resource))
    .some(path => {
      return path === '' || wanted === path || wanted.startsWith(`${path}.`) || path.startsWith(`${wanted}.`)
    })
}

/** What a row fills: its path, seen from the resource that the guide's map is for, and what stands beside the value. */
function pathsOf({ to, beside }: Row, resource: string): readonly string[] {
  const base = to.slice(0, to.lastIndexOf('['))
  const besides = [beside ?? []].flat().flatMap(node => Object.keys(node).map(name => `${base}.${name}`))
  const inside = to.includes(`(${resource}).`) ? [to.slice(to.indexOf(`(${resource}).`) + resource.length + 3)] : []
  return [to, ...besides, ...inside].map(plainPath)
}

function isNamedIn(list: readonly Omission[], row: GuideRow): boolean {
  return list.some(
    ({ map, from, to }) =>
      (map === row.map || (map.endsWith('[*]') && row.map.startsWith(map.slice(0, -2)))) &&
      (from === undefined || from === row.from) &&
      (to === undefined || to === row.to),
  )
}

const all = [...guideRows('segments'), ...guideRows('datatypes')]

describe('mappings/hl7v2 against the tables of the HL7 v2-to-FHIR guide', () => {
  it('has the rows of the guide', () => {
    expect(all.length).toBeGreaterThan(900)
  })

  it.each(namesOf('segments'))('%s: every row is mapped, is made by code, or is left out with a reason', map => {
    expect(missing(map)).toEqual([])
  })

  it.each(namesOf('datatypes'))('%s: every component is mapped, is read by code, or is left out with a reason', map => {
    expect(missing(map)).toEqual([])
  })

  function missing(map: string): readonly string[] {
    return all
      .filter(row => row.map === map && !isCovered(row) && !isNamedIn([...elsewhere, ...omitted], row))
      .map(({ from, to, constant }) => `${from} → ${to}${constant === undefined ? '' : ` = ${constant}`}`)
  }

  it.each(omitted.map(({ map, from = '', to = '', reason }) => [`${map} ${from} ${to}`.trim(), reason]))(
    '%s is left out: %s',
    (_, reason) => {
      expect(reason.length).toBeGreaterThan(10)
    },
  )

  it('leaves out nothing that the guide does not have, nor what is mapped', () => {
    const idle = [...elsewhere, ...omitted].filter(one => !all.some(row => isNamedIn([one], row)))
    expect(idle).toEqual([])
  })
})

describe('code tables against those of the guide', () => {
  const leftOut = new Set(read('omitted.json').tables.map(({ table }: { table: string }) => table))

  it.each(namesOf('codesystems'))('%s code by code', name => {
    const [, header = [], ...codes] = csv(`codesystems/${name}.csv`)
    const code = header.indexOf('Code', 1)
    const system = header.indexOf('Code System', code)
    const mapped = codes.filter(cells => (cells[0] ?? '') !== '' && (cells[code] ?? '') !== '')
    if (mapped.length === 0 || leftOut.has(name)) return
    for (const cells of mapped) {
      const coding = toConcept([[cells[0] ?? '']], name)?.coding?.[0]
      const uri = (cells[system] ?? '').replace('unitsofmeasure.org/', 'unitsofmeasure.org')
      expect(coding).toMatchObject({
        code: cells[code],
        ...(uri.startsWith('http') || uri.startsWith('urn') ? { system: uri } : {}),
      })
    }
  })

  it('say what they add to the guide, and why', () => {
    for (const { own } of Object.values(tables) as { own?: { why: string } }[])
      if (own !== undefined) expect(own.why).toEqual(expect.any(String))
  })
})
