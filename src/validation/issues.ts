import type { ErrorObject } from 'ajv'
import type { Invariant } from '#fhir'
import type { ProblemIssue } from '#kernel'
import { expressionOf } from './expressions.ts'

interface IssueRow {
  /** `error` unless it says otherwise. */
  readonly severity?: 'warning'
  readonly rule?: string
  /** https://hl7.org/fhir/R4/valueset-issue-type.html */
  readonly type: string
  readonly text: string
}

/** What is said of each broken keyword. None of it depends on the data, so that no value can slip in. */
const issueRows: Readonly<Record<string, IssueRow>> = {
  type: { type: 'structure', text: 'The element has the wrong JSON type.' },
  const: { type: 'structure', text: 'The element has the wrong type of resource.' },
  additionalProperties: { type: 'structure', text: 'The element is not defined here in FHIR R4.' },
  minItems: { type: 'structure', text: 'The list is empty.' },
  minimum: { type: 'value', text: 'The number is too small for its type.' },
  maximum: { type: 'value', text: 'The number is too large for its type.' },
  fhirDecimal: { type: 'structure', text: 'The element is not a decimal number.' },
  fhirCodes: { type: 'code-invalid', text: 'The code is not in the value set that FHIR requires here.' },
  mandatory: { type: 'required', text: 'The element is mandatory.' },
  choice: { type: 'structure', text: 'The element has more than one type.' },
  content: { type: 'invariant', text: 'The element is empty: neither a value nor children (ele-1).' },
  extension: { type: 'invariant', text: 'An extension has either a value or extensions (ext-1).' },
  unknownResource: { type: 'structure', text: 'The element is not a resource of FHIR R4.' },
  nestedContained: { type: 'invariant', text: 'A contained resource has no contained resources (dom-2).' },
  containedId: { type: 'invariant', text: 'A contained resource needs an id of its own.' },
  containedMeta: {
    type: 'invariant',
    text: 'A contained resource has no version, date or security label (dom-4, dom-5).',
  },
  referenceType: { type: 'value', text: 'Reference.type says another type than the reference.' },
  referenceTarget: { type: 'structure', text: 'The reference leads to a type of resource that is not allowed here.' },
  referenceForm: {
    type: 'value',
    text: 'The reference is neither an absolute address nor a place such as Patient/1, #part or Patient?identifier=1.',
  },
  systemRelative: { type: 'value', text: 'The system is no absolute address.' },
  systemIsValueSet: { type: 'code-invalid', text: 'The system is a value set, not a code system.' },
  systemIsPage: { type: 'code-invalid', text: 'The system is a page about a code system.' },
  systemUnknown: { severity: 'warning', type: 'code-invalid', text: 'FHIR R4 has no such code system.' },
  systemVersioned: { type: 'code-invalid', text: 'The edition belongs in Coding.version, not in the system.' },
  codeUnknown: { type: 'code-invalid', text: 'The code system has no such code.' },
  codeUnlisted: {
    severity: 'warning',
    type: 'code-invalid',
    text: 'The code system had no such code when R4 was published.',
  },
  displayDiffers: { severity: 'warning', type: 'value', text: 'The display is no name of the code.' },
  unitUnknown: { severity: 'warning', type: 'code-invalid', text: 'The code system of the unit has no such code.' },
  extensible: {
    severity: 'warning',
    type: 'code-invalid',
    text: 'The code is not in the value set that FHIR wants here as far as it has one that fits.',
  },
  extensionRelative: { type: 'value', text: 'The extension is not named by an absolute address.' },
  extensionModifier: {
    type: 'structure',
    text: 'An extension that modifies is a modifierExtension, and no other extension is.',
  },
  extensionContext: { type: 'structure', text: 'The extension is not defined for this element.' },
  extensionType: { type: 'structure', text: 'The extension is not defined with a value of this type.' },
  extensionParts: { type: 'structure', text: 'The extension is defined with parts, not with a value.' },
  modifierUnknown: {
    type: 'extension',
    text: 'What the extension modifies is not known here, so that the element cannot be understood.',
  },
  attachmentSize: { type: 'value', text: 'The size is not that of the data.' },
  attachmentHash: { type: 'value', text: 'The hash is not that of the data.' },
  uriForm: { type: 'value', text: 'The element is not a valid FHIR uri.' },
  canonicalTarget: { type: 'value', text: 'The canonical leads to a type of resource that is not allowed here.' },
  canonicalRelative: { severity: 'warning', type: 'value', text: 'A canonical is an absolute address.' },
  elementId: { type: 'value', text: 'Another element of the resource has the same id.' },
  fullUrlMissing: {
    type: 'required',
    text: 'An entry is known by its fullUrl: only those of requests and of their answers need none.',
  },
  fullUrlRelative: { type: 'value', text: 'A fullUrl is an absolute address.' },
  fullUrlType: { type: 'value', text: 'The fullUrl names another type of resource than the entry has.' },
  requestType: { type: 'value', text: 'The request is for another type of resource than the entry has.' },
  documentLacks: { type: 'not-found', text: 'The document does not have what its composition refers to here.' },
  documentStranger: { type: 'structure', text: 'Nothing in the document leads to this entry.' },
  derivedParameter: { type: 'value', text: 'The search parameter that it is derived from is another one here.' },
  parameterType: { type: 'value', text: 'FHIR R4 defines the search parameter with another type.' },
  blank: { severity: 'warning', type: 'value', text: 'The text has nothing but white space.' },
  doubled: { severity: 'warning', type: 'duplicate', text: 'The same is there twice.' },
  fragment: { type: 'invariant', text: 'The reference names no contained resource (ref-1).' },
}

const formatRow = (format: string): IssueRow => ({ type: 'value', text: `The element is not a valid FHIR ${format}.` })
/** Rules are HL7's own words; the key is what one looks them up by. */
function invariantRow({ key, human, severity }: Invariant): IssueRow {
  const text = `${human} (${key})`
  return { ...(severity === 'warning' ? { severity } : {}), type: 'invariant', text, rule: key }
}

const unexpected: IssueRow = { type: 'structure', text: 'The element is not as FHIR R4 defines it.' }

/** An ajv error as an issue. @param type  resource type, the head of every expression */
export function issueOf(resource: object, type: string, error: ErrorObject): ProblemIssue {
  const row = rowOf(error)
  const unknown = error.keyword === 'additionalProperties' ? `/${error.params.additionalProperty}` : ''
  return { severity: 'error', ...row, expression: expressionOf(resource, type, error.instancePath + unknown) }
}

function rowOf({ keyword, params }: ErrorObject): IssueRow {
  if (keyword === 'format') return formatRow(String(params.format))
  if (keyword === 'invariant') return invariantRow(params.invariant as Invariant)
  return issueRows[keyword] ?? unexpected
}
