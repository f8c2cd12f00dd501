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
  containedTwice: { type: 'duplicate', text: 'Another contained resource has the same id.' },
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
  extensionPart: { type: 'structure', text: 'The extension is not defined with such a part.' },
  extensionLacks: { type: 'required', text: 'A part of the extension is mandatory.' },
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
  fullUrlId: { type: 'value', text: 'The fullUrl of a place names another id than the resource has.' },
  linkTwice: { type: 'duplicate', text: 'Another link has the same relation, and there is one of it.' },
  foundOutcome: { type: 'value', text: 'The entry is said to be an outcome, and is none.' },
  foundId: { type: 'required', text: 'What a search has found has an id.' },
  foundType: { type: 'value', text: 'The entry is said to match, and is of another type than was searched.' },
  requestType: { type: 'value', text: 'The request is for another type of resource than the entry has.' },
  documentLacks: { type: 'not-found', text: 'The document does not have what its composition refers to here.' },
  messageLacks: {
    type: 'not-found',
    text: 'The message has such a resource under another address than the one that its focus means.',
  },
  documentStranger: { type: 'structure', text: 'Nothing in the document leads to this entry.' },
  derivedParameter: { type: 'value', text: 'The search parameter that it is derived from is another one here.' },
  parameterType: { type: 'value', text: 'FHIR R4 defines the search parameter with another type.' },
  path: { type: 'value', text: 'The expression is no FHIRPath.' },
  designBase: { type: 'value', text: 'The profile is of another type than its base.' },
  designObligation: { type: 'business-rule', text: 'A profile of obligations changes nothing else of its base.' },
  designPath: { type: 'value', text: 'The type of R4 has no such element.' },
  designMin: { type: 'value', text: 'The least is less than in the type of R4.' },
  designMax: { type: 'value', text: 'The most is more than in the type of R4.' },
  designType: { type: 'value', text: 'The element does not have such a type in R4.' },
  designProfile: { type: 'value', text: 'The profile is of another type than the element.' },
  designTarget: { type: 'value', text: 'The element does not lead to such a type of resource in R4.' },
  designBinding: { type: 'value', text: 'The binding is weaker than in the type of R4.' },
  designValue: { type: 'value', text: 'The value is of a type that the element has not.' },
  designDiscriminator: { type: 'value', text: 'The discriminator leads to nothing.' },
  designSnapshot: { type: 'value', text: 'The snapshot does not have this element.' },
  designUrl: { type: 'value', text: 'The extension is known by another address than its definition.' },
  designContext: { type: 'value', text: 'The context is no type of R4.' },
  conditionUnknown: { type: 'not-found', text: 'The condition asks for an item that the Questionnaire has not.' },
  conditionWithin: { type: 'business-rule', text: 'The condition asks for the item itself, or for one within it.' },
  contentPresent: { type: 'business-rule', text: 'The code system says that it has no content, and has concepts.' },
  supplement: {
    type: 'business-rule',
    text: 'A code system that supplements another one has the content supplement, and no other has.',
  },
  conceptCount: {
    type: 'business-rule',
    text: 'The code system is complete, and does not have as many concepts as it says.',
  },
  propertyTwice: { type: 'duplicate', text: 'Another property has the same code or address.' },
  propertyType: { type: 'value', text: 'The property is defined with another type.' },
  propertyUndeclared: { type: 'not-found', text: 'The code system does not define the property.' },
  filterBoolean: { type: 'value', text: 'The filter asks for what is either true or false.' },
  filterPattern: { type: 'value', text: 'The filter has no regular expression.' },
  compositeParts: { type: 'required', text: 'A composite search parameter has two components or more.' },
  parameterBase: {
    type: 'value',
    text: 'The expression is about a type of resource that is no base of the parameter.',
  },
  definitionRelative: { type: 'value', text: 'A definition is known by an absolute address.' },
  occurrences: { type: 'value', text: 'The least is more than the most.' },
  codeMissing: { type: 'code-invalid', text: 'The element has no code, and FHIR requires one of a value set here.' },
  blank: { severity: 'warning', type: 'value', text: 'The text has nothing but white space.' },
  doubled: { severity: 'warning', type: 'duplicate', text: 'The same is there twice.' },
  fragment: { type: 'invariant', text: 'The reference names no contained resource (ref-1).' },
}

