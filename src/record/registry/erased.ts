import { Problem } from '#kernel'

/** The answer to who asks for the id of an erased patient, or wants to give it again, and may know of it. */
export const idErased = (): Problem =>
  new Problem('gone', 'record.id-erased', 'The id was that of a patient who was erased. It is never given again.')
