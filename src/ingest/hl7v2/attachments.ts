import { compact, type Node } from './drafts.ts'
import { part, type Repetition } from './message.ts'

/** Table 0291 and what senders write there, as media types; anything with a slash is one. */
const mediaTypes: Readonly<Record<string, string>> = {
  BASIC: 'audio/basic',
  DICOM: 'application/dicom',
  'DICOM-OCTET-STREAM': 'application/dicom',
  FAX: 'image/g3fax',
  G3FAX: 'image/g3fax',
  GIF: 'image/gif',
  HTML: 'text/html',
  JOT: 'application/octet-stream',
  JPEG: 'image/jpeg',
  JPG: 'image/jpeg',
  'OCTET-STREAM': 'application/octet-stream',
  PDF: 'application/pdf',
  PICT: 'image/pict',
  PLAIN: 'text/plain',
  PNG: 'image/png',
  POSTSCRIPT: 'application/postscript',
  RICHTEXT: 'text/richtext',
  RTF: 'application/rtf',
  SGML: 'text/sgml',
  TIFF: 'image/tiff',
  TIF: 'image/tiff',
  TXT: 'text/plain',
  'X-HL7-CDA-LEVEL-ONE': 'text/xml',
  CDA: 'text/xml',
  XML: 'text/xml',
  CSV: 'text/csv',
}

/** Table 0834: the first half of a media type. */
const tops: Readonly<Record<string, string>> = {
  AP: 'application',
  AU: 'audio',
  IM: 'image',
  FT: 'text',
  TX: 'text',
  TEXT: 'text',
  APPLICATION: 'application',
  IMAGE: 'image',
  AUDIO: 'audio',
  VIDEO: 'video',
}

/**
 * The media type of ED.2 and ED.3, RP.3 and RP.4. R4 wants one with any data (att-1).
 *
 * @see https://hl7.org/fhir/R4/datatypes.html#Attachment
 */
export function mediaType(top: string, subtype: string): string {
  const own = [subtype, top].find(text => /^[\w.+-]+\/[\w.+-]+$/.test(text))
  const known = mediaTypes[subtype.toUpperCase()] ?? (subtype === '' ? mediaTypes[top.toUpperCase()] : undefined)
  const first = tops[top.toUpperCase()]
  if (own !== undefined) return own
  if (known !== undefined) return known
  if (first !== undefined && /^[\w.+-]+$/.test(subtype)) return `${first}/${subtype.toLowerCase()}`
  return first === 'text' ? 'text/plain' : 'application/octet-stream'
}

/** ED: source, type, subtype, encoding, data. The words of the encoding are not always true, so the data are looked at. */
export function toAttachment(given: Repetition): Node | undefined {
  const [top = '', subtype = '', encoding = ''] = [2, 3, 4].map(at => part(given, at))
  const data = (given[4] ?? []).join('&')
  if (data === '') return undefined
  const said = mediaType(top, subtype)
  const inside = embedded(data, top, subtype)
  if (inside !== undefined) return compact({ contentType: inside.type ?? said, data: inside.bytes.toString('base64') })
  const bytes = decoded(data, encoding)
  // What cannot be decoded is kept as it came; it is no PDF.
  const type = bytes === undefined && !said.startsWith('text/') ? 'application/octet-stream' : said
  return compact({ contentType: type, data: (bytes ?? Buffer.from(data)).toString('base64') })
}

/** Whether ED-4 names an encoding that the data do not have. */
export function isUndecodable(given: Repetition): boolean {
  const data = (given[4] ?? []).join('&')
  return data !== '' && embedded(data, '', '') === undefined && decoded(data, part(given, 4)) === undefined
}

/** `^^^^data:application/pdf;base64,…`, and senders who put everything in one component. */
function embedded(data: string, top: string, subtype: string) {
  const m = /^data:([\w.+/-]+);base64,([A-Za-z0-9+/=\s]+)$/.exec(data)
  if (m?.[2] === undefined) return undefined
  return { bytes: Buffer.from(m[2], 'base64'), ...(top + subtype === '' ? { type: m[1] } : {}) }
}

/** Undefined when the data are not in the encoding that is named. */
function decoded(data: string, encoding: string): Buffer | undefined {
  const kind = encoding.toUpperCase()
  const plain = data.replace(/\s/g, '')
  if (kind === 'HEX') return /^(?:[0-9A-Fa-f]{2})+$/.test(plain) ? Buffer.from(plain, 'hex') : undefined
  if (kind.startsWith('BASE64')) return isBase64(plain) ? Buffer.from(plain, 'base64') : undefined
  return Buffer.from(data)
}

function isBase64(text: string): boolean {
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length % 4 !== 1
}

type PlaceIn = readonly [component: number, subcomponent?: number]

/** Which components of an ED its attachment says. */
export function usedOfAttachment(given: Repetition): readonly PlaceIn[] {
  const isEncoding = /^(A|HEX|BASE64.*)$/i.test(part(given, 4))
  return [[5], ...(isEncoding ? [[4, 1] as const] : []), ...usedOfType(given, 2)]
}

/** Which components of an RP its attachment says. */
export function usedOfPointer(given: Repetition): readonly PlaceIn[] {
  return [[1, 1], ...usedOfType(given, 3)]
}

/** Type and subtype that a media type was made of, where they stand. */
function usedOfType(given: Repetition, at: number): readonly PlaceIn[] {
  const [top, subtype] = [part(given, at), part(given, at + 1)]
  const type = mediaType(top, subtype)
  const isSaid = (text: string) =>
    type.includes(text.toLowerCase()) ||
    mediaTypes[text.toUpperCase()] === type ||
    tops[text.toUpperCase()] !== undefined
  return [at, at + 1].filter(place => isSaid(part(given, place))).map(place => [place, 1])
}

/** RP: where it lies, the application that keeps it, type and subtype. */
export function toPointer(given: Repetition): Node | undefined {
  const url = part(given, 1)
  if (url === '') return undefined
  const [top = '', subtype = ''] = [3, 4].map(at => part(given, at))
  return compact({ contentType: top + subtype === '' ? undefined : mediaType(top, subtype), url })
}
