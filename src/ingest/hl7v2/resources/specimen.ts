import { value } from '../message.ts'
import { applied, emit, type Scene } from '../scene.ts'
import { type Group, segmentOf } from '../structure.ts'
import { notesOf } from './notes.ts'

/** SPM → Specimen */
export function mapSpecimen(scene: Scene, group: Group, order: string, nth: number): string | undefined {
  const spm = segmentOf(group, 'SPM')
  if (spm === undefined) return undefined
  const elements = { ...applied(scene, spm, 'Specimen'), ...notesOf(scene, group), subject: scene.context.subject }
  return emit(scene, spm, 'Specimen', [order, value(spm, 2, 2), String(nth)], elements)
}
