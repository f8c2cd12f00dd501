import type { Resource } from '#fhir'
import { Problem } from '#kernel'
import type { Content } from '../types.ts'

/** Stands, with size and hash, in the place of the data of a Binary whose content lies beside it. */
const contentNoteUrl = 'urn:kinhold:content'
const absentReasonUrl = 'http://hl7.org/fhir/StructureDefinition/data-absent-reason'

/** What is told of a content that a resource does not show. */
export type Noted = Pick<Content, 'sizeBytes' | 'sha256'>

interface Extension {
  readonly url?: string
  readonly extension?: readonly Extension[]
  readonly valueDecimal?: unknown
  readonly valueBase64Binary?: unknown
}

/** A Binary without data that says how much it holds, so that whoever reads it anywhere learns why nothing is there. */
export function withNote({ data: _data, _data: _stood, ...rest }: Resource, { sizeBytes, sha256 }: Noted): Resource {
  const said = [
    { url: 'size', valueDecimal: sizeBytes },
    { url: 'sha256', valueBase64Binary: sha256 },
  ]
  const extension = [
    { url: absentReasonUrl, valueCode: 'unsupported' },
    { url: contentNoteUrl, extension: said },
  ]
  return { ...rest, _data: { extension } }
}

/** What a resource says of a content that it does not show; undefined where it says nothing of the kind. */
export function notedIn(resource: Resource): { readonly sizeBytes: number; readonly sha256: unknown } | undefined {
  if (resource.resourceType !== 'Binary' || resource._data === undefined) return undefined
  const { extension } = resource._data as Extension
  const note = Array.isArray(extension) ? extension.find(each => each?.url === contentNoteUrl) : undefined
  if (note === undefined) return undefined
  const said = (url: string) => note.extension?.find((each: Extension) => each.url === url)
  return { sizeBytes: Number(String(said('size')?.valueDecimal)), sha256: said('sha256')?.valueBase64Binary }
}

/** Somebody says of a resource that it holds what it does not. */
export function contentUnknown(): Problem {
  const text = 'The Binary says that it holds a content beside it, which is not that of the version that stands.'
  return new Problem('unprocessable', 'record.content-unknown', text, { expression: 'Binary.data' })
}
