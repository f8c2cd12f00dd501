import { Problem } from '#kernel'
import type { Documents } from '#vault'
import { mergedInto, mergeOf } from './lineage.ts'

/**
 * Asked in each transaction that writes what was mapped for a patient: whether they are still one with whom they were one when it
 * was looked whose it is. Whoever lost since takes nothing, and of two who were parted since nothing tells whose it is.
 *
 * @param merged  ids of those who were merged into the patient then
 * @throws Problem `conflict` · `ingest.patient-merged`
 */
export async function checkOnes(documents: Documents, patient: string, merged: readonly string[]): Promise<void> {
  const { value } = await mergeOf(documents, patient)
  const isLost = value?.state === 'merged' || value?.state === 'moving'
  const now = new Set(await mergedInto(documents, patient))
  if (isLost || now.size !== merged.length || merged.some(one => !now.has(one)))
    throw new Problem(
      'conflict',
      'ingest.patient-merged',
      'The patient was merged with another one, or parted from one, meanwhile: look whose it is, and send it again for them.',
    )
}
