import { canonicalUnit } from '#terminology'
import { isInSet } from '../content/bindings.ts'
import { listOf } from '../content/check.ts'
import type { Ask } from '../profiles/members.ts'
import { compared, isExactly } from '../profiles/values.ts'
import { targetOf } from '../references.ts'
import { isNode, type Node, type Surroundings } from '../walk.ts'
import { type Question, saidOf, type Typed, valueIn } from './form.ts'

/** What an answer is judged with beside its question. */
export interface AnswerContext {
  readonly around: Surroundings
  readonly ask: Ask
}

/** A fault's keyword, as `issues.ts` has it, or none. */
type AnswerCheck = (answer: Typed, question: Question, context: AnswerContext) => string | undefined

/** https://hl7.org/fhir/R4/valueset-item-type.html; what groups and displays have is no answer. */
const namesByType: Readonly<Record<string, readonly string[]>> = {
  question: [],
  boolean: ['valueBoolean'],
  decimal: ['valueDecimal'],
  integer: ['valueInteger'],
  date: ['valueDate'],
  dateTime: ['valueDateTime'],
  time: ['valueTime'],
  string: ['valueString'],
  text: ['valueString'],
  url: ['valueUri'],
  attachment: ['valueAttachment'],
  reference: ['valueReference'],
  quantity: ['valueQuantity'],
}

/** Of a choice the options say what they are, and those of a value set are codes. */
function namesFor(question: Question): readonly string[] | undefined {
  const { type } = question
  if (type !== 'choice' && type !== 'open-choice') return namesByType[type]
  const options = optionsOf(question).map(({ name }) => name)
  return [
    ...(options.length > 0 ? options : ['valueCoding']),
    ...(type === 'open-choice' ? ['valueString', 'valueCoding'] : []),
  ]
}

function optionsOf({ node }: Question): readonly Typed[] {
  return listOf(node.answerOption)
    .filter(isNode)
    .flatMap(option => valueIn(option, 'value') ?? [])
}

const checkType: AnswerCheck = ({ name }, question) => {
  const names = namesFor(question)
  return names === undefined || names.includes(name) ? undefined : 'answerType'
}

const core = 'http://hl7.org/fhir/StructureDefinition/'
const sdc = 'http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-'
const laterConstraint = 'http://hl7.org/fhir/5.0/StructureDefinition/extension-Questionnaire.item.answerConstraint'

/** What a choice that is open lets somebody write: text, or what nobody has given a code. */
function isFree({ name, value }: Typed, question: Question): boolean {
  const isUncoded = isNode(value) && value.code === undefined && value.system === undefined
  if (question.type === 'open-choice' && (name === 'valueString' || isUncoded)) return true
  return saidOf(question, laterConstraint) === 'optionsOrType'
}

/** @see https://hl7.org/fhir/R4/questionnaire-definitions.html#Questionnaire.item.answerOption */
const checkOptions: AnswerCheck = (answer, question) => {
  const options = optionsOf(question)
  if (options.length === 0 || isFree(answer, question)) return undefined
  return options.some(option => isChosen(answer, option)) ? undefined : 'answerOption'
}

/** Whether an answer is an option. */
export function isChosen(answer: Typed, option: Typed): boolean {
  const { value } = answer
  if (answer.name !== option.name) return false
  if (!isNode(value) || !isNode(option.value)) return isExactly(value, option.value)
  if (answer.name === 'valueReference') return value.reference === option.value.reference
  if (option.value.code === undefined) return value.display === option.value.display
  return value.code === option.value.code && value.system === option.value.system
}

/** @see https://hl7.org/fhir/R4/questionnaire-definitions.html#Questionnaire.item.answerValueSet */
const checkSet: AnswerCheck = (answer, question, context) => {
  const { answerValueSet } = question.node
  if (typeof answerValueSet !== 'string' || isFree(answer, question)) return undefined
  return standing(answerValueSet, answer.value, context)
}

function standing(valueSet: string, value: unknown, { ask }: AnswerContext): string | undefined {
  const found = isInSet(valueSet, value, ask)
  return found === 'in' ? undefined : found === 'out' ? 'answerCode' : 'answerUntold'
}

const checkTexts: AnswerCheck = ({ value }, question) => {
  if (typeof value !== 'string') return undefined
  const length = [...value].length
  const { maxLength } = question.node
  const minLength = saidOf(question, `${core}minLength`)
  if (typeof maxLength === 'number' && length > maxLength) return 'answerLong'
  if (typeof minLength === 'number' && length < minLength) return 'answerShort'
  const regex = saidOf(question, `${core}regex`)
  return typeof regex === 'string' && !isLike(value, regex) ? 'answerForm' : undefined
}

/** What is no regular expression here asks nothing. */
function isLike(value: string, regex: string): boolean {
  try {
    return new RegExp(`^(?:${regex})$`, 'u').test(value)
  } catch {
    return true
  }
}