/** What a profile wants, and whose profile it is: texts of definitions, none of the resource's. */
const profileRows: Readonly<Record<string, IssueRow>> = {
  profileUnknown: {
    severity: 'warning',
    type: 'not-found',
    text: 'The profile is not known here, so nothing was judged by it.',
  },
  profileUnbuilt: {
    type: 'not-supported',
    text: 'Nothing can be judged by the profile: it is none of a type of R4, or derives from what is not known here.',
  },
  profileOfOther: { type: 'structure', text: 'The profile is for another type of resource or element.' },
  profileMin: { type: 'required', text: 'The element is there less often than the profile wants.' },
  profileMax: { type: 'structure', text: 'The element is there more often than the profile allows.' },
  profileSliceMin: { type: 'required', text: 'A slice has fewer elements than the profile wants.' },
  profileSliceMax: { type: 'structure', text: 'A slice has more elements than the profile allows.' },
  profileUnsliced: { type: 'structure', text: 'The element belongs to no slice, and the profile allows no others.' },
  profileOrder: { type: 'structure', text: 'The element stands out of the order that the profile gives to slices.' },
  profileType: { type: 'structure', text: 'The element has a type that the profile does not allow.' },
  profileNone: { type: 'structure', text: 'The element conforms to none of the profiles that its type may have.' },
  profileTarget: { type: 'structure', text: 'The reference leads to what the profile does not allow.' },
  profileAggregation: {
    type: 'structure',
    text: 'What is referred to does not lie where the profile wants it: contained, in the Bundle, or elsewhere.',
  },
  profileFixed: { type: 'value', text: 'The value is not the one that the profile fixes.' },
  profilePattern: { type: 'value', text: 'The value does not have what the pattern of the profile has.' },
  profileLeast: { type: 'value', text: 'The value is less than the profile allows.' },
  profileMost: { type: 'value', text: 'The value is more than the profile allows.' },
  profileValue: { type: 'required', text: 'The element has no value, and the profile wants one.' },
  profileValueOr: {
    type: 'required',
    text: 'The element has neither a value nor one of the extensions that the profile allows in its place.',
  },
  profileShort: { type: 'value', text: 'The text is shorter than the profile allows.' },
  profileLength: { type: 'too-long', text: 'The text is longer than the profile allows.' },
  profileCode: { type: 'code-invalid', text: 'The code is not in the value set that the profile requires.' },
  profileCodeWanted: {
    severity: 'warning',
    type: 'code-invalid',
    text: 'The code is not in the value set that the profile wants as far as it has one that fits.',
  },
  profileCodeUntold: {
    severity: 'warning',
    type: 'not-found',
    text: 'Whether the code is in the value set that the profile requires cannot be told here.',
  },
  profileUnheld: { severity: 'warning', type: 'not-found', text: 'The profile of the type is not known here.' },
  profileConstraintUntold: {
    severity: 'warning',
    type: 'not-supported',
    text: 'A constraint cannot be evaluated here.',
  },
}

/** What a Questionnaire wants of a response to it. */
const questionnaireRows: Readonly<Record<string, IssueRow>> = {
  questionnaireUnknown: {
    severity: 'warning',
    type: 'not-found',
    text: 'The Questionnaire is not known here, so no answer was judged by it.',
  },
  questionnaireMissing: { type: 'not-found', text: 'The reference leads to no contained Questionnaire.' },
  answerUnasked: { type: 'not-found', text: 'The Questionnaire has no such item.' },
  answerPlace: { type: 'structure', text: 'The Questionnaire has this item in another place.' },
  answerOrder: { type: 'structure', text: 'The items stand in another order than in the Questionnaire.' },
  answerText: { severity: 'warning', type: 'value', text: 'The text is another one than that of the question.' },
  answerDisabled: {
    type: 'business-rule',
    text: 'The question is answered, and after the other answers it is not asked.',
  },
  answerMissing: { type: 'required', text: 'The question has to be answered.' },
  answerMissingYet: { severity: 'warning', type: 'required', text: 'The question has to be answered in the end.' },
  answerFew: { type: 'required', text: 'The question has fewer answers than it wants.' },
  answerFewYet: {
    severity: 'warning',
    type: 'required',
    text: 'The question has fewer answers than it wants in the end.',
  },
  answerMany: { type: 'structure', text: 'The question has more answers than it allows.' },
  answerRepeated: { type: 'structure', text: 'The question is answered more than once, and may not be.' },
  answerOfGroup: { type: 'structure', text: 'A group has items, and no answers.' },
  answerOfDisplay: { type: 'structure', text: 'What is only displayed has neither answers nor items.' },
  answerNesting: { type: 'structure', text: 'Items of a question stand in its answers.' },
  answerType: { type: 'structure', text: 'The answer has a type that the question does not allow.' },
  answerOption: { type: 'code-invalid', text: 'The answer is none of the options.' },
  answerCode: { type: 'code-invalid', text: 'The answer is not in the value set of the question.' },
  answerUntold: {
    severity: 'warning',
    type: 'not-found',
    text: 'Whether the answer is in the value set of the question cannot be told here.',
  },
  answerExclusive: { type: 'business-rule', text: 'One of the answers goes with no other.' },
  answerLong: { type: 'too-long', text: 'The answer is longer than the question allows.' },
  answerShort: { type: 'value', text: 'The answer is shorter than the question allows.' },
  answerForm: { type: 'value', text: 'The answer has not the form that the question wants.' },
  answerLeast: { type: 'value', text: 'The answer is less than the question allows.' },
  answerMost: { type: 'value', text: 'The answer is more than the question allows.' },
  answerPlaces: { type: 'value', text: 'The answer has more decimal places than the question allows.' },
  answerMedia: { type: 'value', text: 'The attachment is of a media type that the question does not allow.' },
  answerSize: { type: 'too-long', text: 'The attachment is larger than the question allows.' },
  answerTarget: {
    type: 'structure',
    text: 'The reference leads to a type of resource that the question does not allow.',
  },
  answerUnit: { type: 'code-invalid', text: 'The unit is none of those that the question allows.' },
  answerConstraint: { type: 'invariant', text: '' },
}

