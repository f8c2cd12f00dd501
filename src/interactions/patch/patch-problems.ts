import { Problem } from '#kernel'

/** What was sent is no patch. @param expression  where in the patch */
export function patchMalformed(text: string, expression?: string, cause?: unknown): Problem {
  return new Problem('invalid', 'patch.malformed', text, { ...(expression === undefined ? {} : { expression }), cause })
}

/** The patch does not fit what it is to change; neither its values nor those of the resource are told. */
export function patchFailed(text: string, expression?: string, cause?: unknown): Problem {
  const where = expression === undefined ? {} : { expression }
  return new Problem('unprocessable', 'patch.failed', `The patch cannot be applied: ${text}`, { ...where, cause })
}
