import type { ReadingHooks, ReleaseFile } from './release.ts'

/** The bytes of a file as text, counted. */
export async function* textOf(file: ReleaseFile, { onBytes }: ReadingHooks): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder('utf-8')
  for await (const chunk of file.open()) {
    onBytes(chunk.length)
    yield decoder.decode(chunk, { stream: true })
  }
  yield decoder.decode()
}

/** The lines of a file, without their ends; empty ones are left out. */
export async function* linesOf(file: ReleaseFile, hooks: ReadingHooks): AsyncGenerator<string, void, void> {
  let rest = ''
  for await (const text of textOf(file, hooks)) {
    const lines = (rest + text).split(/\r?\n/)
    rest = lines.pop() ?? ''
    for (const line of lines) if (line !== '') yield line
  }
  if (rest !== '') yield rest
}

/** The fields of each line, between signs that stand in no field. */
export async function* fieldsOf(
  file: ReleaseFile,
  separator: '\t' | '|',
  hooks: ReadingHooks,
): AsyncGenerator<readonly string[], void, void> {
  for await (const line of linesOf(file, hooks)) yield line.split(separator)
}
