import { type BundleEntry, type Resource, toInstant } from '#fhir'
import { documentBundle, urn } from '../../documents/document-bundle.ts'
import type { Filled, Gathered } from './gather.ts'
import { type Resolve, sentence, tableOf } from './narrative.ts'

const profiles = 'http://hl7.org/fhir/uv/ips/StructureDefinition'
const absent = 'http://hl7.org/fhir/StructureDefinition/data-absent-reason'
const emptyReasons = 'http://terminology.hl7.org/CodeSystem/list-empty-reason'
const loinc = 'http://loinc.org'

/** What a summary is made of. */
export interface Material extends Gathered {
  readonly patient: Resource
  readonly baseUrl: string
  /** Unix milliseconds. */
  readonly nowMs: number
  readonly software: { readonly name: string; readonly version: string }
}

/**
 * The document: first the Composition, then the patient, the author – this server –, and all that sections name. References within it
 * lead by the rules for Bundles, https://hl7.org/fhir/R4/bundle.html#references.
 *
 * @see https://hl7.org/fhir/uv/ips/STU1.1/StructureDefinition-Bundle-uv-ips.html
 */
export function documentOf(material: Material): Resource {
  const { baseUrl, nowMs, patient, filled, referred } = material
  const urlOf = ({ resourceType, id }: Resource) => `${baseUrl}/${resourceType}/${id}`
  const kept = new Map<string, Resource>()
  for (const resource of [withBasics(patient), ...filled.flatMap(({ entries }) => entries), ...referred])
    if (!kept.has(urlOf(resource))) kept.set(urlOf(resource), resource)
  const [composition, author] = [urn(), urn()]
  const entries: BundleEntry[] = [
    { fullUrl: composition, resource: compositionOf(material, { author, urlOf, kept }) },
    { fullUrl: urlOf(patient), resource: kept.get(urlOf(patient)) as Resource },
    { fullUrl: author, resource: authorOf(material) },
  ]
  kept.delete(urlOf(patient))
  for (const [fullUrl, resource] of kept) entries.push({ fullUrl, resource })
  return documentBundle(entries, nowMs, `${profiles}/Bundle-uv-ips`)
}

/** The guide asks for name and date of birth: where they are not known, that is said. */
function withBasics(patient: Resource): Resource {
  const extension = [{ url: absent, valueCode: 'unknown' }]
  return {
    ...patient,
    ...(patient.name === undefined ? { name: [{ extension, text: 'Unknown' }] } : {}),
    ...(patient.birthDate === undefined && patient._birthDate === undefined ? { _birthDate: { extension } } : {}),
  }
}

function authorOf({ software }: Material): Resource {
  return {
    resourceType: 'Device',
    deviceName: [{ name: software.name, type: 'model-name' }],
    version: [{ value: software.version }],
  }
}

interface Places {
  readonly author: string
  readonly kept: ReadonlyMap<string, Resource>
  urlOf(resource: Resource): string
}

function compositionOf(material: Material, places: Places): Resource {
  const { patient, nowMs, baseUrl, filled } = material
  const resolve: Resolve = reference => places.kept.get(`${baseUrl}/${reference}`) ?? places.kept.get(reference)
  return {
    resourceType: 'Composition',
    meta: { profile: [`${profiles}/Composition-uv-ips`] },
    status: 'final',
    type: { coding: [{ system: loinc, code: '60591-5', display: 'Patient summary Document' }] },
    subject: { reference: places.urlOf(patient) },
    date: toInstant(nowMs),
    author: [{ reference: places.author }],
    title: 'International Patient Summary',
    section: filled
      .filter(({ section, entries }) => section.isRequired || entries.length > 0)
      .map(each => sectionOf(each, resolve, places)),
  }
}

function sectionOf({ section, entries, isWithheld }: Filled, resolve: Resolve, { urlOf }: Places) {
  const { code, display, title } = section
  const head = { title, code: { coding: [{ system: loinc, code, display }] } }
  if (entries.length > 0)
    return {
      ...head,
      text: tableOf(entries, resolve),
      entry: entries.map(resource => ({ reference: urlOf(resource) })),
    }
  const why = isWithheld ? withheld : unavailable
  return { ...head, text: sentence(why.text), emptyReason: { coding: [{ system: emptyReasons, code: why.code }] } }
}

/** Nothing kept is not the same as nothing there: no summary says that somebody has no allergies. */
const unavailable = { code: 'unavailable', text: 'No information about this is kept here.' } as const
const withheld = { code: 'withheld', text: 'The access that was given does not include this.' } as const
