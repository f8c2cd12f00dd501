/** Random search parameters: every parameter of every type, with values that hers and others' resources hold. */
import { resourceTypes } from '#fhir'
import { type SearchParameter, searchParametersOf } from '#search'
import {
  categories,
  cities,
  conditions,
  dates,
  exampleSystem,
  instants,
  labels,
  measures,
  profile,
  texts,
  unitSystem,
  values,
  vitalSigns,
} from './codes.ts'
import type { Dice } from './dice.ts'
import { baseUrl } from './house.ts'
import { drawReference, families, idOf, ownTypes, persons, sharedTypes, slots } from './names.ts'

export const askedTypes: readonly string[] = [...new Set(['Patient', ...ownTypes, ...sharedTypes])]

export function drawType(dice: Dice): string {
  if (dice.maybe(5)) return dice.pick(resourceTypes)
  return dice.weighted<() => string>([
    [6, () => 'Observation'],
    [3, () => 'Patient'],
    [2, () => 'AuditEvent'],
    [12, () => dice.pick(askedTypes)],
  ])()
}

type ParameterKind = SearchParameter['type']

const prefixes = ['', '', '', 'eq', 'ne', 'gt', 'lt', 'ge', 'le', 'sa', 'eb', 'ap'] as const

function token(dice: Dice): string {
  const concept = dice.pick([...measures, ...conditions])
  return dice.weighted<() => string>([
    [4, () => concept.code],
    [3, () => `${concept.system}|${concept.code}`],
    [1, () => `${concept.system}|`],
    [1, () => `|${concept.code}`],
    [2, () => dice.pick([...categories, vitalSigns])],
    [3, () => `${exampleSystem}|${dice.pick([...persons, 'all'])}-${dice.below(4)}`],
    [
      2,
      () =>
        dice.pick(['final', 'amended', 'active', 'completed', 'finished', 'female', 'male', 'true', 'false', 'AMB']),
    ],
    [1, () => `${exampleSystem}|${dice.pick(labels)}`],
    [1, () => dice.pick(['rest', 'read', 'search', 'update', 'tester', 'teller', 'R', 'E', 'C'])],
  ])()
}

function reference(dice: Dice, types: readonly string[]): string {
  const named = drawReference(dice, types, 'anna')
  return dice.weighted<() => string>([
    [6, () => named],
    [3, () => named.slice(named.indexOf('/') + 1)],
    [2, () => `${baseUrl}/${named}`],
    [1, () => `${named}/_history/${dice.below(4)}`],
    [1, () => `http://elsewhere.example.org/fhir/${named}`],
    [1, () => `Observation/NEWID${dice.below(4)}`],
  ])()
}

const kindValues: Readonly<Record<ParameterKind, (dice: Dice, parameter: SearchParameter) => string>> = {
  token: (dice, { name }) => (name === '_id' ? drawId(dice) : token(dice)),
  string: dice => dice.pick([...Object.values(families), 'Al', 'Kim', 'i', ...cities, ...texts]),
  reference: (dice, { target }) => reference(dice, knownTypes(target)),
  date: dice => `${dice.pick(prefixes)}${dice.pick([...dates, ...instants, '1980-04-05', '2026-03-01', '2026'])}`,
  number: dice => `${dice.pick(prefixes)}${dice.pick(values)}`,
  quantity: dice =>
    `${dice.pick(prefixes)}${dice.pick(values)}${dice.pick(['', `|${unitSystem}|kg`, '||/min', '||g'])}`,
  uri: dice => dice.pick([profile, 'http://example.org/source/1', 'http://example.org/Questionnaire/0', 'http://e']),
  composite: (dice, { component = [] }) => component.map((_, at) => part(dice, at)).join('$'),
  special: (dice, { name }) => (name === '_filter' ? drawFilter(dice) : dice.pick([drawId(dice), '1|2|3'])),
}

/** https://hl7.org/fhir/R4/search_filter.html */
function drawFilter(dice: Dice): string {
  return dice.weighted<() => string>([
    [4, () => drawTest(dice)],
    [2, () => `${drawFilter(dice)} ${dice.pick(['and', 'or'])} ${drawTest(dice)}`],
    [1, () => `not (${drawFilter(dice)})`],
  ])()
}