const checkLeast: AnswerCheck = ({ value }, question) => {
  const least = saidOf(question, `${core}minValue`) ?? saidOf(question, `${sdc}minQuantity`)
  if (least === undefined) return undefined
  return (compared(value, least) ?? 0) < 0 || areUnlike(value, least) ? 'answerLeast' : undefined
}

const checkMost: AnswerCheck = ({ value }, question) => {
  const most = saidOf(question, `${core}maxValue`) ?? saidOf(question, `${sdc}maxQuantity`)
  if (most === undefined) return undefined
  return (compared(value, most) ?? 0) > 0 || areUnlike(value, most) ? 'answerMost' : undefined
}

/** Quantities of which it is known that they cannot be compared: kilograms and metres. */
function areUnlike(one: unknown, other: unknown): boolean {
  const [left, right] = [unitOf(one), unitOf(other)]
  return left !== undefined && right !== undefined && left !== right
}

function unitOf(value: unknown): string | undefined {
  if (!isNode(value) || value.system !== ucum || typeof value.code !== 'string') return undefined
  return canonicalUnit(value.code)?.unit
}

const ucum = 'http://unitsofmeasure.org'

const checkPlaces: AnswerCheck = ({ value }, question) => {
  const most = saidOf(question, `${core}maxDecimalPlaces`)
  const number = isNode(value) && value.value !== undefined ? value.value : value
  if (typeof most !== 'number' || typeof number?.valueOf() !== 'number') return undefined
  return placesOf(String(number)) > most ? 'answerPlaces' : undefined
}

/** Digits behind the point, as they are written. */
function placesOf(text: string): number {
  const [digits = '', power = '0'] = text.toLowerCase().split('e')
  const [, fraction = ''] = digits.split('.')
  return Math.max(0, fraction.length - Number(power))
}

const mebibyte = 1024 * 1024

const checkAttachment: AnswerCheck = ({ name, value }, question) => {
  if (name !== 'valueAttachment' || !isNode(value)) return undefined
  const types = question.said.get(`${core}mimeType`) ?? []
  if (types.length > 0 && typeof value.contentType === 'string' && !types.includes(value.contentType))
    return 'answerMedia'
  const most = saidOf(question, `${core}maxSize`)
  const limit = Number(most) * mebibyte
  return most !== undefined && sizeOf(value) > limit ? 'answerSize' : undefined
}

function sizeOf({ size, data }: Node): number {
  if (typeof data === 'string') return Buffer.byteLength(data, 'base64')
  return typeof size === 'number' ? size : 0
}

const checkReference: AnswerCheck = ({ value }, question, { around }) => {
  const types = question.said.get(`${core}questionnaire-referenceResource`) ?? []
  if (types.length === 0 || !isNode(value) || typeof value.reference !== 'string') return undefined
  const type = targetOf(value.reference, around) ?? value.type
  return typeof type === 'string' && !types.includes(type) ? 'answerTarget' : undefined
}

const checkUnit: AnswerCheck = ({ name, value }, question, context) => {
  if (name !== 'valueQuantity' || !isNode(value)) return undefined
  const options = (question.said.get(`${core}questionnaire-unitOption`) ?? []).filter(isNode)
  if (options.length > 0 && !options.some(option => isUnit(value, option))) return 'answerUnit'
  const valueSet = saidOf(question, `${core}questionnaire-unitValueSet`)
  return typeof valueSet === 'string' ? standing(valueSet, value, context) : undefined
}

function isUnit({ system, code, unit }: Node, option: Node): boolean {
  if (code === undefined) return unit !== undefined && (unit === option.display || unit === option.code)
  return code === option.code && (system === undefined || system === option.system)
}

const checks: readonly AnswerCheck[] = [
  checkOptions,
  checkSet,
  checkTexts,
  checkLeast,
  checkMost,
  checkPlaces,
  checkAttachment,
  checkReference,
  checkUnit,
]

/** What a value breaks of its question: keywords of `issues.ts`. @see https://hl7.org/fhir/R4/questionnaireresponse.html */
export function faultsOfAnswer(answer: Typed, question: Question, context: AnswerContext): readonly string[] {
  const wrong = checkType(answer, question, context)
  if (wrong !== undefined) return [wrong]
  return answer.value === undefined ? [] : checks.flatMap(check => check(answer, question, context) ?? [])
}

/** Whether two answers or more have one among them that goes with no other. @see https://hl7.org/fhir/R4/extension-questionnaire-optionexclusive.html */
export function mixesExclusive(answers: readonly Typed[], { node }: Question): boolean {
  const exclusive = listOf(node.answerOption)
    .filter(isNode)
    .filter(isExclusive)
    .flatMap(option => valueIn(option, 'value') ?? [])
  return answers.length > 1 && answers.some(answer => exclusive.some(option => isChosen(answer, option)))
}

function isExclusive({ extension }: Node): boolean {
  return listOf(extension).some(
    each => isNode(each) && each.url === `${core}questionnaire-optionExclusive` && each.valueBoolean === true,
  )
}
