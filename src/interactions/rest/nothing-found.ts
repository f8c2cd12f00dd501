import { Problem } from '#kernel'

/** What a conditional interaction was to change is not there, or not for who asks. */
export function nothingFound(): Problem {
  return new Problem('not-found', 'condition.matches-nothing', 'Nothing matches the condition.')
}