function drawTest(dice: Dice): string {
  const type = dice.pick(['Patient', 'Observation', 'Encounter'])
  return dice.weighted<() => string>([
    [2, () => `_id ${dice.pick(['eq', 'ne'])} ${drawId(dice)}`],
    [2, () => `_lastUpdated ${dice.pick(['gt', 'le', 'po'])} ${dice.pick(instants)}`],
    [1, () => `_tag ${dice.pick(['eq', 'ne'])} ${token(dice)}`],
    [2, () => `code ${dice.pick(['eq', 'ne'])} ${token(dice)}`],
    [2, () => `subject ${dice.pick(['re', 'ne'])} ${reference(dice, ['Patient'])}`],
    [2, () => `subject:Patient.name ${dice.pick(['co', 'ew', 'gt'])} ${dice.pick(Object.values(families))}`],
    [1, () => `subject:Patient[_id eq ${drawId(dice)}].name pr ${dice.pick(['true', 'false'])}`],
    [1, () => `subject:${type}._tag pr true`],
  ])()
}

function part(dice: Dice, at: number): string {
  const { code } = dice.pick(measures)
  return at === 0 ? code : dice.pick([`gt${dice.pick(values)}`, `${dice.pick(values)}`, code, dice.pick(dates)])
}

function knownTypes(target: readonly string[] | undefined): readonly string[] {
  const known = (target ?? askedTypes).filter(type => askedTypes.includes(type))
  return known.length > 0 ? known : ['Patient']
}

