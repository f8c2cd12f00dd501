import { part } from '../message.ts'
import { type Elements, join, type Scene } from '../scene.ts'
import { type Group, segmentsOf } from '../structure.ts'

/** The text of a group's NTE segments, a line for each repetition; empty when it has none. */
export function noteText(scene: Scene, group: Group, owner = group.segments[0]): string {
  const lines = segmentsOf(group, 'NTE').map(nte => {
    const { field, keep } = scene.ledger.look(nte, 3)
    keep()
    if (owner !== undefined) join(scene, nte, owner)
    return field.map(repetition => part(repetition, 1)).join('\n')
  })
  return lines.join('\n').trim()
}

/** `{ note: … }` of a group's NTE segments. */
export function notesOf(scene: Scene, group: Group): Elements {
  const text = noteText(scene, group)
  return text === '' ? {} : { note: [{ text }] }
}
