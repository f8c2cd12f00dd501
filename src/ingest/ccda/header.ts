import type { Steps } from '#kernel'
import { amendment } from '../fhir/patient-elements.ts'
import type { Version } from '../fhir/versions.ts'
import { compact, Draft, type Node } from '../hl7v2/drafts.ts'
import { toDateTime } from '../hl7v2/times.ts'
import type { Outcome } from '../outcome.ts'
import type { FhirContext } from '../read-context.ts'
import { conceptOf, identifiersOf, instantOf, periodOf, spanOf, timeOf } from './data-types.ts'
import { CdaElement, textOf, unreadIn } from './element.ts'
import { patientOf } from './patient.ts'
import { locationOf, organizationIn, organizationOf, relatedOf } from './people.ts'
import { classOf, dischargeOf, participantOf } from './resources/encounter.ts'
import { type DocumentFacts, notePerson, Scene } from './scene.ts'
import { inSet } from './tables.ts'
import { type DocumentVersions, referenceTo, setOf, stillSuperseded, superseding } from './versions.ts'

/** The file itself, as it is kept. */
export interface KeptBytes {
  readonly digest: string
  readonly data: Buffer
}

/** What the entries need to know of their document. Times without an offset take that of the time of the document, else the server's zone. */
export function factsOf(header: readonly CdaElement[], context: FhirContext, zone: string): DocumentFacts {
  const time = header.find(({ name }) => name === 'effectiveTime')?.attribute('value') ?? ''
  const [offset] = /[+-]\d{4}$/.exec(time) ?? []
  const own = offset === undefined ? zone : `${offset.slice(0, 3)}:${offset.slice(3)}`
  const said = toDateTime(time, own)
  const at = said?.includes('T') === true ? said : said?.length === 10 ? `${said}T00:00:00Z` : undefined
  const version: Version = at === undefined ? {} : { at }
  const people = new Map<string, CdaElement>()
  for (const one of header) notePeople(one, people)
  return {
    context,
    zone: own,
    version,
    saidMs: at === undefined ? undefined : Date.parse(at),
    ids: new Map(),
    people,
    told: new Set(),
  }
}

/** Whoever is described anywhere in the header is known wherever a number stands for them. */
function notePeople(element: CdaElement, people: Map<string, CdaElement>): void {
  notePerson(people, element)
  for (const child of element.children) notePeople(child, people)
}

/** One element with all of the header in it. */
export function whole(header: readonly CdaElement[]): CdaElement {
  const document = new CdaElement('ClinicalDocument')
  document.content.push(...header)
  return document
}

/** Files of a document: itself, and what stands in it in place of sections. */
export interface Content {
  readonly bytes: KeptBytes | undefined
  readonly body: Node | undefined
  readonly isStructured: boolean
}

const formats = 'http://terminology.hl7.org/CodeSystem/v3-HL7DocumentFormatCodes'

/** What the header of a document becomes: a DocumentReference with its Binary, the visit, and what the Patient lacks. */
export function mapHeader(
  header: readonly CdaElement[],
  content: Content,
  facts: DocumentFacts,
  versions: DocumentVersions,
): readonly Outcome[] {
  const document = whole(header)
  return [...headOf(document, content, facts, versions), ...personIn(document, facts)]
}

/** What the Patient lacks of what a header says. */
export function personOf(header: readonly CdaElement[], facts: DocumentFacts): readonly Outcome[] {
  return personIn(whole(header), facts)
}

function personIn(document: CdaElement, facts: DocumentFacts): readonly Outcome[] {
  const { context } = facts
  const targets = document.all('recordTarget')
  const scene = newScene(facts, 'recordTarget')
  const outcomes = targets.map(target => {
    const patient = patientOf(target, scene) as Parameters<typeof amendment>[0]
    const change = amendment(patient, context, () => {})
    return { ...change, row: 'recordTarget', saidMs: facts.saidMs }
  })
  for (const target of targets) for (const place of unreadIn(target)) scene.tellUnread(place)
  return [...outcomes, ...scene.outcomes]
}

// biome-ignore lint/correctness/useYield: there is nothing to be done
function* nothing(): Steps<undefined> {
  return undefined
}

export const newScene = (facts: DocumentFacts, row: string): Scene => new Scene(facts, undefined, row, nothing)

