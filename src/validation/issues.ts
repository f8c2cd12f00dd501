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
