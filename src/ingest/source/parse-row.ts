import { type Json, parseJson, parseSentJson } from '#fhir'
import { isProblem, Problem, wanted, withBudget } from '#kernel'

/** What takes longer is parsed in slices, between which others have their turn. Characters. */
const shortText = 64 * 1024
/** Values of one row; the largest lists of codes have some hundred thousand. */
const mostValues = 1_000_000

/**
 * The JSON of one row of a file.
 *
 * @throws Problem as `parseSentJson`; `too-large` · `ingest.token-too-long` where a row has too many values
 */
export async function parseRow(text: string, most = mostValues): Promise<Json> {
  if (text.length <= shortText) return parseJson(text)
  try {
    return await withBudget({ parsed: most, cpu: Number.POSITIVE_INFINITY }, () => parseSentJson(text), wanted())
  } catch (error) {
    if (isProblem(error) && error.code === 'budget.parsed-exceeded') throw tooManyValues(most)
    throw error
  }
}

function tooManyValues(most: number): Problem {
  const text = `One row of the file has more than ${most} values.`
  return new Problem('too-large', 'ingest.token-too-long', text)
}