function headOf(
  document: CdaElement,
  content: Content,
  facts: DocumentFacts,
  versions: DocumentVersions,
): readonly Outcome[] {
  const scene = newScene(facts, 'document')
  const encounters = document.at('componentOf.encompassingEncounter')
  const visits = encounters.map(encounter => mapVisit(encounter, facts))
  const bytes = content.bytes && keepBytes(scene, content.bytes)
  const elements = referenceOf(scene, document, { content, bytes, visits, versions })
  const identity = documentIdentity(document, content)
  const kept = scene.keep('DocumentReference', document, elements, { identity, keeping: stillSuperseded })
  if (kept !== undefined) for (const id of versions.replaced) scene.amend(superseding(id))
  const unread = document.children.filter(({ name }) => name !== 'recordTarget' && name !== 'componentOf')
  for (const one of unread) for (const place of unreadIn(one)) scene.tellUnread(place)
  return [...ordered(scene.outcomes), ...visits.flatMap(({ outcomes }) => outcomes)]
}

/** The document counts as its row; its bytes belong to it. */
function ordered(outcomes: readonly Outcome[]): readonly Outcome[] {
  const isDocument = (one: Outcome) => one.kind === 'mapped' && one.resource.resourceType === 'DocumentReference'
  return outcomes.map(one => {
    if (one.kind !== 'mapped') return one
    const { rows, ...rest } = one
    return isDocument(one) ? rest : { ...rest, rows: 0 }
  })
}

/** A document is known by its number; one without, by its bytes. */
export function documentIdentity(document: CdaElement, { bytes }: Content): readonly string[] {
  const id = document.find('id')
  const [root = '', extension = ''] = [id?.attribute('root'), id?.attribute('extension')]
  return root === '' ? ['bytes', bytes?.digest ?? ''] : [root, extension]
}

function keepBytes(scene: Scene, { digest, data }: KeptBytes): Node {
  const reference = scene.keep(
    'Binary',
    new CdaElement('bytes'),
    { contentType: 'text/xml', securityContext: scene.subject, data: data.toString('base64') },
    { identity: ['bytes', digest], mode: 'create' },
  )
  return { contentType: 'text/xml', url: reference, size: data.length }
}

interface Made {
  readonly content: Content
  readonly bytes: Node | undefined
  readonly visits: readonly { readonly reference: string | undefined }[]
  readonly versions: DocumentVersions
}

function referenceOf(scene: Scene, document: CdaElement, { content, bytes, visits, versions }: Made): Node {
  const language = document.find('languageCode')?.use().attribute('code')
  const format = {
    system: formats,
    code: `urn:hl7-org:sdwg:ccda-${content.isStructured ? 'structuredBody' : 'nonXMLBody'}:2.1`,
  }
  const title = textOf(document.find('title')?.use('all'))
  const [event] = document.at('documentationOf.serviceEvent')
  const facility = document.find('componentOf.encompassingEncounter.location.healthCareFacility')
  const [masterIdentifier] = identifiersOf(document)
  const attachment = compact({
    ...(bytes ?? {}),
    language,
    title,
    creation: timeOf(document.find('effectiveTime'), scene),
  })
  const security = conceptOf(document.find('confidentialityCode'), scene)
  const identifier = [...setOf(document), ...identifiersOf(document)]
  return {
    masterIdentifier,
    identifier,
    status: versions.isReplaced ? 'superseded' : 'current',
    docStatus: document.find('legalAuthenticator') === undefined ? undefined : 'final',
    type: conceptOf(document.find('code'), scene),
    subject: scene.subject,
    date: instantOf(document.find('effectiveTime'), scene),
    author: document.all('author').flatMap(one => {
      one.find('time')?.use()
      return scene.party(one.find('assignedAuthor')) ?? []
    }),
    authenticator: authenticatorOf(scene, document),
    custodian: organizationIn(document.find('custodian.assignedCustodian'), scene),
    relatesTo: parentsOf(document, versions),
    securityLabel: security === undefined ? [] : [security],
    content: [
      { attachment: attachment ?? { contentType: 'text/xml' }, format },
      ...(content.body === undefined ? [] : [{ attachment: content.body }]),
    ],
    context: {
      encounter: visits.flatMap(({ reference }) => (reference === undefined ? [] : [{ reference }])),
      event: document.at('documentationOf.serviceEvent.code').flatMap(code => conceptOf(code, scene) ?? []),
      period: periodOf(event?.find('effectiveTime'), scene),
      facilityType: conceptOf(facility?.find('code'), scene),
      related: relatedTo(scene, document),
    },
  }
}

function authenticatorOf(scene: Scene, document: CdaElement) {
  const [legal, ...others] = [...document.all('legalAuthenticator'), ...document.all('authenticator')].map(one => {
    one.find('time')?.use()
    one.find('signatureCode')?.use()
    return scene.party(one.find('assignedEntity'))
  })
  return legal ?? others[0]
}

const relations: Readonly<Record<string, string>> = { RPLC: 'replaces', APND: 'appends', XFRM: 'transforms' }