export function drawId(dice: Dice): string {
  return dice.weighted<() => string>([
    [8, () => drawReference(dice, askedTypes, 'anna').replace(/^\w+\//, '')],
    [3, () => idOf('all', dice.pick(sharedTypes), dice.below(slots))],
    [2, () => dice.pick(persons)],
    [1, () => `NEWID${dice.below(6)}`],
    [1, () => `never-was-${dice.below(slots)}`],
  ])()
}

const kindModifiers: Readonly<Record<ParameterKind, readonly string[]>> = {
  string: ['exact', 'contains'],
  token: ['not', 'text', 'of-type', 'in', 'not-in', 'above', 'below'],
  reference: ['identifier', 'Patient', 'Observation', 'Practitioner', 'above', 'below'],
  date: [],
  number: [],
  quantity: [],
  uri: ['above', 'below'],
  composite: [],
  special: ['exact'],
}

/** What is judged by value sets and hierarchies, R4's own and those that somebody keeps. */
function valueSet(dice: Dice): string {
  return dice.pick([
    'http://hl7.org/fhir/ValueSet/administrative-gender',
    'http://hl7.org/fhir/ValueSet/observation-status',
    'http://example.org/ValueSet/0',
    'http://example.org/ValueSet/1',
    `ValueSet/${drawId(dice)}`,
  ])
}

function kin(dice: Dice): string {
  const genders = 'http://hl7.org/fhir/administrative-gender'
  return dice.pick([`${genders}|male`, `${exampleSystem}|${dice.pick(labels)}`, token(dice)])
}

const byMeaning: Readonly<Record<string, (dice: Dice) => string>> = {
  ':in': valueSet,
  ':not-in': valueSet,
  ':above': kin,
  ':below': kin,
}

interface Asked {
  readonly name: string
  readonly value: string
}

/** One criterion of a type: a value, what is missing, a chain, or `_has`; now and then one that means nothing. */
export function drawCriterion(dice: Dice, type: string, depth = 0): Asked {
  if (dice.maybe(2)) return { name: dice.pick(['nonsense', '_text', '_filter', '_query']), value: 'anna' }
  if (dice.maybe(5)) return { name: '_list', value: drawId(dice) }
  if (depth < 3 && dice.maybe(12)) return has(dice, type, depth)
  const parameters = searchParametersOf(type)
  const references = referencesOf(type)
  if (depth < 3 && references.length > 0 && dice.maybe(20)) return chained(dice, dice.pick(references), depth)
  return plain(dice, dice.pick(parameters))
}

function plain(dice: Dice, parameter: SearchParameter): Asked {
  const { name, type } = parameter
  if (dice.maybe(12)) return { name: `${name}:missing`, value: dice.pick(['true', 'false']) }
  const modifiers = kindModifiers[type]
  const modifier = modifiers.length > 0 && dice.maybe(25) ? `:${dice.pick(modifiers)}` : ''
  const draw =
    (type === 'token' ? byMeaning[modifier] : undefined) ?? (modifier === ':identifier' ? token : kindValues[type])
  const most = name === '_filter' ? 1 : 2
  return { name: name + modifier, value: dice.many(1, most, () => draw(dice, parameter)).join(',') }
}

function chained(dice: Dice, { name, target }: SearchParameter, depth: number): Asked {
  const type = dice.pick(knownTypes(target))
  const inner = drawCriterion(dice, type, depth + 1)
  return { name: `${name}${dice.maybe(70) ? `:${type}` : ''}.${inner.name}`, value: inner.value }
}

function referencesOf(type: string): readonly SearchParameter[] {
  return searchParametersOf(type).filter(parameter => parameter.type === 'reference')
}

const referringTypes = askedTypes.filter(type => referencesOf(type).length > 0)

function has(dice: Dice, type: string, depth: number): Asked {
  const from = dice.maybe(10) ? 'AuditEvent' : dice.pick(referringTypes)
  const references = referencesOf(from)
  const fitting = references.filter(({ target }) => target === undefined || target.includes(type))
  const { name } = dice.pick(fitting.length > 0 ? fitting : references)
  const inner = drawCriterion(dice, from, depth + 1)
  return { name: `_has:${from}:${name}:${inner.name}`, value: inner.value }
}

function includeOf(dice: Dice, type: string): string {
  if (dice.maybe(15)) return dice.pick(['*', `${type}:*`])
  const from = dice.maybe(50) ? type : dice.pick(askedTypes)
  const references = referencesOf(from)
  const target = dice.maybe(20) ? `:${dice.pick(askedTypes)}` : ''
  return references.length === 0 ? '*' : `${from}:${dice.pick(references).name}${target}`
}

/** Ids of the server's own making are random, and so is the order of what holds them: `_source` names the run of an import. */
const inNoOrder: ReadonlySet<string> = new Set(['_id', '_source', 'entity'])

function sortOf(dice: Dice, type: string): string {
  const names = searchParametersOf(type).filter(({ name }) => !inNoOrder.has(name))
  return dice.many(1, 2, () => `${dice.maybe(50) ? '-' : ''}${dice.pick(names).name}`).join(',')
}

function controls(dice: Dice, type: string): (readonly [string, string])[] {
  return [
    ...(dice.maybe(25) ? dice.many(1, 2, () => [includeName(dice, '_include'), includeOf(dice, type)] as const) : []),
    ...(dice.maybe(25)
      ? dice.many(1, 2, () => [includeName(dice, '_revinclude'), includeOf(dice, type)] as const)
      : []),
    ...(dice.maybe(30) ? ([['_sort', sortOf(dice, type)]] as const) : []),
    ...(dice.maybe(40) ? ([['_count', dice.pick(['0', '1', '2', '3', '1000'])]] as const) : []),
    ...(dice.maybe(30) ? ([['_total', dice.pick(['accurate', 'estimate', 'none'])]] as const) : []),
    ...(dice.maybe(15) ? ([['_summary', dice.pick(['true', 'text', 'data', 'count', 'false'])]] as const) : []),
    ...(dice.maybe(10) ? ([['_elements', dice.pick(['id', 'subject', 'code,status', 'name'])]] as const) : []),
    ...(dice.maybe(8) ? containedOf(dice) : []),
  ]
}

function containedOf(dice: Dice): (readonly [string, string])[] {
  return [
    ['_contained', dice.pick(['true', 'both', 'false'])],
    ['_containedType', dice.pick(['container', 'contained'])],
  ]
}

function includeName(dice: Dice, name: string): string {
  return dice.maybe(30) ? `${name}:iterate` : name
}

/** The criteria of a conditional interaction. */
export function drawCondition(dice: Dice, type: string): string {
  return new URLSearchParams(
    dice.many(1, 2, () => drawCriterion(dice, type)).map(({ name, value }) => [name, value]),
  ).toString()
}

/** All that a search of a type may be asked. */
export function drawSearch(dice: Dice, type: string): string {
  const criteria = dice.many(0, 2, () => drawCriterion(dice, type)).map(({ name, value }) => [name, value] as const)
  return new URLSearchParams([...criteria, ...controls(dice, type)].map(([name, value]) => [name, value])).toString()
}
