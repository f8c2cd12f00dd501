import type { CodeableConcept, Coding } from '../codes.ts'
import { lazyTable, perEdition } from '../tables.ts'
import { compact } from './drafts.ts'
import { unwatched } from './ledger.ts'
import { part, type Repetition } from './message.ts'
import { type CodeTable, codeTable, codeTables, lookUp } from './tables.ts'

const terminology = 'http://terminology.hl7.org/CodeSystem/v2-'

/** A code for which the element has no word: it is kept beside, as what it was. */
export class Uncoded {
  readonly coding: Coding

  constructor(coding: Coding) {
    this.coding = coding
  }
}

const longestName = 199

/**
 * A local name as part of a URN; such systems are the sender's own and are marked as such. Names are written in any letters; those that
 * a URN does not have are percent-encoded: https://www.rfc-editor.org/rfc/rfc8141#section-2.2
 */
function localUrn(kind: string, name: string): string | undefined {
  if (name === '' || name.length > longestName) return undefined
  const written = name.toWellFormed().normalize('NFC').replace(/[/ +]/g, '_')
  return `urn:x-hl7v2-${kind}:${encodeURIComponent(written)}`
}

/** HD: an assigning authority as a URI. */
export function authority(namespace: string, id: string, type: string): string | undefined {
  const kind = type.toUpperCase()
  if ((kind === 'ISO' || kind === '') && isOid(id)) return `urn:oid:${id}`
  if (kind === 'UUID' && isUuid(id)) return `urn:uuid:${id.toLowerCase()}`
  if (id !== '' && (kind === 'URI' || kind === 'URL')) return id
  return localUrn('hd', namespace === '' ? id : namespace)
}