function parentsOf(document: CdaElement, versions: DocumentVersions): readonly Node[] {
  return document.all('relatedDocument').flatMap(related => {
    const type = related.attributes.typeCode ?? ''
    const code = Object.hasOwn(relations, type) ? relations[type] : undefined
    const parent = related.find('parentDocument')
    const [identifier] = identifiersOf(parent)
    for (const one of parent?.all('setId', 'versionNumber') ?? []) one.use()
    return code === undefined || identifier === undefined
      ? []
      : [{ code, target: { ...referenceTo(identifier, versions), type: 'DocumentReference', identifier } }]
  })
}

/** Whoever else took part in the document or in what it tells of, each with as what. */
function relatedTo(scene: Scene, document: CdaElement): readonly unknown[] {
  const provider = document.at('recordTarget.patientRole.providerOrganization')
  const named = ['dataEnterer', 'informant', 'informationRecipient', 'authenticator', 'participant']
  const parties = named.flatMap(name =>
    document.all(name).flatMap(one => rolesOf(one).flatMap(role => as(name, one, roleOf(scene, role), scene))),
  )
  const performers = document
    .at('documentationOf.serviceEvent.performer')
    .flatMap(one => as('performer', one, scene.party(one.find('assignedEntity')), scene))
  const organizations = provider.flatMap(one => organizationOf(one, scene) ?? [])
  return [...parties, ...performers, ...organizations]
}

const roleNames = ['assignedEntity', 'relatedEntity', 'intendedRecipient', 'associatedEntity']
/** Those whose roles are near the patient and not with them by profession. */
const near: ReadonlySet<string> = new Set(['PRS', 'NOK', 'ECON', 'CAREGIVER', 'GUAR', 'AGNT', 'CON', 'PAYOR'])

function rolesOf(participation: CdaElement): readonly CdaElement[] {
  return participation.all(...roleNames)
}

function roleOf(scene: Scene, role: CdaElement): Draft | undefined {
  if (near.has(role.attributes.classCode ?? '')) return relatedOf(role, scene.subject, scene)
  return scene.party(role)
}

/** R4 has no extension for whoever is related to a document. */
const roleUrl = 'urn:kinhold:cda:participation'

/** A party, with the participation and the function in which it took part. */
function as(name: string, participation: CdaElement, party: Draft | undefined, scene: Scene): readonly Draft[] {
  if (party === undefined) return []
  const period = periodOf(participation.find('time'), scene)
  if (period !== undefined) participation.find('time')?.use('all')
  participation.find('signatureCode')?.use()
  const stated = conceptOf(participation.find('functionCode'), scene)
  const type = participation.attributes.typeCode
  const code = inSet('participation', name)
  const concept =
    stated ?? compact({ coding: code === undefined ? [] : [code], text: type === 'IND' ? undefined : type })
  const beside = concept === undefined ? {} : { extension: [{ url: roleUrl, valueCodeableConcept: concept }] }
  return [new Draft(party.resourceType, party.elements, party.display, beside)]
}

interface Visit {
  readonly reference: string | undefined
  readonly outcomes: readonly Outcome[]
}

/** encompassingEncounter → Encounter. */
function mapVisit(encounter: CdaElement, facts: DocumentFacts): Visit {
  const scene = newScene(facts, 'encompassingEncounter')
  const time = encounter.find('effectiveTime')
  const { at, end } = spanOf(time, scene)
  const facility = encounter.find('location.healthCareFacility')
  const place = locationOf(facility, scene)
  const reference = scene.keep(
    'Encounter',
    encounter,
    {
      status: at !== undefined || end !== undefined ? 'finished' : time === undefined ? 'unknown' : 'in-progress',
      class: classOf(encounter.find('code')),
      type: [conceptOf(encounter.find('code'), scene)].filter(one => one !== undefined),
      subject: scene.subject,
      participant: [
        ...encounter.all('responsibleParty').flatMap(one => party(scene, one, 'ATND')),
        ...encounter.all('encounterParticipant').flatMap(one => party(scene, one, one.attributes.typeCode ?? 'ATND')),
      ],
      period: periodOf(time, scene),
      ...dischargeOf(scene, encounter.find('dischargeDispositionCode')),
      location: place === undefined ? [] : [{ location: place }],
      serviceProvider: organizationOf(facility?.find('serviceProviderOrganization'), scene),
    },
    { mode: 'merge' },
  )
  return { reference, outcomes: scene.finish(encounter) }
}

function party(scene: Scene, participation: CdaElement, type: string): readonly Node[] {
  const individual = scene.party(participation.find('assignedEntity'))
  const code = inSet('encounter-participant', type)?.code ?? 'PART'
  const period = periodOf(participation.find('time'), scene)
  return individual === undefined ? [] : [participantOf(code, individual, period)]
}