/** What a definition that is kept says of what names it. */
const counterpartRows: Readonly<Record<string, IssueRow>> = {
  reportGroup: { type: 'business-rule', text: 'The Measure has no such group.' },
  reportGroups: { type: 'business-rule', text: 'The Measure has one group, and the report has several.' },
  reportPopulation: { type: 'business-rule', text: 'The group of the Measure has no such population.' },
  reportStratifier: { type: 'business-rule', text: 'The group of the Measure has no such stratifier.' },
  reportScore: { type: 'business-rule', text: 'A cohort has no score.' },
  mapSource: { type: 'code-invalid', text: 'The code is not in the value set that the map leads from.' },
  mapTarget: { type: 'code-invalid', text: 'The code is not in the value set that the map leads to.' },
  inheritedObligations: {
    type: 'business-rule',
    text: 'What obligations are taken over from is no profile of obligations, or has another base.',
  },
  derivedUrl: { type: 'value', text: 'The extension fixes another address than the one that it derives from.' },
}

interface QuestionParams extends Pick<ProfileParams, 'constraint'> {
  readonly questionnaire?: string
  /** A linkId. */
  readonly question?: string
}

/** Says which question it is: a text of the Questionnaire, none of an answer. */
function questionRow(row: IssueRow, { questionnaire, question, constraint }: QuestionParams): IssueRow {
  const words = constraint === undefined ? row.text : `${constraint.human} (${constraint.key})`
  const about = [question === undefined || question === '' ? '' : `item ${question}`, questionnaire ?? '']
  const named = about.filter(text => text !== '').join(' of ')
  return {
    ...row,
    ...(constraint?.severity === 'warning' ? { severity: 'warning' } : {}),
    ...(constraint === undefined ? {} : { rule: constraint.key }),
    text: named === '' ? words.slice(0, longestText) : `${words} [${named}]`.slice(0, longestText),
  }
}

/** Names of slices are HL7's kind of names; others are left out. */
function profileRow(row: IssueRow, { profile, slice, constraint }: ProfileParams): IssueRow {
  const words = constraint === undefined ? row.text : `${constraint.human} (${constraint.key})`
  const about = [slice === undefined ? '' : `slice ${slice}`, profile ?? ''].filter(text => text !== '').join(' of ')
  return {
    ...row,
    ...(constraint?.severity === 'warning' ? { severity: 'warning' } : {}),
    ...(constraint === undefined ? {} : { rule: constraint.key }),
    text: about === '' ? words : `${words} [${about}]`.slice(0, longestText),
  }
}

/** Authors of profiles may write what they like. */
const longestText = 1_000

interface ProfileParams {
  readonly profile?: string
  readonly slice?: string
  readonly constraint?: { readonly key: string; readonly human: string; readonly severity: string }
}

const constraintBroken: IssueRow = { type: 'invariant', text: '' }

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
  if (keyword === 'profileConstraint') return profileRow(constraintBroken, params)
  const ofQuestionnaire = questionnaireRows[keyword]
  if (ofQuestionnaire !== undefined) return questionRow(ofQuestionnaire, params)
  const ofProfile = profileRows[keyword]
  return ofProfile === undefined
    ? (issueRows[keyword] ?? counterpartRows[keyword] ?? unexpected)
    : profileRow(ofProfile, params)
}

/** Whether a fault is only a warning. */
export function isWarning(error: ErrorObject): boolean {
  return rowOf(error).severity === 'warning'
}
