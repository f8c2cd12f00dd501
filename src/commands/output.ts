/** What commands say to a person goes to standard error; what scripts read goes to standard output. */
export const output = {
  say(line = ''): void {
    process.stderr.write(`${line}\n`)
  },
  result(line: string): void {
    process.stdout.write(`${line}\n`)
  },
}
