import type { Problem } from '#kernel'

/** What commands say to a person goes to standard error; what scripts read goes to standard output. */
export const output = {
  say(line = ''): void {
    process.stderr.write(`${line}\n`)
  },
  result(line: string): void {
    process.stdout.write(`${line}\n`)
  },
}

/** A Problem as it is shown: its code and text, and below it each element that is wrong. */
export function linesOf({ code, text, issues }: Problem): string[] {
  const below = issues.map(issue => `  ${issue.expression === undefined ? '' : `${issue.expression}: `}${issue.text}`)
  return [`${code}: ${text}`, ...below]
}