/** HD.2 and HD.3 as an identifier of whoever gives numbers: the type is kept also where no URI is made of it. */
export function universalId(given: Repetition): Readonly<Record<string, unknown>> | undefined {
  const id = part(given, 2)
  // A type without an id says nothing, and is not read.
  if (id === '') return undefined
  const type = part(given, 3)
  const uri = authority('', id, type)
  const isUri = uri !== undefined && /^urn:(oid|uuid):|^https?:/.test(uri)
  const coding = type === '' ? undefined : [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0301', code: type }]
  return compact({
    type: compact({ coding }),
    system: isUri ? 'urn:ietf:rfc:3986' : undefined,
    value: isUri ? uri : id,
  })
}

/**
 * Table 0396: the URI of a coding system. Senders also write an OID or an address there. One that is not known keeps its name in a URN
 * of its own.
 */
export function codingSystem(name: string, oid = ''): string | undefined {
  const hl7 = /^HL7-?(\d{4})$/.exec(name)
  if (hl7 !== null) return `${terminology}${hl7[1]}`
  const known =
    lookUp(codeTables().codingSystems.systems, name) ?? lookUp(codeTables().codingSystems.systems, name.toUpperCase())
  if (known !== undefined) return known
  const [number = ''] = [oid, name.replace(/^urn:oid:/i, '')].filter(isOid)
  if (number !== '') return registered().get(number) ?? `urn:oid:${number}`
  if (/^https?:\/\/\S+$/.test(name)) return name
  return name === '' || isLocal(name) ? undefined : localUrn('0396', name)
}

const systemFile = lazyTable<{ readonly rows: readonly { readonly oid: string; readonly uri: string }[] }>(
  'ccda/code-systems.json',
)

/** What has a URI of its own is not known by its OID: https://hl7.org/fhir/R4/terminologies-systems.html */
const registered = perEdition(() => new Map(systemFile().rows.map(({ oid, uri }) => [oid, uri] as const)))

/** Whether the name only says that the codes are the sender's own. */
export function isLocal(name: string): boolean {
  return /^99?LA?B?$|^L$/i.test(name)
}

/** `v2-0001` for a table of the guide or the number of an HL7 table. */
function systemOfTable(table: string): string | undefined {
  const number = codeTable(table)?.hl7 ?? (/^\d{4}$/.test(table) ? table : undefined)
  return number === undefined ? undefined : `${terminology}${number}`
}

/** What a table makes of a code, in capitals too. */
function translated(code: string, table: CodeTable | undefined): Coding | undefined {
  for (const spelling of [code, code.toUpperCase()]) {
    const row = lookUp(table?.codes, spelling)
    if (row !== undefined) return compact({ system: row[2] ?? table?.system, code: row[0], display: row[1] }) as Coding
    const own = lookUp(table?.own?.codes, spelling)
    if (own !== undefined) return compact({ system: table?.system, code: own }) as Coding
  }
  return undefined
}

/** The code that a table has for a code; a code it does not have, or leaves as it is, stays one of the HL7 table. */
export function toCode(code: string, table: string): string | Uncoded {
  const system = systemOfTable(table)
  const rows = codeTable(table)
  const coding = translated(code, rows)
  const isLeft = coding?.system === system && rows?.system !== system
  if (coding?.code === undefined || isLeft) return new Uncoded(compact({ system, code }) as Coding)
  return coding.code
}

/** By component: code, display, system, version, OID of the system. */
const places = [
  [1, 2, 3, 7, 14],
  [4, 5, 6, 8, 17],
  [10, 11, 12, 13, 20],
] as const

/**
 * CWE, CE, CNE, CF: up to three codings and the text.
 *
 * @param table  turns codes of the HL7 table, and codes of no system, into FHIR's; the sender's own stays beside it
 */
export function toConcept(repetition: Repetition, table?: string): CodeableConcept | undefined {
  const coding = places.flatMap(place => codingsAt(repetition, place, table))
  const text = textOf(repetition)
  return compact({ coding, text }) as CodeableConcept | undefined
}

function textOf(repetition: Repetition): string {
  return part(repetition, 9) || part(repetition, 2) || part(repetition, 5) || part(repetition, 11)
}

function codingsAt(
  repetition: Repetition,
  place: (typeof places)[number],
  table: string | undefined,
): readonly Coding[] {
  const code = part(repetition, place[0])
  if (code === '') return wordsAt(repetition, place, table)
  const [display, name, version] = [1, 2, 3].map(at => part(repetition, place[at] ?? 0)) as [string, string, string]
  const oid = oidAt(repetition, place[4])
  const isOfTable = table !== undefined && isNameOf(name, table)
  const mapped = isOfTable ? translated(code, codeTable(table)) : undefined
  const system = codingSystem(name, oid) ?? (isOfTable && name === '' ? systemOfTable(table) : undefined)
  const own = compact({ system, version, code, display }) as Coding
  if (mapped === undefined) return [own]
  if (mapped.code !== code || version !== '') return [compact({ display, ...mapped }) as Coding, own]
  // The words of the first code are the text; those of the others stand nowhere else.
  const isText = display === '' || display === textOf(unwatched(repetition))
  return [compact(isText ? { display, ...mapped } : { ...mapped, display }) as Coding]
}

/**
 * Words without a code: those that are not the text of the concept stand nowhere else. The name of a system beside the text alone says
 * nothing of it.
 */
function wordsAt(repetition: Repetition, place: (typeof places)[number], table: string | undefined): readonly Coding[] {
  const words = part(unwatched(repetition), place[1])
  if (words === '' || words === textOf(unwatched(repetition))) return impliedName(repetition, place, table)
  const [display, name, version] = [1, 2, 3].map(at => part(repetition, place[at] ?? 0)) as [string, string, string]
  return [compact({ system: codingSystem(name, oidAt(repetition, place[4])), version, display }) as Coding]
}

/** The name of the table beside words says nothing more. */
function impliedName(repetition: Repetition, place: (typeof places)[number], table: string | undefined): readonly [] {
  const name = part(unwatched(repetition), place[2])
  if (isLocal(name) || (table !== undefined && isNameOf(name, table))) part(repetition, place[2])
  return []
}

/** What is no OID is not read, and is named to the sender. */
function oidAt(repetition: Repetition, at: number): string {
  return isOid(part(unwatched(repetition), at)) ? part(repetition, at) : ''
}

function isOid(text: string): boolean {
  return /^[0-2](?:\.(?:0|[1-9]\d*))+$/.test(text)
}

function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
}

/** Whether codes of that system are codes of the table: the sender says so, or says nothing. */
function isNameOf(name: string, table: string): boolean {
  if (name === '' || name === 'L') return true
  const number = /^HL7-?(\d{4})$/.exec(name)?.[1]
  const own = codeTable(table)?.hl7
  return number !== undefined && (own === undefined || own === number || siblings.get(own)?.has(number) === true)
}

/** Tables whose codes senders write in each other's place. */
const siblings: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['0027', new Set(['0485'])],
  ['0485', new Set(['0027'])],
  ['0912', new Set(['0443'])],
  ['0443', new Set(['0912'])],
])

/** The first coding of a concept, in the sender's words; text alone is its display. */
export function toCoding(repetition: Repetition, table?: string): Coding | undefined {
  for (const place of places) {
    const [coding] = codingsAt(repetition, place, table)
    const display = part(repetition, place[1])
    if (coding !== undefined) return display === '' ? coding : { ...coding, display }
  }
  return compact({ display: textOf(repetition) }) as Coding | undefined
}
