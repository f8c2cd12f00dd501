import { SaxesParser } from 'saxes'
import type { Draft } from '../imported/writing.ts'
import { textOf } from './lines.ts'
import {
  malformed,
  type ReadHead,
  type ReadingHooks,
  type ReleaseFile,
  type ReleaseReader,
  versionFrom,
} from './release.ts'

/** Classifications that are given out in ClaML, by the names in their titles, and the uris by which R4 and national bodies call them. */
const systems: readonly { readonly name: RegExp; readonly url: string; readonly called: string }[] = [
  { name: /^ICD-?10-?GM/i, url: 'http://fhir.de/CodeSystem/bfarm/icd-10-gm', called: 'ICD-10-GM' },
  { name: /^OPS/i, url: 'http://fhir.de/CodeSystem/bfarm/ops', called: 'OPS' },
  { name: /^ICD-?10(?!-?(CM|PCS|AM|CA))/i, url: 'http://hl7.org/fhir/sid/icd-10', called: 'ICD-10' },
]

/**
 * Classifications in ClaML 2 and 3 (EN 14463): ICD-10 of WHO, ICD-10-GM, OPS.
 *
 * @see https://hl7.org/fhir/R4/icd.html
 */
export const claml: ReleaseReader = {
  name: 'ClaML (ICD-10 and its national forms)',
  find(files) {
    const [found] = files
      .filter(({ path }) => /claml[^/]*\.xml$|\/claml\/[^/]*\.xml$/i.test(path))
      .sort((one, other) => other.sizeBytes - one.sizeBytes)
    return found === undefined ? undefined : [found]
  },
  async read([file], draft, hooks) {
    if (file === undefined) throw new Error('find gave a file')
    const reading = new ReadingClasses(draft)
    await parseInto(reading, file, hooks)
    return headOf(reading, file, hooks)
  },
}

function headOf({ title }: ReadingClasses, file: ReleaseFile, hooks: ReadingHooks): ReadHead {
  const known = systems.find(({ name }) => name.test(title.name ?? ''))
  if (known === undefined) throw malformed(file, 'its title is of no classification that is known')
  const version = versionFrom(hooks, title.version)
  return { url: known.url, version, name: known.called, properties: { kind: 'string' }, isCaseSensitive: false }
}

async function parseInto(reading: ReadingClasses, file: ReleaseFile, hooks: ReadingHooks): Promise<void> {
  const parser = new SaxesParser()
  parser.on('opentag', ({ name, attributes }) => reading.open(name, attributes as Record<string, string>))
  parser.on('closetag', ({ name }) => reading.close(name))
  parser.on('text', text => reading.text(text))
  try {
    for await (const text of textOf(file, hooks)) parser.write(text)
    parser.close()
  } catch (cause) {
    // What the parser has against it begins with where, `line:column: `.
    if (cause instanceof Error && /^\d+:\d+: /.test(cause.message)) throw malformed(file, 'it is no XML')
    throw cause
  }
}

/** What is being read of one class. */
interface Class {
  readonly code: string
  readonly kind: string
  readonly above: string[]
  preferred: string
}

/** Takes the elements of a ClaML file one after the other. */
class ReadingClasses {
  readonly title: { name?: string; version?: string } = {}
  readonly #draft: Draft
  readonly #links: [string, string][] = []
  #class: Class | undefined
  #rubric: string | undefined
  #label: string | undefined

  constructor(draft: Draft) {
    this.#draft = draft
  }

  open(name: string, attributes: Readonly<Record<string, string>>): void {
    if (name === 'Title') Object.assign(this.title, { name: attributes.name, version: attributes.version })
    if (name === 'Class')
      this.#class = { code: attributes.code ?? '', kind: attributes.kind ?? '', above: [], preferred: '' }
    if (name === 'SuperClass' && attributes.code !== undefined) this.#class?.above.push(attributes.code)
    if (name === 'Rubric') this.#rubric = attributes.kind
    if (name === 'Label' && this.#class !== undefined) this.#label = ''
  }

  text(text: string): void {
    if (this.#label !== undefined) this.#label += text
  }

  close(name: string): void {
    if (name === 'Label' && this.#label !== undefined) this.#endLabel(this.#label.replace(/\s+/g, ' ').trim())
    if (name === 'Rubric') this.#rubric = undefined
    if (name === 'Class' && this.#class !== undefined) this.#endClass(this.#class)
    // A class may stand before the one that it lies below.
    if (name === 'ClaML') for (const [below, above] of this.#links) this.#draft.link(below, above)
  }

  #endLabel(label: string): void {
    this.#label = undefined
    if (this.#class === undefined || label === '') return
    if (this.#rubric === 'preferredLong' || (this.#rubric === 'preferred' && this.#class.preferred === ''))
      this.#class.preferred = label
  }

  #endClass({ code, kind, above, preferred }: Class): void {
    this.#class = undefined
    if (code === '') return
    this.#draft.concept({ code, display: preferred, isAbstract: kind !== 'category' })
    this.#draft.property(code, 'kind', kind)
    for (const each of above) this.#links.push([code, each])
  }
}
