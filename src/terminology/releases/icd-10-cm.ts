import { linesOf } from './lines.ts'
import { fileLike, malformed, type ReleaseReader, versionFrom } from './release.ts'

const pattern = /(?:^|\/)icd10cm[_-]order[_-](\d{4})\.txt$/i

/**
 * ICD-10-CM by its order file: number, code, whether it may be reported, a short and a long name, each at its place.
 *
 * @see https://www.cdc.gov/nchs/icd/icd-10-cm/files.html and https://hl7.org/fhir/R4/icd.html
 */
export const icd10cm: ReleaseReader = {
  name: 'ICD-10-CM (order file)',
  find(files) {
    const found = fileLike(files, pattern)
    return found === undefined ? undefined : [found]
  },
  async read([file], draft, hooks) {
    if (file === undefined) throw new Error('find gave a file')
    /** Codes above the line that was read last, without dots: each line lies below the longest of them that it begins with. */
    const above: string[] = []
    for await (const line of linesOf(file, hooks)) {
      const [, plain, billable, short = '', long = ''] =
        /^\d{5} ([A-Z][0-9A-Z]{2,6}) +([01]) (.{60}) (.*)$/.exec(line.trimEnd().padEnd(78)) ?? []
      if (plain === undefined) throw malformed(file, 'a line does not begin with number, code and sign')
      const display = long.trim() || short.trim()
      draft.concept({ code: dotted(plain), display, isAbstract: billable === '0' })
      while (above.length > 0 && !plain.startsWith(above.at(-1) ?? '')) above.pop()
      const parent = above.at(-1)
      if (parent !== undefined) draft.link(dotted(plain), dotted(parent))
      above.push(plain)
    }
    const version = versionFrom(hooks, pattern.exec(file.path)?.[1])
    const url = 'http://hl7.org/fhir/sid/icd-10-cm'
    return { url, version, name: 'ICD-10-CM', properties: {}, isCaseSensitive: false }
  },
}

/** `A0100` → `A01.00` */
function dotted(plain: string): string {
  return plain.length > 3 ? `${plain.slice(0, 3)}.${plain.slice(3)}` : plain
}
