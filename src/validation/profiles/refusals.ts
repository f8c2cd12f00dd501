import { Problem } from '#kernel'

/** A profile derives from itself, in how many steps ever. */
export function circular(): Problem {
  return new Problem(
    'unprocessable',
    'validation.profile-circular',
    'A profile derives from itself, or by more steps than are followed.',
    { expression: 'StructureDefinition.baseDefinition' },
  )
}

/** A profile is larger than any in use. */
export function tooLarge(): Problem {
  return new Problem(
    'too-costly',
    'validation.profile-too-large',
    'A profile has more elements than are looked at, or names more definitions.',
    { expression: 'StructureDefinition.differential' },
  )
}

/** What is nested too deeply, or looked at too often. */
export function tooCostly(cause?: unknown): Problem {
  return new Problem('too-costly', 'validation.too-costly', 'To validate the resource takes too long.', { cause })
}

/** The refusal of a code, as a thread tells it. */
export function refusals(code: string): Problem {
  return [circular(), tooLarge()].find(problem => problem.code === code) ?? tooCostly()
}
