import { isProblem, Problem } from '#kernel'

/**
 * Does what may be refused for a reason that lies in something the person typed, and lets the refusal name it: a file, a scope,
 * a patient's id. What they did not type is never named.
 */
export async function naming<T>(typed: string, codes: RegExp, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isProblem(error) || !codes.test(error.code)) throw error
    const { kind, code, text, issues, expression } = error
    throw new Problem(kind, code, `${text.replace(/\.$/, '')}: ${typed}`, { cause: error, issues, expression })
  }
}
