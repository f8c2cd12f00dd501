import type { Steps } from '#kernel'
import { type Outcome, rowName } from '../outcome.ts'
import type { CdaElement } from './element.ts'
import { identityExtension } from './patient.ts'
import type { Section } from './read-document.ts'
import { mapAllergies, mapAllergy } from './resources/allergy.ts'
import { mapCareTeam, mapCoverage, mapCoverages, mapGoal, mapNote } from './resources/care.ts'
import { mapProblem, mapProblems } from './resources/condition.ts'
import { mapDevice, mapDeviceRequest } from './resources/device.ts'
import { mapEncounter } from './resources/encounter.ts'
import { mapFamily } from './resources/family.ts'
import { mapImmunization, mapPlannedImmunization } from './resources/immunization.ts'
import { mapDispense, mapMedication, mapSupplyOrder } from './resources/medication.ts'
import { mapObservation } from './resources/observation.ts'
import { mapPanel, mapReport, mapVitalSigns } from './resources/panel.ts'
import { mapInstruction, mapProcedure, mapRequest } from './resources/procedure.ts'
import { type DocumentFacts, isStatement, namesSubject, rowOf, Scene, useStatus } from './scene.ts'
import { ccdaTables, type EntryRow, entryRow } from './tables.ts'

type Mapper = (scene: Scene, statement: CdaElement, row: EntryRow | undefined) => Steps<string | undefined>

interface Kind {
  readonly map: Mapper
  /** What `negationInd` says is made something of. */
  readonly mayBeDenied?: true
  /** It is about somebody else by what it is. */
  readonly isOfOthers?: true
}

/** What an entry may be, by `as` of `entries.json`. */
export const kinds: Readonly<Record<string, Kind>> = {
  allergies: { map: mapAllergies },
  allergy: { map: mapAllergy, mayBeDenied: true },
  'birth-sex': { map: mapIdentity('birth-sex') },
  'care-team': { map: mapCareTeam },
  coverage: { map: mapCoverage },
  coverages: { map: mapCoverages },
  device: { map: mapDevice },
  'device-request': { map: mapDeviceRequest },
  dispense: { map: mapDispense },
  encounter: { map: mapEncounter, mayBeDenied: true },
  family: { map: mapFamily, isOfOthers: true },
  'gender-identity': { map: mapIdentity('gender-identity') },
  goal: { map: mapGoal },
  immunization: { map: mapImmunization, mayBeDenied: true },
  instruction: { map: mapInstruction, mayBeDenied: true },
  medication: { map: mapMedication, mayBeDenied: true },
  note: { map: mapNote },
  observation: { map: mapObservation, mayBeDenied: true },
  panel: { map: mapPanel },
  'planned-immunization': { map: mapPlannedImmunization, mayBeDenied: true },
  problem: { map: mapProblem, mayBeDenied: true },
  problems: { map: mapProblems },
  procedure: { map: mapProcedure, mayBeDenied: true },
  report: { map: mapReport },
  'supply-order': { map: mapSupplyOrder },
  'vital-signs': { map: mapVitalSigns },
  wrapper: { map: mapWrapper },
}

/** What becomes of an entry of a section; each is one row. */
export function* mapEntry(
  entry: CdaElement,
  section: Section | undefined,
  facts: DocumentFacts,
): Steps<readonly Outcome[]> {
  const statement = entry.children.find(isStatement)
  const row = statement && entryRow(statement)
  const named = new Scene(facts, section, '', dispatch).sectionRow
  const scene = new Scene(facts, section, rowOf(statement, row, named), dispatch)
  if (statement !== undefined) yield* dispatch(scene, statement)
  return scene.finish(entry)
}

/** Maps a clinical statement by its template, else by its section, else by its element. */
function* dispatch(scene: Scene, statement: CdaElement): Steps<string | undefined> {
  yield
  if (statement.nullFlavor !== undefined) return undefined
  const row = entryRow(statement)
  const fallback = scene.sectionRow?.fallback?.[statement.name] ?? ccdaTables().byElement.get(statement.name)
  const kind = kinds[row?.as ?? fallback ?? '']
  if (kind === undefined) return undefined
  if (kind.isOfOthers !== true && isOfAnother(statement, scene.section)) {
    scene.reject('other-patient', rowName(`${statement.name}.subject`))
    return undefined
  }
  if (statement.attributes.negationInd === 'true') {
    if (kind.mayBeDenied !== true) {
      scene.reject('not-supported', rowName(`${statement.name}.negationInd`))
      return undefined
    }
    statement.use()
  }
  return yield* kind.map(scene, statement, row)
}

/** A subject may be named by the statement, or by a section around it. */
function isOfAnother(statement: CdaElement, section: Section | undefined): boolean {
  for (let one = section; one !== undefined; one = one.parent) if (namesSubject(one.element)) return true
  return namesSubject(statement)
}

/** An act that only holds others; one that is planned is a request of its own. */
function* mapWrapper(scene: Scene, act: CdaElement, row: EntryRow | undefined): Steps<string | undefined> {
  const isPlanned = (act.attribute('moodCode') ?? 'EVN') !== 'EVN'
  useStatus(act)
  if (isPlanned && act.find('code')?.attribute('code') !== undefined) return yield* mapRequest(scene, act)
  const found = yield* scene.rest(act)
  // The code of an act of a template is that of the template.
  if (act.name === 'act' && row !== undefined) act.find('code')?.use('all')
  return found[0]
}

function mapIdentity(kind: 'birth-sex' | 'gender-identity'): Mapper {
  return function* (scene, observation) {
    const value = observation.find('value')
    const extension = value && identityExtension(kind, value, scene)
    observation.find('code')?.use('all')
    useStatus(observation)
    if (extension === undefined) {
      scene.reject('value-unknown', 'observation.value')
      return undefined
    }
    observation.find('effectiveTime')?.use('all')
    const id = scene.facts.context.patient
    const isThere = (one: { readonly url?: string }) => one.url === extension.url
    scene.amend({
      kind: 'amend',
      row: scene.row,
      type: 'Patient',
      id,
      change: current => {
        const known = Array.isArray(current.extension) ? (current.extension as { url?: string }[]) : []
        return known.some(isThere) ? undefined : { ...current, extension: [...known, extension] }
      },
    })
    return `Patient/${id}`
  }
}
