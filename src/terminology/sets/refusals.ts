import { Problem } from '#kernel'

/** Value sets that include one another are followed so many steps. */
export const deepest = 50

/** A value set that includes itself. */
export function circular(): Problem {
  return new Problem(
    'unprocessable',
    'terminology.value-set-circular',
    'The value set includes itself, by way of others or at once.',
    { expression: 'ValueSet.compose.include.valueSet' },
  )
}

/** Value sets that lead to ever more of them. */
export function tooDeep(): Problem {
  return new Problem(
    'too-costly',
    'terminology.too-deep',
    `Value sets that include each other are followed ${deepest} steps far, and these go on.`,
    { expression: 'ValueSet.compose.include.valueSet' },
  )
}

/** Parts of a value set are made ready together, and each of them is asked for each code. */
export const mostParts = 10_000

/** More parts, filters and named value sets than any definition has that somebody wrote. */
export function tooManyParts(): Problem {
  return new Problem(
    'too-costly',
    'terminology.too-many-parts',
    `A value set is looked at that has up to ${mostParts.toLocaleString('en')} parts, their filters and the value sets that they name among them.`,
    { expression: 'ValueSet.compose' },
  )
}

/** What cannot be told without a value set that is not held. */
export function unheldSet(): { readonly is: 'unknown'; readonly problem: Problem } {
  const problem = new Problem(
    'unprocessable',
    'terminology.value-set-unknown',
    'The value set includes another one, or a version of it, that is not held here.',
    { expression: 'ValueSet.compose.include.valueSet' },
  )
  return { is: 'unknown', problem }
}

/** What cannot be told without a code system that is not held. */
export function unheldSystem(): Problem {
  return new Problem(
    'unprocessable',
    'terminology.system-unknown',
    'A code system, or the version of it that is asked for, is not held here.',
    { expression: 'ValueSet.compose.include.system' },
  )
}

/** What cannot be told because only a part of a code system is held. */
export function partlyHeld(): Problem {
  return new Problem(
    'unprocessable',
    'terminology.system-partial',
    'Only a part of the code system is held here, and the code is not in it.',
    { expression: 'ValueSet.compose.include.system' },
  )
}
