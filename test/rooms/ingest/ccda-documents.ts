import { readFileSync } from 'node:fs'
import type { Resource } from '#fhir'
import { createValidator } from '#validation'
import { importCcda } from '../../../src/ingest/ccda/import-ccda.ts'
import { claimsOf } from '../../../src/ingest/identity/claims.ts'
import { defaultLimits, type IngestLimits } from '../../../src/ingest/limits.ts'
import type { Outcome } from '../../../src/ingest/outcome.ts'
import type { ReadContext } from '../../../src/ingest/read-context.ts'
import { validPart } from '../../../src/ingest/without-invalid.ts'
import { cases, context, gathered } from './reading.ts'

export const validator = createValidator()

/** A run without a house: nothing is known of anybody, and everything may be written. */
export const ccdaContext = (rest: Partial<ReadContext> = {}, limits: Partial<IngestLimits> = {}): ReadContext => ({
  ...context,
  baseUrl: 'http://127.0.0.1:8080/fhir',
  person: claimsOf({}),
  mayReadPatient: true,
  isKnownAs: () => false,
  isAnothers: async () => false,
  rivals: async () => ({ patients: [], elements: [] }),
  forced: false,
  canShare: () => true,
  sharedFingerprint: context.fingerprint,
  limits: { ...defaultLimits, ...limits },
  senders: { zone: 'UTC', known: [] },
  plainFile: async () => ({ path: '', unname: async () => {}, close: async () => {} }),
  validPart: resource => validPart(resource, validator),
  isValid: async resource => validator.validate(resource).length === 0,
  kept: async () => [],
  ...rest,
})

/** What a document becomes, in pieces small enough to cut tags in two. */
export async function read(
  document: string | Buffer,
  rest: Partial<ReadContext> = {},
  pieces = 997,
): Promise<Outcome[]> {
  const bytes = Buffer.from(document)
  const open = async function* () {
    for (let at = 0; at < bytes.length; at += pieces) yield bytes.subarray(at, at + pieces)
  }
  return gathered(await importCcda([{ open }], ccdaContext(rest)))
}

export const sample = (name: string): Buffer => readFileSync(new URL(`ccda/${name}`, cases))

export const ofType = (outcomes: readonly Outcome[], type: string): Resource[] =>
  outcomes.flatMap(one => (one.kind === 'mapped' && one.resource.resourceType === type ? [one.resource] : []))

export const warningsOf = (outcomes: readonly Outcome[]): string[] =>
  outcomes.flatMap(one => (one.kind === 'warning' ? [one.text] : one.kind === 'unread' ? [one.place] : []))

/** How many rows came to what. */
export function rowsOf(outcomes: readonly Outcome[]) {
  const rows = { mapped: 0, unmapped: 0, rejected: 0 }
  for (const one of outcomes) {
    if (one.kind === 'mapped' || one.kind === 'amend') rows.mapped += one.rows ?? 1
    else if (one.kind === 'unmapped' || one.kind === 'rejected') rows[one.kind] += 1
  }
  return rows
}

const oid = '2.16.840.1.113883.10.20.22'

/** A templateId of C-CDA: `4.30` of entries, `2.6.1` of sections. */
export const template = (number: string): string =>
  `<templateId root="${number.split('.').length > 4 ? number : `${oid}.${number}`}"/>`

export const loinc = (code: string, name = 'code'): string =>
  `<${name} code="${code}" codeSystem="2.16.840.1.113883.6.1"/>`

export const snomed = (code: string, display: string, name = 'value'): string =>
  `<${name}${name === 'value' ? ' xsi:type="CD"' : ''} code="${code}" codeSystem="2.16.840.1.113883.6.96" displayName="${display}"/>`

export const section = (templateId: string, entries: string, text = ''): string =>
  `<component><section>${template(templateId)}<title>A section</title><text>${text}</text>${entries}</section></component>`

export const entry = (statement: string): string => `<entry typeCode="DRIV">${statement}</entry>`

const recordTarget = `<recordTarget><patientRole><id root="1.2.3.4" extension="77"/><patient>
  <name use="L"><given>Eve</given><family>Everywoman</family></name>
  <administrativeGenderCode code="F" codeSystem="2.16.840.1.113883.5.1"/><birthTime value="19750501"/>
</patient></patientRole></recordTarget>`

/** The elements of a header that are not said otherwise. */
export interface Header {
  readonly id?: string
  readonly time?: string
  readonly set?: string
  readonly target?: string
  readonly more?: string
}

/** A document of some sections. */
export function documentOf(sections: string, header: Header = {}): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:sdtc="urn:hl7-org:sdtc">
<realmCode code="US"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>${template('1.2')}
${header.id ?? '<id root="1.2.3" extension="document-1"/>'}${loinc('34133-9')}<title>Summary</title>
<effectiveTime value="${header.time ?? '20240105101500+0100'}"/>${header.set ?? ''}
${header.target ?? recordTarget}${header.more ?? ''}
<component><structuredBody>${sections}</structuredBody></component></ClinicalDocument>`
}

/** What one entry of a section becomes, without the header. */
export async function entryOutcomes(templateId: string, statement: string, text = ''): Promise<Outcome[]> {
  const outcomes = await read(documentOf(section(templateId, entry(statement), text)))
  return outcomes.filter(one => !('row' in one) || !['document', 'recordTarget'].includes(one.row))
}
