/** The figures that stand beside the code: a section for each goal, which a run of that goal writes anew. */
import { readFile, writeFile } from 'node:fs/promises'

const path = new URL('./FIGURES.md', import.meta.url).pathname
const heading = '# What came of the soak\nWritten by `npm run soak`; what each goal asks for stands in README.md.\n'

/** The document with a section in place of the one of the same name; sections stand in the order of their numbers. */
export function withSection(document: string, name: string, lines: readonly string[]): string {
  const [, ...sections] = document.split(/^## /m)
  const kept = sections.filter(section => !section.startsWith(`${name}\n`))
  const all = [...kept.map(section => section.trimEnd()), `${name}\n${lines.join('\n')}`]
  const numberOf = (section: string) => Number(/^R(\d+)/.exec(section)?.[1])
  return [heading, ...all.toSorted((a, b) => numberOf(a) - numberOf(b)).map(section => `## ${section}\n`)].join('\n')
}

export async function keepFigures(name: string, lines: readonly string[]): Promise<void> {
  const before = await readFile(path, 'utf8').catch(() => '')
  await writeFile(path, withSection(before, name, lines))
}
