import type { Steps } from '#kernel'
import { systems } from '../../codes.ts'
import type { Node } from '../../hl7v2/drafts.ts'
import { conceptOf, identifiersOf, whenOf } from '../data-types.ts'
import type { CdaElement } from '../element.ts'
import { eachOf, isOfPatient, nested, type Scene, useStatus } from '../scene.ts'
import { type EntryRow, entryRow, inSet } from '../tables.ts'
import { membersOf } from './members.ts'
import { categoryOf, componentOf, mapObservation, observed, specimenOf } from './observation.ts'

const lab = 'http://terminology.hl7.org/CodeSystem/v2-0074'

/**
 * Result Organizer → DiagnosticReport with its Observations.
 *
 * @see https://hl7.org/fhir/us/ccda/CF-results.html
 */
export function* mapReport(scene: Scene, organizer: CdaElement, _row: EntryRow | undefined): Steps<string | undefined> {
  const { who, at } = scene.authorOf(organizer)
  const specimen = specimenOf(scene, organizer)
  const members = yield* scene.rest(organizer)
  useStatus(organizer)
  return scene.keep('DiagnosticReport', organizer, {
    status: inSet('report-status', organizer.find('statusCode'))?.code ?? 'unknown',
    category: [{ coding: [{ system: lab, code: 'LAB' }] }],
    code: scene.codeOrAbsence(organizer.find('code')),
    subject: scene.subject,
    ...whenOf('effective', organizer.find('effectiveTime') ?? timeOfFirst(organizer), scene),
    issued: at?.includes('T') === true ? at : undefined,
    performer: [...scene.performersOf(organizer), ...(who === undefined ? [] : [who])],
    specimen: specimen === undefined ? [] : [specimen],
    result: membersOf(members),
    ...scene.narrative(organizer),
  })
}

/** An organizer that says nothing else: its observations, and an Observation that has them as members. */
export function* mapPanel(scene: Scene, organizer: CdaElement, row: EntryRow | undefined): Steps<string | undefined> {
  const members = membersOf(yield* scene.rest(organizer))
  return keepPanel(scene, organizer, row?.observation ?? scene.sectionRow?.observation, members)
}

function keepPanel(
  scene: Scene,
  organizer: CdaElement,
  category: string | undefined,
  hasMember: readonly Node[],
  code?: Node,
): string | undefined {
  const { who, at } = scene.authorOf(organizer)
  useStatus(organizer)
  const own = conceptOf(organizer.find('code'), scene) as Node | undefined
  const named = code ?? own
  if (named === undefined || hasMember.length === 0) return hasMember[0]?.reference as string | undefined
  return scene.keep('Observation', organizer, {
    status: inSet('result-status', organizer.find('statusCode'))?.code ?? 'final',
    category: categoryOf(category),
    code: named,
    subject: scene.subject,
    ...scene.narrative(organizer),
    ...whenOf('effective', organizer.find('effectiveTime') ?? timeOfFirst(organizer), scene),
    issued: at?.includes('T') === true ? at : undefined,
    performer: [...scene.performersOf(organizer), ...(who === undefined ? [] : [who])],
    hasMember,
    ...scene.notesOf(organizer),
  })
}

function timeOfFirst(organizer: CdaElement): CdaElement | undefined {
  return nested(organizer)
    .map(one => one.find('effectiveTime'))
    .find(one => one !== undefined)
}

const bloodPressure = { systolic: '8480-6', diastolic: '8462-4', panel: '85354-9' } as const
const panelOfVitals = '85353-1'

/**
 * Vital Signs Organizer → a panel with the Observations of its signs; systolic and diastolic pressure of one time are one.
 *
 * @see https://hl7.org/fhir/us/ccda/CF-vitals.html
 */
export function* mapVitalSigns(
  scene: Scene,
  organizer: CdaElement,
  _row: EntryRow | undefined,
): Steps<string | undefined> {
  const signs = nested(organizer).filter(({ name }) => name === 'observation')
  const pairs = pressuresOf(signs)
  const members: (string | undefined)[] = []
  for (const [systolic, diastolic] of pairs) {
    yield
    members.push(keepPressure(scene, systolic, diastolic))
  }
  const paired = new Set(pairs.flat())
  const singles = signs.filter(one => !paired.has(one) && isOfPatient(one))
  members.push(...(yield* eachOf(singles, sign => mapObservation(scene, sign, entryRow(sign) ?? vitalSign))))
  const others = yield* scene.rest(organizer, [...paired, ...singles])
  const own = conceptOf(organizer.find('code'), scene)
  const code = {
    coding: [
      { system: systems.loinc, code: panelOfVitals },
      ...(own?.coding ?? []).filter(({ code }) => code !== panelOfVitals),
    ],
    ...(own?.text === undefined ? {} : { text: own.text }),
  }
  const references = [...members.flatMap(one => one ?? []), ...others]
  return keepPanel(scene, organizer, 'vital-signs', membersOf(references), code)
}

const vitalSign: EntryRow = {
  text: 'Vital sign observation',
  as: 'observation',
  templates: [],
  observation: 'vital-signs',
}

type Pressure = readonly [systolic: CdaElement, diastolic: CdaElement]

/** Each systolic pressure with a diastolic one of its time. */
function pressuresOf(signs: readonly CdaElement[]): readonly Pressure[] {
  const told = signs.filter(one => !isDenied(one) && isOfPatient(one))
  const waiting = Map.groupBy(told.filter(isCoded(bloodPressure.diastolic)), timeOf)
  return told.filter(isCoded(bloodPressure.systolic)).flatMap((systolic): readonly Pressure[] => {
    const diastolic = waiting.get(timeOf(systolic))?.shift()
    return diastolic === undefined ? [] : [[systolic, diastolic]]
  })
}

const isCoded = (loinc: string) => (one: CdaElement) =>
  one.at('code').some(code => [code, ...code.all('translation')].some(each => each.attribute('code') === loinc))

function isDenied({ attributes }: CdaElement): boolean {
  return attributes.negationInd === 'true'
}

function timeOf(one: CdaElement): string {
  const time = one.find('effectiveTime')
  return [time, time?.find('low'), time?.find('high')].map(each => each?.attribute('value') ?? '').join()
}

function keepPressure(scene: Scene, systolic: CdaElement, diastolic: CdaElement): string | undefined {
  const { elements } = observed(scene, systolic, vitalSign)
  const { code, valueQuantity, dataAbsentReason, interpretation, referenceRange, ...shared } = elements
  const more = observed(scene, diastolic, vitalSign).elements
  const halves = [systolic, diastolic].map(half => componentOf(scene, half))
  return scene.keep(
    'Observation',
    systolic,
    {
      ...shared,
      identifier: [...identifiersOf(systolic), ...identifiersOf(diastolic)],
      performer: distinct([...(shared.performer as unknown[]), ...(more.performer as unknown[])]),
      code: { coding: [{ system: systems.loinc, code: bloodPressure.panel }], text: 'Blood pressure' },
      component: halves,
    },
    {},
  )
}

function distinct(list: readonly unknown[]): readonly unknown[] {
  return [...new Map(list.map(one => [JSON.stringify(one), one])).values()]
}
