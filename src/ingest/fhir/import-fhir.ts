import { bytesOf } from '#fhir'
import { giveWay, inSlices, type Steps } from '#kernel'
import type { Outcome } from '../outcome.ts'
import type { ReadContext } from '../read-context.ts'
import { isOfAnother, namesAnother } from './about.ts'
import { Directory } from './directory.ts'
import { mapDeletion, mapResource, type Scene } from './map-resource.ts'
import { type FhirFile, type Found, type Row, readRows } from './read-resources.ts'
import { linksOf } from './references.ts'

/** So many outcomes are handed on together, or so many bytes of them. */
const gathered = { most: 100, bytes: 4 * 1024 ** 2 }

/**
 * Looks through FHIR files that belong together, and gives what they become. The first pass learns what is in them and whose
 * it is, so that references find their targets whatever the order, and which of several versions is the newest; the last one maps.
 * Each pass reads the files again and holds one resource at a time.
 *
 * @throws Problem as `readRows`, `Directory`, both at once and while it is read
 */
export async function importFhir(
  files: readonly FhirFile[],
  context: ReadContext,
): Promise<AsyncGenerator<Outcome[], void, void>> {
  return outcomesOf(files, await openScene(files, context))
}

async function* outcomesOf(
  files: readonly FhirFile[],
  scene: Scene & { readonly doubtful: boolean },
): AsyncGenerator<Outcome[], void, void> {
  let outcomes: Outcome[] = scene.doubtful ? [{ kind: 'warning', text: doubtfulEncoding }] : []
  let bytes = 0
  for await (const { row, place, index } of all(files, scene.context, () => {})) {
    const outcome = placed(await inSlices(outcomeOf(row, index, scene)), place)
    scene.context.onRow?.(outcome, index)
    outcomes.push(outcome, ...scene.warnings.splice(0))
    if (outcome.kind === 'mapped') bytes += await inSlices(bytesOf(outcome.resource, gathered.bytes))
    if (outcomes.length >= gathered.most || bytes >= gathered.bytes) {
      yield outcomes
      outcomes = []
      bytes = 0
    }
  }
  yield outcomes
}

const doubtfulEncoding = 'Some lines are not UTF-8; they were read as windows-1252.'

async function openScene(files: readonly FhirFile[], context: ReadContext): Promise<Scene & { doubtful: boolean }> {
  let doubtful = false
  const directory = new Directory(context)
  const onDoubt = () => {
    doubtful = true
  }
  for await (const { row, place, index } of all(files, context, onDoubt)) {
    if ('resource' in row) await directory.add(row, place, index)
    else if ('gone' in row) directory.places.addDeletion(row, index)
  }
  await inSlices(directory.places.settle())
  const names = await directory.ownNames()
  await inSlices(directory.places.leaveOut((reference, fullUrl) => namesAnother(reference, fullUrl, names)))
  const scene = { directory, names, context, warnings: [], doubtful }
  if (directory.places.hasBinaries) await findShown(files, scene)
  return scene
}

/** Bytes belong to whom the document belongs that shows them. */
async function findShown(files: readonly FhirFile[], scene: Scene): Promise<void> {
  const { places } = scene.directory
  for await (const { row, index } of all(files, scene.context, () => {})) {
    if (!('resource' in row) || row.resource.resourceType === 'Binary' || !isTaken(row, index, scene)) continue
    const isOther = isOfAnother(row, scene.names, scene.context)
    for (const link of linksOf(row.resource)) places.show(link, row.fullUrl, isOther)
  }
}

function isTaken(found: Found, index: number, { directory }: Scene): boolean {
  if (found.resource.resourceType === 'Patient') return directory.isNewestPatient(index)
  const place = directory.places.placeOf(found)
  return place === undefined || place.newest.index === index
}

function* outcomeOf(row: Row, index: number, scene: Scene): Steps<Outcome> {
  if ('resource' in row)
    return isTaken(row, index, scene) ? yield* mapResource(row, scene) : older(row.resource.resourceType)
  if ('gone' in row) return mapDeletion(row, index, scene) ?? older(row.gone.type)
  if (!row.malformed) return { kind: 'unmapped', row: row.row }
  const named = row.type === undefined ? {} : { expression: row.type }
  return { kind: 'rejected', row: row.row, reason: 'structure-unknown', ...named }
}

/** A version that another one of the file has replaced. */
function older(type: string): Outcome {
  return { kind: 'unmapped', row: `${type}.older-version` }
}

/** What is another person's, or may be, is refused by its place. */
function placed(outcome: Outcome, place: string): Outcome {
  if (outcome.kind !== 'rejected') return outcome
  if (outcome.reason === 'other-patient' || outcome.reason === 'without-effect')
    return { ...outcome, expression: place }
  return outcome.reason === 'element-missing' ? { ...outcome, expression: `${place}: ${outcome.expression}` } : outcome
}

interface Placed {
  readonly row: Row
  /** `Bundle.entry[3]`, or the line of NDJSON; lines without text are not counted. */
  readonly place: string
  /** Among the rows of all files. */
  readonly index: number
}

async function* all(
  files: readonly FhirFile[],
  { limits }: ReadContext,
  onDoubt: () => void,
): AsyncGenerator<Placed, void, void> {
  let index = 0
  for (const file of files) {
    let at = 0
    for await (const found of readRows(file, limits, onDoubt)) {
      const pause = giveWay()
      if (pause !== undefined) await pause
      const row = named(found, index)
      yield { row, place: file.form === 'ndjson' ? `line[${at + 1}]` : `Bundle.entry[${at}]`, index }
      at += 1
      index += 1
    }
  }
}

/** A Patient without id and address is known by its place, so that it can be told whether it is ours. */
function named(row: Row, index: number): Row {
  if (!('resource' in row) || row.resource.resourceType !== 'Patient') return row
  const isNamed = row.resource.id !== undefined || row.fullUrl !== undefined
  return isNamed ? row : { ...row, fullUrl: `urn:kinhold:row:${index}` }
}
